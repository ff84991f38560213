-- Functions in Perl, Python and Tcl in a stored column, a check and indexes.
CREATE EXTENSION plperl;
CREATE EXTENSION plpython3u;
CREATE EXTENSION pltcl;
CREATE EXTENSION hstore;
CREATE EXTENSION hstore_plperl;
CREATE EXTENSION jsonb_plpython3u;
CREATE EXTENSION ltree;
CREATE EXTENSION ltree_plpython3u;
CREATE FUNCTION up(text) RETURNS text LANGUAGE plperl IMMUTABLE AS 'return uc($_[0]);';
CREATE FUNCTION depth(j jsonb) RETURNS integer LANGUAGE plpython3u IMMUTABLE TRANSFORM FOR TYPE jsonb AS 'return len(j)';
CREATE FUNCTION low(text) RETURNS text LANGUAGE pltcl IMMUTABLE AS 'return [string tolower $1]';
CREATE TABLE t (a text, u text GENERATED ALWAYS AS (up(a)) STORED, j jsonb CHECK (depth(j) > 0));
INSERT INTO t (a, j) SELECT 'Ab' || g, '{"a":1}' FROM generate_series(1, 50) g;
CREATE INDEX ON t (low(a));
CREATE INDEX ON t (depth(j));
