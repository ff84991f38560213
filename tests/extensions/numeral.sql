-- Numbers in words.
CREATE EXTENSION numeral;
CREATE TABLE numbers (n numeral PRIMARY KEY, z zahl, r roman);
INSERT INTO numbers SELECT g::numeral, g::zahl, g::roman FROM (SELECT generate_series(1, 30)::bigint AS g) g;
