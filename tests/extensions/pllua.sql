-- Functions in Lua, one over a transform, in a stored column and an index.
CREATE EXTENSION pllua;
CREATE EXTENSION hstore;
CREATE EXTENSION hstore_pllua;
CREATE FUNCTION twice(text) RETURNS text LANGUAGE pllua IMMUTABLE AS 'return (...) .. (...)';
CREATE FUNCTION first_of(h hstore) RETURNS text LANGUAGE pllua IMMUTABLE TRANSFORM FOR TYPE hstore AS 'return h.a';
CREATE TABLE t (a text, b text GENERATED ALWAYS AS (twice(a)) STORED, h hstore);
INSERT INTO t (a, h) SELECT 'x' || g, 'a=>1' FROM generate_series(1, 50) g;
CREATE INDEX ON t (first_of(h));
