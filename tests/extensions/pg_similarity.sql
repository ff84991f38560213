-- A stored column and an index over distances of words.
CREATE EXTENSION pg_similarity;
CREATE TABLE words (w text PRIMARY KEY, d float8 GENERATED ALWAYS AS (lev(w, 'word')) STORED);
INSERT INTO words SELECT 'word' || g FROM generate_series(1, 50) g;
CREATE INDEX ON words USING gin (w gin_similarity_ops);
