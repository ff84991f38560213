-- A table whose rows are on one page and whose values are megabytes beside it, and other places where the size is not.
CREATE TABLE beside (id integer PRIMARY KEY, body text, raw bytea);
ALTER TABLE beside ALTER body SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;
INSERT INTO beside SELECT g, (SELECT string_agg(md5(g::text || i), '') FROM generate_series(1, 16000) i), decode(repeat(md5(g::text), 16000), 'hex')
    FROM generate_series(1, 24) g;
DO $$ BEGIN ASSERT (SELECT pg_relation_size('beside') = 8192 AND pg_table_size('beside') > 15000000); END $$;
-- In partitions, in children, in arrays and composites, compressed in two ways in one column, and in a column dropped since.
CREATE TABLE beside_parts (id integer, body text COMPRESSION pglz, gone text) PARTITION BY HASH (id);
CREATE TABLE beside_parts_0 PARTITION OF beside_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE beside_parts_1 PARTITION OF beside_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO beside_parts SELECT g, repeat(md5(g::text), 20000), repeat('gone', 100000) FROM generate_series(1, 10) g;
ALTER TABLE beside_parts DROP gone;
CREATE TABLE beside_child (more text) INHERITS (beside);
INSERT INTO beside_child SELECT g, repeat('b', 100000), '\x00', repeat(E'\\.\n', 100000) FROM generate_series(100, 105) g;
CREATE TYPE part AS (a text, b bytea);
CREATE TABLE inside (parts part[], words tsvector, doc jsonb, list text[]);
INSERT INTO inside SELECT array_agg(ROW(repeat(md5(g::text), 3000), decode(repeat(md5(g::text), 1000), 'hex'))::part), to_tsvector('simple', string_agg('w' || g, ' ')),
    jsonb_object_agg('key' || g, repeat(md5(g::text), 1000)), array_agg(repeat('x', g * 1000)) FROM generate_series(1, 50) g;
-- Deleted and updated until nothing is on the first pages.
CREATE TABLE holes (id integer, body text);
INSERT INTO holes SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 4000) g;
DELETE FROM holes WHERE id < 3900;
UPDATE holes SET body = body || 'x' WHERE id % 2 = 0;
CREATE TABLE emptied (id integer, body text);
INSERT INTO emptied SELECT g, repeat('e', 500) FROM generate_series(1, 2000) g;
DELETE FROM emptied;
-- Unlogged: a table with a sequence and large values, a child, a partition, a sequence that was changed.
CREATE UNLOGGED TABLE fleeting (id bigserial PRIMARY KEY, body text, at timestamptz DEFAULT '2020-01-01Z');
INSERT INTO fleeting (body) SELECT repeat(md5(g::text), 5000) FROM generate_series(1, 10) g;
CREATE UNLOGGED TABLE fleeting_child () INHERITS (fleeting);
INSERT INTO fleeting_child (body) VALUES ('child');
CREATE TABLE became_unlogged (id serial, t text);
INSERT INTO became_unlogged (t) VALUES ('a'), ('b');
ALTER TABLE became_unlogged SET UNLOGGED;
CREATE UNLOGGED TABLE became_logged (id serial, t text);
INSERT INTO became_logged (t) VALUES ('a'), ('b');
ALTER TABLE became_logged SET LOGGED;
CREATE UNLOGGED SEQUENCE fleeting_numbers START 5;
SELECT nextval('fleeting_numbers');
