-- Sketches, and a materialized view of them.
CREATE EXTENSION tdigest;
CREATE TABLE digests (day integer PRIMARY KEY, d tdigest);
INSERT INTO digests SELECT g % 5, tdigest(g, 100) FROM generate_series(1, 1000) g GROUP BY 1;
CREATE MATERIALIZED VIEW medians AS SELECT day, tdigest_percentile(d, 0.5) AS m FROM digests GROUP BY day;
