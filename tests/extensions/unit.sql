-- Units, one of them the user's own, in a stored column and a check.
CREATE EXTENSION unit;
CREATE TABLE measures (id integer PRIMARY KEY, len unit, area unit GENERATED ALWAYS AS (len * len) STORED, CHECK (len >= '0 m'::unit));
INSERT INTO measures (id, len) SELECT g, (g || ' km')::unit FROM generate_series(1, 50) g;
INSERT INTO unit_units (name, unit, shift) VALUES ('lgfoot', '0.3 m', NULL);
CREATE INDEX ON measures (len);
CREATE MATERIALIZED VIEW feet AS SELECT id, len @ 'lgfoot' AS f FROM measures;
