-- Very large numbers and fractions.
CREATE EXTENSION pgmp;
CREATE TABLE big (n mpz PRIMARY KEY, q mpq);
INSERT INTO big SELECT (g::text || '00000000000000000000000000')::mpz, (g || '/3')::mpq FROM generate_series(1, 50) g;
CREATE INDEX ON big USING hash (q);
