-- New in PostgreSQL 18.
CREATE TABLE app.computed (id uuid PRIMARY KEY DEFAULT uuidv7(), a integer, double integer GENERATED ALWAYS AS (a * 2), folded text GENERATED ALWAYS AS (casefold(a::text COLLATE app.builtin)) STORED);
INSERT INTO app.computed (id, a) SELECT ('00000000-0000-7000-8000-' || lpad(g::text, 12, '0'))::uuid, g FROM generate_series(1, 40) g;
CREATE TABLE app.booked (room integer, during daterange, PRIMARY KEY (room, during WITHOUT OVERLAPS));
INSERT INTO app.booked VALUES (1, '[2020-01-01,2020-02-01)'), (1, '[2020-02-01,2020-03-01)');
CREATE TABLE app.guests (room integer, during daterange, FOREIGN KEY (room, PERIOD during) REFERENCES app.booked (room, PERIOD during));
INSERT INTO app.guests VALUES (1, '[2020-01-15,2020-02-15)');
CREATE TABLE app.trusted (a integer CONSTRAINT promised CHECK (a > 0) NOT ENFORCED, parent integer REFERENCES app.parent NOT ENFORCED);
INSERT INTO app.trusted VALUES (-1, -1);
CREATE TABLE app.partly (a integer, b integer CONSTRAINT b_is_there NOT NULL NO INHERIT);
INSERT INTO app.partly VALUES (2, 1);
ALTER TABLE app.partly ADD CONSTRAINT a_is_there NOT NULL a NOT VALID;
CREATE PUBLICATION versions_generated FOR TABLE app.computed WITH (publish_generated_columns = stored);
CREATE FUNCTION app.moved() RETURNS SETOF integer BEGIN ATOMIC
    UPDATE app.tenants SET id = id RETURNING old.id;
END;
CREATE VIEW app.sorted AS SELECT array_sort(ARRAY[3, 1, 2]) AS a, json_strip_nulls('{"a": [null]}', true) AS j;
