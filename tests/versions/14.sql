-- New in PostgreSQL 14.
CREATE TABLE app.many (id integer PRIMARY KEY, reach int4multirange, spans datemultirange, body text COMPRESSION pglz);
INSERT INTO app.many SELECT g, int4multirange(int4range(g, g + 1), int4range(g + 5, g + 9)), '{[2020-01-01,2020-02-01)}', repeat('compressible ', 500)
    FROM generate_series(1, 50) g;
CREATE INDEX many_reach ON app.many USING gist (reach);
CREATE INDEX many_brin ON app.many USING brin (id int4_minmax_multi_ops);
CREATE STATISTICS app.of_expressions ON (id * 2), lower(body) FROM app.many;
CREATE FUNCTION app.body(a integer, b integer DEFAULT 2) RETURNS integer LANGUAGE sql IMMUTABLE RETURN a + b;
CREATE FUNCTION app.atomic(wanted integer) RETURNS SETOF app.many BEGIN ATOMIC
    SELECT * FROM app.many WHERE id = wanted;
END;
CREATE PROCEDURE app.gives(INOUT a integer, OUT b text) LANGUAGE plpgsql AS $$ BEGIN b := a::text; END $$;
CREATE VIEW app.searched AS WITH RECURSIVE t(id, boss) AS (
    SELECT id, boss FROM app.parent WHERE boss IS NULL UNION ALL SELECT p.id, p.boss FROM app.parent p JOIN t ON p.boss = t.id
) SEARCH DEPTH FIRST BY id SET path CYCLE id SET is_cycle USING trail SELECT id, is_cycle FROM t;
CREATE VIEW app.binned AS SELECT date_bin('15 minutes', moment, '2001-01-01'), (doc['k'])::text FROM app.everything;
