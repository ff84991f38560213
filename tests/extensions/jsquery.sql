-- Queries as a default and in a check, and both kinds of indexes.
CREATE EXTENSION jsquery;
CREATE TABLE docs (j jsonb, q jsquery DEFAULT 'a = 1', CHECK (j @@ 'a > 0'::jsquery));
INSERT INTO docs SELECT jsonb_build_object('a', g) FROM generate_series(1, 100) g;
CREATE INDEX ON docs USING gin (j jsonb_path_value_ops);
CREATE INDEX ON docs USING gin (j jsonb_value_path_ops);
