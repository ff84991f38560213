-- Indexes of an access method from outside.
CREATE EXTENSION rum;
CREATE TABLE pages (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('english', t)) STORED, at timestamp);
INSERT INTO pages (t, at) SELECT 'page number ' || g, '2026-01-01'::timestamp + g * interval '1 hour' FROM generate_series(1, 200) g;
CREATE INDEX ON pages USING rum (v rum_tsvector_ops);
CREATE INDEX ON pages USING rum (v rum_tsvector_addon_ops, at) WITH (attach = 'at', to = 'v');
