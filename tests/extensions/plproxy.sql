-- A function that another server is to answer.
CREATE EXTENSION plproxy;
CREATE FUNCTION far(i integer) RETURNS integer LANGUAGE plproxy AS 'CONNECT ''dbname=nowhere''; SELECT 1;';
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t SELECT generate_series(1, 10);
