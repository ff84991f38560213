-- Prefixes of telephone numbers.
CREATE EXTENSION prefix;
CREATE TABLE tariffs (p prefix_range PRIMARY KEY, cents integer);
INSERT INTO tariffs SELECT ('49' || g)::prefix_range, g FROM generate_series(1, 200) g;
CREATE INDEX ON tariffs USING gist (p);
