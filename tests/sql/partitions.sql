-- Partition trees and inheritance where columns, order and defaults differ between parents and children.
CREATE TYPE size AS ENUM ('s', 'm', 'l');
CREATE TABLE tree (id integer, at date, size size, note text DEFAULT 'root', v integer) PARTITION BY RANGE (at);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (MINVALUE) TO ('2020-01-01') PARTITION BY LIST (size);
CREATE TABLE tree_1_s (v integer, dropped1 text, note text DEFAULT 'in s', size size, dropped2 text, at date, id integer);
ALTER TABLE tree_1_s DROP dropped1, DROP dropped2;
ALTER TABLE tree_1 ATTACH PARTITION tree_1_s FOR VALUES IN ('s');
CREATE TABLE tree_1_rest PARTITION OF tree_1 DEFAULT PARTITION BY HASH (id, note);
CREATE TABLE tree_1_rest_0 PARTITION OF tree_1_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE tree_1_rest_1 (note text, id integer, v integer, size size, at date);
ALTER TABLE tree_1_rest ATTACH PARTITION tree_1_rest_1 FOR VALUES WITH (MODULUS 4, REMAINDER 1) ;
CREATE TABLE tree_1_rest_3 PARTITION OF tree_1_rest FOR VALUES WITH (MODULUS 4, REMAINDER 3);
CREATE TABLE tree_default PARTITION OF tree DEFAULT;
INSERT INTO tree SELECT g, '2019-06-01'::date + g, (ARRAY['s', 'm', 'l', NULL])[1 + g % 4]::size, nullif(g % 6, 0)::text, g FROM generate_series(1, 600) g;
CREATE INDEX ON tree (id, at);
CREATE INDEX ON tree_1 USING brin (v);
ALTER TABLE tree ADD CONSTRAINT v_positive CHECK (v > 0);
ALTER TABLE tree_1_s ADD CONSTRAINT only_s CHECK (id < 100000);
-- Detached, with its rows; detached and attached again under another bound; a root that has lost all.
CREATE TABLE detached PARTITION OF tree FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
INSERT INTO tree VALUES (1, '2030-05-05', 'l', 'detached', 5);
ALTER TABLE tree DETACH PARTITION detached;
CREATE TABLE again PARTITION OF tree FOR VALUES FROM ('2032-01-01') TO ('2033-01-01');
INSERT INTO tree VALUES (1, '2032-05-05', 'l', 'again', 5);
ALTER TABLE tree DETACH PARTITION again;
ALTER TABLE tree ATTACH PARTITION again FOR VALUES FROM ('2032-01-01') TO ('2034-01-01');
CREATE TABLE lost_all (a integer PRIMARY KEY) PARTITION BY HASH (a);
CREATE TABLE was_of_lost_all PARTITION OF lost_all FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO lost_all SELECT generate_series(1, 9);
ALTER TABLE lost_all DETACH PARTITION was_of_lost_all;
-- Keys that are expressions, of several columns, with classes and collations; hash over a type of the user's.
CREATE TABLE by_expression (t text, n numeric) PARTITION BY RANGE (lower(t) COLLATE "C" text_pattern_ops, (n % 3));
CREATE TABLE by_expression_1 PARTITION OF by_expression FOR VALUES FROM ('a', MINVALUE) TO ('m', MAXVALUE);
CREATE TABLE by_expression_2 PARTITION OF by_expression DEFAULT;
INSERT INTO by_expression VALUES ('Abc', 1), ('Zed', 2), (NULL, NULL), ('it''s', 'NaN');
-- Hashes of an enum's values depend on their oids, which are others in a copy: rows move between the partitions.
CREATE TABLE by_enum_hash (s size, n integer) PARTITION BY HASH (s);
CREATE TABLE by_enum_hash_0 PARTITION OF by_enum_hash FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE by_enum_hash_1 PARTITION OF by_enum_hash FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE by_enum_hash_2 (n integer, gone text, s size);
ALTER TABLE by_enum_hash_2 DROP gone;
ALTER TABLE by_enum_hash ATTACH PARTITION by_enum_hash_2 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO by_enum_hash SELECT (ARRAY['s', 'm', 'l', NULL])[1 + g % 4]::size, g FROM generate_series(1, 200) g;
CREATE TABLE "Deep enum" (n integer, s size, g integer GENERATED ALWAYS AS (n + 1) STORED) PARTITION BY RANGE (n);
CREATE TABLE "Deep enum 1" PARTITION OF "Deep enum" FOR VALUES FROM (0) TO (100) PARTITION BY HASH (n, s);
CREATE TABLE "Deep enum 1.0" PARTITION OF "Deep enum 1" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Deep enum 1.1" PARTITION OF "Deep enum 1" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE "Deep enum 2" PARTITION OF "Deep enum" FOR VALUES FROM (100) TO (1000);
INSERT INTO "Deep enum" SELECT g, (ARRAY['s', 'm', 'l'])[1 + g % 3]::size FROM generate_series(1, 199) g;
CREATE TABLE by_enum_list (s size) PARTITION BY LIST (s);
CREATE TABLE by_enum_list_s PARTITION OF by_enum_list FOR VALUES IN ('s', NULL);
CREATE TABLE by_enum_list_l PARTITION OF by_enum_list FOR VALUES IN ('m', 'l');
INSERT INTO by_enum_list VALUES ('s'), ('m'), ('l'), (NULL);
-- Foreign keys from and to partitioned tables, one of them to itself; triggers and row security on the root.
CREATE TABLE parent_key (id integer, part integer, up_id integer, up_part integer, PRIMARY KEY (part, id)) PARTITION BY LIST (part);
CREATE TABLE parent_key_1 PARTITION OF parent_key FOR VALUES IN (1);
CREATE TABLE parent_key_2 (up_part integer, id integer NOT NULL, up_id integer, part integer NOT NULL);
ALTER TABLE parent_key ATTACH PARTITION parent_key_2 FOR VALUES IN (2);
ALTER TABLE parent_key ADD FOREIGN KEY (up_part, up_id) REFERENCES parent_key DEFERRABLE INITIALLY DEFERRED;
INSERT INTO parent_key SELECT g, 1 + g % 2, g - 1, 1 + (g + 1) % 2 FROM generate_series(1, 20) g WHERE g > 1 UNION ALL SELECT 1, 2, NULL, NULL;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := NEW.id + 1000; RETURN NEW; END';
CREATE TRIGGER touched BEFORE INSERT ON parent_key FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE parent_key_1 DISABLE TRIGGER touched;
ALTER TABLE parent_key_2 ENABLE ALWAYS TRIGGER touched;
ALTER TABLE parent_key_2 ENABLE ROW LEVEL SECURITY;
-- A partition that is unlogged, one with storage options of its own, one that is foreign.
CREATE UNLOGGED TABLE unlogged_part (id integer, at date, size size, note text, v integer CONSTRAINT v_positive CHECK (v > 0));
ALTER TABLE tree ATTACH PARTITION unlogged_part FOR VALUES FROM ('2040-01-01') TO ('2041-01-01');
INSERT INTO tree VALUES (40, '2040-02-02', 'm', 'unlogged', 40);
CREATE TABLE optioned PARTITION OF tree FOR VALUES FROM ('2042-01-01') TO ('2043-01-01') WITH (fillfactor = 50);
ALTER TABLE optioned ALTER note SET STORAGE EXTERNAL, ALTER note SET DEFAULT 'optioned';
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
-- Without an index on the root: pg_dump cannot bring one back as valid where a partition is foreign.
CREATE TABLE partly_foreign (a integer, b text) PARTITION BY LIST (a);
CREATE TABLE partly_foreign_1 PARTITION OF partly_foreign FOR VALUES IN (1);
INSERT INTO partly_foreign VALUES (1, 'here');
CREATE FOREIGN TABLE foreign_part PARTITION OF partly_foreign FOR VALUES IN (2) SERVER files OPTIONS (filename '/nowhere');

