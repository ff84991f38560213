-- Indexes and keys that are found by name, by state or by what else names them.
-- Names that the server cut to 63 bytes, and made unique by a number.
CREATE TABLE "a table with a name that is long enough to leave no room for its" (
    "a column whose name is long as well, so that both must be cut 1" integer PRIMARY KEY,
    "a column whose name is long as well, so that both must be cut 2" integer UNIQUE,
    "a column whose name is long as well, so that both must be cut 3" integer CHECK ("a column whose name is long as well, so that both must be cut 3" > 0));
CREATE TABLE "表表表表表表表表表表表表表表表表表表表表表" ("列列列列列列列列列列列列列列列列列列列列列" integer UNIQUE, "行" serial);
CREATE INDEX ON "表表表表表表表表表表表表表表表表表表表表表" ("列列列列列列列列列列列列列列列列列列列列列", "行");
CREATE INDEX ON "表表表表表表表表表表表表表表表表表表表表表" ("行", "列列列列列列列列列列列列列列列列列列列列列");
INSERT INTO "表表表表表表表表表表表表表表表表表表表表表" VALUES (1), (2);
CREATE TABLE long_named (a integer, b integer);
CREATE INDEX an_index_whose_name_has_more_than_the_sixty_three_bytes_that_a_name_may_have ON long_named (a);
ALTER TABLE long_named ADD CONSTRAINT a_constraint_whose_name_has_more_than_the_sixty_three_bytes_that_there_are UNIQUE (b);
CREATE TABLE long_named_child (CONSTRAINT a_constraint_whose_name_has_more_than_the_sixty_three_bytes_it_may CHECK (a < 100)) INHERITS (long_named);
INSERT INTO long_named SELECT g, g FROM generate_series(1, 50) g;

-- What names an index by itself: replica identity and clustering by a key, a unique index, an index that is nobody's constraint.
CREATE TABLE identity_by_key (id integer PRIMARY KEY, other integer NOT NULL UNIQUE);
ALTER TABLE identity_by_key REPLICA IDENTITY USING INDEX identity_by_key_other_key;
ALTER TABLE identity_by_key CLUSTER ON identity_by_key_pkey;
CREATE TABLE identity_by_pkey (id integer PRIMARY KEY, t text);
ALTER TABLE identity_by_pkey REPLICA IDENTITY USING INDEX identity_by_pkey_pkey;
ALTER INDEX identity_by_pkey_pkey RENAME TO "Renamed key";
CREATE TABLE identity_by_index (id integer NOT NULL, t text NOT NULL);
CREATE UNIQUE INDEX "Only an index" ON identity_by_index (t, id DESC);
ALTER TABLE identity_by_index REPLICA IDENTITY USING INDEX "Only an index";
CREATE TABLE identity_in_parts (id integer NOT NULL, p integer NOT NULL, UNIQUE (id, p)) PARTITION BY LIST (p);
CREATE TABLE identity_in_parts_1 PARTITION OF identity_in_parts FOR VALUES IN (1);
ALTER TABLE identity_in_parts_1 REPLICA IDENTITY USING INDEX identity_in_parts_1_id_p_key;
INSERT INTO identity_by_key SELECT g, -g FROM generate_series(1, 20) g;
INSERT INTO identity_by_pkey SELECT g, 't' FROM generate_series(1, 20) g;
INSERT INTO identity_by_index SELECT g, 't' FROM generate_series(1, 20) g;
INSERT INTO identity_in_parts SELECT g, 1 FROM generate_series(1, 20) g;
-- A foreign key that rests on a unique index without a constraint, and one on a key that has another name by now.
CREATE TABLE on_index (t text, id integer, FOREIGN KEY (t, id) REFERENCES identity_by_index (t, id) ON DELETE SET NULL (id) ON UPDATE CASCADE);
INSERT INTO on_index VALUES ('t', 5), (NULL, 6);
CREATE TABLE on_key (id integer REFERENCES identity_by_pkey DEFERRABLE INITIALLY IMMEDIATE, CONSTRAINT same_name CHECK (id > 0));
INSERT INTO on_key VALUES (7);
-- Foreign keys in a ring of three, none of which can be loaded first.
CREATE TABLE ring_a (id integer PRIMARY KEY, next integer NOT NULL);
CREATE TABLE ring_b (id integer PRIMARY KEY, next integer NOT NULL REFERENCES ring_a);
CREATE TABLE ring_c (id integer PRIMARY KEY, next integer NOT NULL REFERENCES ring_b, self integer NOT NULL REFERENCES ring_c DEFERRABLE);
ALTER TABLE ring_a ADD CONSTRAINT "ring closed" FOREIGN KEY (next) REFERENCES ring_c DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO ring_a SELECT g, g FROM generate_series(1, 10) g;
INSERT INTO ring_b SELECT g, 11 - g FROM generate_series(1, 10) g;
INSERT INTO ring_c SELECT g, 11 - g, 11 - g FROM generate_series(1, 10) g;
COMMIT;

