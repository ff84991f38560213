-- What every supported server can hold, in one database. Each newer version adds a file of its own.
CREATE SCHEMA app AUTHORIZATION versions_owner;
CREATE SCHEMA "Odd ""schema""";
CREATE EXTENSION btree_gist;
CREATE EXTENSION citext SCHEMA app;
CREATE EXTENSION hstore SCHEMA app VERSION '1.4';
ALTER EXTENSION hstore UPDATE;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION postgres_fdw;

CREATE TYPE app.colour AS ENUM ('red', 'green', 'blue');
ALTER TYPE app.colour ADD VALUE 'white' BEFORE 'green';
CREATE TYPE app.address AS (street text, number integer);
CREATE TYPE app.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE DOMAIN app.positive AS numeric(12, 4) DEFAULT 1 NOT NULL CONSTRAINT above_zero CHECK (VALUE > 0);
CREATE COLLATION app.by_bytes (provider = libc, lc_collate = 'C', lc_ctype = 'C');

CREATE FUNCTION app.twice(v integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT v * 2';
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.changed := coalesce(new.changed, 'epoch'); RETURN new; END $$;
CREATE FUNCTION app.pairs(OUT a integer, OUT b text) RETURNS SETOF record LANGUAGE plpgsql ROWS 7 COST 3 SET work_mem = '5MB'
    AS $$ BEGIN RETURN QUERY SELECT 1, 'x'::text; END $$;
CREATE PROCEDURE app.fill(n integer) LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM n; END $$;
CREATE AGGREGATE app.total (integer) (sfunc = int4pl, stype = integer, initcond = '0', combinefunc = int4pl, parallel = safe);
CREATE OPERATOR app.<+> (leftarg = integer, rightarg = integer, function = int4pl, commutator = OPERATOR(app.<+>));
CREATE FUNCTION app.to_number(app.colour) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT CASE $1 WHEN 'red' THEN 1 ELSE 2 END $$;
CREATE CAST (app.colour AS integer) WITH FUNCTION app.to_number(app.colour) AS ASSIGNMENT;
CREATE TEXT SEARCH DICTIONARY app.simple_words (TEMPLATE = simple, accept = false);
CREATE TEXT SEARCH CONFIGURATION app.words (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION app.words ALTER MAPPING FOR asciiword WITH app.simple_words, simple;
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;

CREATE TABLE app.everything (
    id integer GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 5) PRIMARY KEY,
    n numeric, d app.positive, f float8, t text COLLATE app.by_bytes, c app.citext, b bytea, colour app.colour, home app.address,
    reach app.span, days daterange, flags bit varying(9), net inet, mac macaddr8, doc jsonb, doc_text json, words tsvector, place point,
    list integer[][], maps app.hstore, x xml, moment timestamptz, clock timetz, gap interval, money money, u uuid,
    doubled integer GENERATED ALWAYS AS (app.twice(id)) STORED,
    changed timestamptz);
COMMENT ON TABLE app.everything IS E'It''s all here,\n"quoted" \\ and more';
COMMENT ON COLUMN app.everything.n IS 'grüße';
CREATE TRIGGER stamped BEFORE INSERT OR UPDATE OF n ON app.everything FOR EACH ROW WHEN (new.n IS DISTINCT FROM 5) EXECUTE FUNCTION app.stamp();
INSERT INTO app.everything (n, d, f, t, c, b, colour, home, reach, days, flags, net, mac, doc, doc_text, words, place, list, maps, x, moment, clock, gap, money, u)
    SELECT g + 0.10, g, g / 3.0, E'line\n\\tab\t' || g, 'Case' || g, decode(lpad(to_hex(g), 8, '0'), 'hex'), 'white', ROW ('a, "b"', g)::app.address,
        app.span(g, g + 1), daterange('2020-01-01', '2020-01-01'::date + g), B'101', '10.0.0.1/8', '08:00:2b:01:02:03:04:05',
        jsonb_build_object('k', g), '{"b": 1,  "a": 2, "b": 3}', to_tsvector('simple', 'w' || g), point(g, -g), ARRAY[[g, NULL], [2, 3]],
        app.hstore('k', g::text), '<a b="c">&amp;</a>', 'epoch'::timestamptz + g * interval '1 day', '10:00:00+02', '1 mon 2 days 00:00:03', g::numeric::money,
        ('00000000-0000-0000-0000-' || lpad(g::text, 12, '0'))::uuid
    FROM generate_series(1, 300) g;
INSERT INTO app.everything (n, f, moment) VALUES ('NaN', 'Infinity', 'infinity'), (NULL, '-Infinity', '-infinity'), (1e100, 1e-300, '4713-01-01 BC');
CREATE INDEX by_words ON app.everything USING gin (words);
CREATE INDEX by_text ON app.everything USING gist (t gist_trgm_ops);
CREATE INDEX by_range ON app.everything USING gist (days) WHERE n IS NOT NULL;
CREATE UNIQUE INDEX by_many ON app.everything (id DESC NULLS LAST, lower(t)) INCLUDE (n) WITH (fillfactor = 70);
ALTER TABLE app.everything CLUSTER ON by_many;
CREATE STATISTICS app.of_everything (ndistinct, dependencies, mcv) ON n, t FROM app.everything;

CREATE TABLE app.parent (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'x', boss integer CONSTRAINT own_boss REFERENCES app.parent DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE app.child (extra text, CHECK (extra <> '') NO INHERIT) INHERITS (app.parent);
INSERT INTO app.parent (name, boss) SELECT 'p' || g, nullif(g - 1, 0) FROM generate_series(1, 100) g;
INSERT INTO app.child (name, extra) SELECT 'c' || g, 'e' FROM generate_series(1, 20) g;
CREATE TABLE app.linked (parent integer REFERENCES app.parent ON DELETE CASCADE ON UPDATE SET NULL, pair daterange,
    EXCLUDE USING gist (parent WITH =, pair WITH &&) DEFERRABLE);
INSERT INTO app.linked SELECT g, daterange('2020-01-01', '2021-01-01') FROM generate_series(1, 100) g;
ALTER TABLE app.linked ADD CONSTRAINT later CHECK (parent > 0) NOT VALID;

CREATE TABLE app.events (day date NOT NULL, kind text, n integer, PRIMARY KEY (day, n)) PARTITION BY RANGE (day);
CREATE TABLE app.events_1 PARTITION OF app.events FOR VALUES FROM (MINVALUE) TO ('2020-07-01') PARTITION BY LIST (n);
CREATE TABLE app.events_1_odd PARTITION OF app.events_1 FOR VALUES IN (1, 3, 5);
CREATE TABLE app.events_1_rest PARTITION OF app.events_1 DEFAULT;
CREATE TABLE app.events_2 (n integer NOT NULL, junk integer, day date NOT NULL, kind text);
ALTER TABLE app.events_2 DROP COLUMN junk;
ALTER TABLE app.events ATTACH PARTITION app.events_2 FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
CREATE INDEX events_kind ON app.events (kind);
INSERT INTO app.events SELECT '2020-01-01'::date + g % 360, 'k' || g % 3, g FROM generate_series(0, 999) g;
CREATE TABLE app.notes (day date, n integer, CONSTRAINT note_event FOREIGN KEY (day, n) REFERENCES app.events);
INSERT INTO app.notes SELECT day, n FROM app.events WHERE n % 10 = 0;
CREATE TABLE app.hashed (colour app.colour, v integer) PARTITION BY HASH (colour);
CREATE TABLE app.hashed_0 PARTITION OF app.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.hashed_1 PARTITION OF app.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO app.hashed SELECT (ARRAY['red', 'green', 'blue', 'white']::app.colour[])[g % 4 + 1], g FROM generate_series(1, 100) g;

CREATE UNLOGGED TABLE app.cache (k text PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
INSERT INTO app.cache VALUES ('a', 'b');
CREATE TABLE app.again (a integer) USING heap_again;
INSERT INTO app.again VALUES (1);
CREATE TABLE app.no_columns ();
INSERT INTO app.no_columns SELECT FROM generate_series(1, 3);
CREATE TABLE "Odd ""schema"""."Table; with -- ""signs""" ("a b" integer, "select" text, "ü" text DEFAULT E'it''s \\');
INSERT INTO "Odd ""schema"""."Table; with -- ""signs""" VALUES (1, '\.', DEFAULT), (2, E'\\N', ''), (3, NULL, E'\r\n\t\b');
CREATE SEQUENCE app.down AS smallint INCREMENT BY -3 MINVALUE -100 MAXVALUE 20 START WITH 20 CACHE 5 CYCLE;
SELECT nextval('app.down'), nextval('app.down');
CREATE SEQUENCE app.untouched;

CREATE VIEW app.seen AS SELECT id, n, app.twice(id) FROM app.everything WHERE id > 20 WITH LOCAL CHECK OPTION;
CREATE VIEW app.guarded WITH (security_barrier) AS SELECT * FROM app.parent;
CREATE RECURSIVE VIEW app.up (id, boss) AS SELECT id, boss FROM app.parent WHERE boss IS NULL UNION ALL SELECT p.id, p.boss FROM app.parent p JOIN up ON p.boss = up.id;
CREATE MATERIALIZED VIEW app.sums AS SELECT colour, count(*) AS n FROM app.everything GROUP BY colour;
CREATE MATERIALIZED VIEW app.sums_of_sums AS SELECT sum(n) AS n FROM app.sums;
CREATE MATERIALIZED VIEW app.never AS SELECT 1 AS one WITH NO DATA;
CREATE UNIQUE INDEX ON app.sums (colour);
CREATE RULE noted AS ON DELETE TO app.parent DO ALSO NOTIFY deleted;
CREATE FUNCTION app.watched() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER versions_watch ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION app.watched();
ALTER EVENT TRIGGER versions_watch DISABLE;

ALTER TABLE app.parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.parent AS RESTRICTIVE FOR SELECT TO versions_reader USING (id > 0);
ALTER TABLE app.parent OWNER TO versions_owner;
GRANT USAGE ON SCHEMA app TO versions_reader;
GRANT SELECT, UPDATE (name) ON app.parent TO versions_reader WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE app.fill(integer) TO versions_owner;
REVOKE EXECUTE ON FUNCTION app.twice(integer) FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE versions_owner IN SCHEMA app GRANT SELECT ON TABLES TO versions_reader;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR versions_reader SERVER elsewhere OPTIONS (user 'nobody');
CREATE FOREIGN TABLE app.far (id integer) SERVER elsewhere OPTIONS (table_name 'far');
CREATE PUBLICATION versions_some FOR TABLE app.parent, app.linked WITH (publish = 'insert, update');

SELECT lo_from_bytea(4711, 'a large object'), lo_from_bytea(4712, decode(repeat('00ff', 5000), 'hex')), lo_create(4713);
ALTER LARGE OBJECT 4711 OWNER TO versions_owner;
GRANT SELECT ON LARGE OBJECT 4712 TO versions_reader;
COMMENT ON LARGE OBJECT 4713 IS 'empty';
