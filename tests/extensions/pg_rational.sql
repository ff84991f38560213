-- Fractions as a key.
CREATE EXTENSION pg_rational;
CREATE TABLE parts (r rational PRIMARY KEY);
INSERT INTO parts SELECT (g || '/7')::rational FROM generate_series(1, 50) g;
