-- New in PostgreSQL 16.
CREATE TABLE app.stored (id integer PRIMARY KEY, body text STORAGE EXTERNAL, CHECK (body IS JSON OBJECT WITH UNIQUE KEYS));
INSERT INTO app.stored VALUES (1, '{"a": 1}');
CREATE VIEW app.made_of_json AS SELECT JSON_OBJECT('id': id, 'n': n NULL ON NULL) AS o, JSON_ARRAY(1, t) AS a FROM app.everything;
CREATE VIEW app.any_of AS SELECT any_value(n) FROM app.events;
CREATE FUNCTION app.literals() RETURNS integer LANGUAGE sql RETURN 0x1F + 0b11 + 1_000;
