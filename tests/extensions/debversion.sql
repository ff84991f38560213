-- Versions of packages.
CREATE EXTENSION debversion;
CREATE TABLE packages (name text, v debversion, PRIMARY KEY (name, v));
INSERT INTO packages SELECT 'p', ('1:' || g || '~rc1-1')::debversion FROM generate_series(1, 50) g;
CREATE INDEX ON packages USING hash (v);
