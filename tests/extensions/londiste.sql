-- A replication node over a queue, with a table that it replicates.
CREATE EXTENSION pgq;
CREATE EXTENSION pgq_node;
CREATE EXTENSION londiste;
SELECT pgq_node.register_location('q', 'root', 'dbname=here', false);
SELECT pgq_node.create_node('q', 'root', 'root', 'worker', NULL, NULL, NULL);
CREATE TABLE t (id integer PRIMARY KEY);
INSERT INTO t SELECT generate_series(1, 10);
SELECT londiste.local_add_table('q', 'public.t');