-- Inheritance: columns merged from several parents, in another order, made local later, dropped above and kept below.
CREATE TABLE left_parent (id integer DEFAULT 1, shared text DEFAULT 'left', only_left date);
CREATE TABLE right_parent (shared text DEFAULT 'right', only_right numeric, id integer);
CREATE TABLE "both" (own text, id integer DEFAULT 3, shared text DEFAULT 'both') INHERITS (left_parent, right_parent);
CREATE TABLE reordered (only_right numeric, z text, only_left date, shared text, id integer);
ALTER TABLE reordered INHERIT right_parent;
ALTER TABLE reordered INHERIT left_parent;
CREATE TABLE below_both (deep text) INHERITS ("both");
CREATE TABLE diamond () INHERITS ("both", reordered);
INSERT INTO left_parent VALUES (1, 'l', '2020-01-01');
INSERT INTO "both" (id, own, only_right) VALUES (2, 'o', 2.5), (3, NULL, 'NaN');
INSERT INTO reordered (z, id) VALUES ('z', 4);
INSERT INTO below_both (deep, only_left) VALUES ('d', 'infinity');
INSERT INTO diamond (z, own, shared) VALUES ('zz', 'oo', E'\\.');
ALTER TABLE left_parent ADD COLUMN later text DEFAULT 'added later', ADD CONSTRAINT small CHECK (id < 1000);
ALTER TABLE ONLY left_parent DROP COLUMN only_left;
ALTER TABLE "both" ALTER later SET DEFAULT 'overridden', ALTER shared SET NOT NULL;
CREATE TABLE left_alone (a integer, b text) INHERITS (right_parent);
INSERT INTO left_alone VALUES ('s', 1.5, 7, 8, 'b');
ALTER TABLE left_alone NO INHERIT right_parent;
