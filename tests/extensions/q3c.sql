-- An index and a materialized view over functions that are inlined and name others without a schema.
CREATE EXTENSION q3c;
CREATE TABLE stars (id integer PRIMARY KEY, ra double precision, dec double precision);
INSERT INTO stars SELECT g, g % 360, g % 90 FROM generate_series(1, 300) g;
CREATE INDEX ON stars (q3c_ang2ipix(ra, dec));
CREATE MATERIALIZED VIEW near AS SELECT id FROM stars WHERE q3c_radial_query(ra, dec, 10, 10, 3);