-- Every way a key or exclusion can be deferred or extended.
CREATE TABLE deferred (a integer PRIMARY KEY DEFERRABLE, b integer, c int4range, d circle,
    UNIQUE NULLS NOT DISTINCT (b, a) INCLUDE (c) DEFERRABLE INITIALLY DEFERRED,
    EXCLUDE USING gist (c WITH &&, d WITH &&) INCLUDE (a) WHERE (b > 0),
    CONSTRAINT "by hash" EXCLUDE USING hash (b WITH =) DEFERRABLE,
    EXCLUDE ((a % 1000) WITH =, b WITH =));
INSERT INTO deferred SELECT g, nullif(g, 2), int4range(g, g + 1), '<(0,0),1>' FROM generate_series(1, 30) g;
CREATE UNIQUE INDEX nulls_alike ON deferred (b) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX promoted ON deferred (a, c);
ALTER TABLE deferred ADD CONSTRAINT promoted_by_then UNIQUE USING INDEX promoted;
CREATE INDEX "WITH (x)" ON deferred (abs(a - 5), (b IS NULL), c DESC NULLS FIRST) INCLUDE (d) WHERE a <> 3;
CREATE INDEX two_on_one ON deferred (b);
CREATE INDEX two_on_one_again ON deferred (b);
CREATE INDEX brin_bloom ON deferred USING brin (b int4_bloom_ops (n_distinct_per_range = 50), a int4_minmax_ops) WITH (autosummarize = on);
CREATE INDEX spgist_range ON deferred USING spgist (c);
CREATE INDEX no_dedup ON deferred (b) WITH (deduplicate_items = off, fillfactor = 40);

-- An index that a failed `CREATE INDEX CONCURRENTLY` left, as pg_dump leaves it: out. Its table and its other indexes stay.
CREATE TABLE half_indexed (id integer PRIMARY KEY, twice integer);
INSERT INTO half_indexed SELECT g, g / 2 FROM generate_series(1, 40) g;
CREATE INDEX half_indexed_valid ON half_indexed (twice);
\set ON_ERROR_STOP off
CREATE UNIQUE INDEX CONCURRENTLY half_indexed_invalid ON half_indexed (twice);
\set ON_ERROR_STOP on
DO $$ BEGIN ASSERT (SELECT NOT indisvalid FROM pg_index WHERE indexrelid = 'half_indexed_invalid'::regclass); END $$;
-- On a partitioned table: invalid until each partition has one. That one is dumped, and stays invalid.
CREATE TABLE half_attached (a integer) PARTITION BY LIST (a);
CREATE TABLE half_attached_1 PARTITION OF half_attached FOR VALUES IN (1);
CREATE TABLE half_attached_2 PARTITION OF half_attached FOR VALUES IN (2);
CREATE INDEX half_attached_a ON ONLY half_attached (a);
CREATE INDEX half_attached_1_mine ON half_attached_1 (a);
ALTER INDEX half_attached_a ATTACH PARTITION half_attached_1_mine;
INSERT INTO half_attached VALUES (1), (2);

-- Statistics of every kind, on expressions only, in another schema, with a target; of an index's expression.
CREATE SCHEMA stats;
CREATE STATISTICS stats."All kinds" ON a, b, (a + b), (a * 2) FROM deferred;
CREATE STATISTICS stats.only_mcv (mcv) ON b, a FROM deferred;
CREATE STATISTICS "on one expression" ON (b % 7) FROM deferred;
ALTER STATISTICS stats.only_mcv SET STATISTICS 0;
ALTER INDEX "WITH (x)" ALTER COLUMN 1 SET STATISTICS 500;
COMMENT ON STATISTICS stats."All kinds" IS 'all';
COMMENT ON INDEX "Only an index" IS 'by index';
COMMENT ON CONSTRAINT "by hash" ON deferred IS 'by hash';
COMMENT ON CONSTRAINT promoted_by_then ON deferred IS 'promoted';
