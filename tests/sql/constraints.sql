-- Constraints and indexes of every kind.
CREATE EXTENSION btree_gist;
CREATE TABLE a (id integer PRIMARY KEY, b_id integer);
CREATE TABLE b (id integer PRIMARY KEY, a_id integer REFERENCES a DEFERRABLE INITIALLY DEFERRED, next integer REFERENCES b);
ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b_id) REFERENCES b ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO a SELECT g, 101 - g FROM generate_series(1, 100) g;
INSERT INTO b SELECT g, 101 - g, nullif(g - 1, 0) FROM generate_series(1, 100) g;
COMMIT;
CREATE TABLE tree (id integer PRIMARY KEY, parent integer REFERENCES tree ON DELETE CASCADE, UNIQUE (parent, id) INCLUDE (id));
INSERT INTO tree SELECT g, nullif(g / 2, 0) FROM generate_series(1, 50) g;
CREATE TABLE pair (x integer, y text COLLATE "C", PRIMARY KEY (x, y), CONSTRAINT both_or_none CHECK (x > 0 OR y <> ''));
CREATE TABLE refers (x integer, y text COLLATE "C", FOREIGN KEY (x, y) REFERENCES pair MATCH FULL ON DELETE SET DEFAULT);
INSERT INTO pair VALUES (1, 'one'), (2, 'two');
INSERT INTO refers VALUES (1, 'one'), (NULL, NULL);
CREATE TABLE not_valid (v integer, CONSTRAINT later CHECK (v > 10) NOT VALID, a_id integer);
INSERT INTO not_valid VALUES (11, 1);
ALTER TABLE not_valid ADD CONSTRAINT unchecked FOREIGN KEY (a_id) REFERENCES a NOT VALID;
CREATE TABLE old_rows (v integer);
INSERT INTO old_rows VALUES (1), (2);
ALTER TABLE old_rows ADD CONSTRAINT big CHECK (v > 10) NOT VALID;

CREATE TABLE rooms (room integer, during tstzrange, who text,
    EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (who <> 'ghost') DEFERRABLE INITIALLY DEFERRED);
INSERT INTO rooms VALUES (1, '[2020-01-01 10:00+00,2020-01-01 11:00+00)', 'x'), (1, '[2020-01-01 11:00+00,)', 'y');
CREATE TABLE uniques (a integer UNIQUE NULLS NOT DISTINCT, b integer UNIQUE DEFERRABLE INITIALLY DEFERRED, c text, d jsonb, e tsvector, f text[], g inet, h point,
    CONSTRAINT "Weird name: 63 bytes long, which is as long as a name can be ;)" UNIQUE (c) INCLUDE (a, b));
INSERT INTO uniques SELECT nullif(g, 1), g, 'c' || g, jsonb_build_object('k', g), to_tsvector('simple', 'w' || g), ARRAY['x' || g], '10.0.0.1', point(g, g)
    FROM generate_series(1, 200) g;
CREATE INDEX expression ON uniques (lower(c), (a + b) DESC NULLS LAST);
CREATE INDEX partial ON uniques (b) WHERE a IS NOT NULL AND c LIKE 'c1%';
CREATE INDEX gin_json ON uniques USING gin (d jsonb_path_ops);
CREATE INDEX gin_words ON uniques USING gin (e, f) WITH (fastupdate = off);
CREATE INDEX gist_point ON uniques USING gist (h) WITH (buffering = on);
CREATE INDEX spgist_text ON uniques USING spgist (c);
CREATE INDEX brin_b ON uniques USING brin (b int4_minmax_multi_ops) WITH (pages_per_range = 4);
CREATE INDEX hashed ON uniques USING hash (c);
CREATE INDEX pattern ON uniques (c COLLATE "C" text_pattern_ops) INCLUDE (d);
ALTER INDEX expression ALTER COLUMN 2 SET STATISTICS 300;
CREATE UNIQUE INDEX for_replica ON uniques (b, c) WITH (fillfactor = 60);
ALTER TABLE uniques ALTER b SET NOT NULL, ALTER c SET NOT NULL;
ALTER TABLE uniques REPLICA IDENTITY USING INDEX for_replica;
ALTER TABLE uniques CLUSTER ON expression;
ALTER TABLE tree REPLICA IDENTITY FULL;
ALTER TABLE pair REPLICA IDENTITY NOTHING;
ALTER TABLE a CLUSTER ON a_pkey;
CREATE STATISTICS stat_all (ndistinct, dependencies, mcv) ON a, b FROM uniques;
CREATE STATISTICS stat_expression ON (a + b), lower(c) FROM uniques;
ALTER STATISTICS stat_all SET STATISTICS 77;

-- Partitioned keys, foreign keys to and from them, indexes attached by hand.
CREATE TABLE orders (id integer, day date, total numeric, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM ('2020-01-01') TO ('2020-07-01');
CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
CREATE TABLE items (order_id integer, day date, n integer, FOREIGN KEY (order_id, day) REFERENCES orders);
CREATE INDEX orders_total ON ONLY orders (total);
CREATE INDEX orders_1_mine ON orders_1 (total);
ALTER INDEX orders_total ATTACH PARTITION orders_1_mine;
INSERT INTO orders SELECT g, '2020-01-01'::date + g, g FROM generate_series(1, 300) g;
INSERT INTO items SELECT g, '2020-01-01'::date + g, 1 FROM generate_series(1, 300) g;
CREATE TABLE pays (id integer PRIMARY KEY, a_id integer REFERENCES a) PARTITION BY HASH (id);
CREATE TABLE pays_0 PARTITION OF pays FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE pays_1 PARTITION OF pays FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO pays SELECT g, g FROM generate_series(1, 100) g;

-- Checks that call functions of the application.
CREATE FUNCTION is_even(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 % 2 = 0; END';
CREATE TABLE checked (v integer CHECK (is_even(v)), w integer DEFAULT 2 CONSTRAINT named CHECK (w > 0) NO INHERIT);
CREATE INDEX on_function ON checked (is_even(v)) WHERE is_even(w);
INSERT INTO checked SELECT g * 2 FROM generate_series(1, 10) g;
