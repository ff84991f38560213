-- New in PostgreSQL 13.
CREATE TABLE app.made (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), t text CHECK (t IS NORMALIZED), was integer GENERATED ALWAYS AS (1) STORED);
ALTER TABLE app.made ALTER was DROP EXPRESSION;
INSERT INTO app.made (id, t, was) VALUES ('00000000-0000-0000-0000-000000000001', 'x', 7);
CREATE INDEX made_words ON app.made USING gist (to_tsvector('simple', t) tsvector_ops (siglen = 100));
CREATE INDEX made_plain ON app.made (was) WITH (deduplicate_items = off);
CREATE TRIGGER partitioned BEFORE INSERT ON app.events FOR EACH ROW WHEN (new.n < 0) EXECUTE FUNCTION app.stamp();
CREATE PUBLICATION versions_root FOR TABLE app.events WITH (publish_via_partition_root);
CREATE VIEW app.with_ties AS SELECT n FROM app.events ORDER BY kind FETCH FIRST 3 ROWS WITH TIES;
ALTER STATISTICS app.of_everything SET STATISTICS 77;
