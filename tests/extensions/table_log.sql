-- A table whose changes a trigger logs.
CREATE EXTENSION table_log;
CREATE TABLE prices (id integer PRIMARY KEY, cents integer);
SELECT table_log_init(5, 'prices');
INSERT INTO prices SELECT g, g FROM generate_series(1, 50) g;
UPDATE prices SET cents = 0 WHERE id < 10;
