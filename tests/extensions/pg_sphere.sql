-- Points and circles on the sky, indexed.
CREATE EXTENSION pg_sphere;
CREATE TABLE sky (id integer PRIMARY KEY, p spoint, c scircle);
INSERT INTO sky SELECT g, spoint(g * 0.01, 0.5), scircle(spoint(g * 0.01, 0.5), 0.1) FROM generate_series(1, 200) g;
CREATE INDEX ON sky USING gist (p);
CREATE INDEX ON sky USING gist (c);
