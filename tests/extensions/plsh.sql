-- An index over a function of the shell.
CREATE EXTENSION plsh;
CREATE FUNCTION twice(text) RETURNS text LANGUAGE plsh IMMUTABLE AS '
#!/bin/sh
echo "$1$1"';
CREATE TABLE t (a text);
INSERT INTO t VALUES ('x'), ('y');
CREATE INDEX ON t (twice(a));
