-- Views and materialized views on each other, rules, and what depends on keys.
CREATE TABLE base (id integer PRIMARY KEY, name text, price numeric, category text);
INSERT INTO base SELECT g, 'n' || g, g * 1.5, 'c' || g % 5 FROM generate_series(1, 100) g;
CREATE VIEW plain AS SELECT id, upper(name) AS "Name", price FROM base WHERE price > 10;
CREATE VIEW by_key AS SELECT b.*, count(*) AS n FROM base b JOIN base c ON c.category = b.category GROUP BY b.id;
CREATE VIEW checked WITH (check_option = cascaded) AS SELECT * FROM base WHERE id < 50;
CREATE VIEW barrier WITH (security_barrier, security_invoker) AS SELECT * FROM base WHERE category <> 'c0';
ALTER VIEW plain ALTER "Name" SET DEFAULT 'unnamed';
CREATE RECURSIVE VIEW numbers (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10;
CREATE VIEW empty_view AS SELECT;

CREATE MATERIALIZED VIEW totals AS SELECT category, sum(price) AS total, count(*) AS n FROM base GROUP BY category;
CREATE UNIQUE INDEX totals_key ON totals (category);
CREATE INDEX totals_total ON totals (total DESC) WHERE n > 3;
CREATE MATERIALIZED VIEW a_on_totals AS SELECT sum(total) AS total FROM totals;
CREATE VIEW between_views AS SELECT total * 2 AS twice FROM a_on_totals;
CREATE MATERIALIZED VIEW "0 on view" AS SELECT * FROM between_views;
CREATE MATERIALIZED VIEW unpopulated AS SELECT * FROM totals WITH NO DATA;
CREATE INDEX unpopulated_n ON unpopulated (n);
CREATE MATERIALIZED VIEW by_key_matview AS SELECT b.id, b.name, count(*) AS n FROM base b GROUP BY b.id WITH DATA;
CREATE MATERIALIZED VIEW of_nothing AS SELECT * FROM base WHERE false;
ALTER MATERIALIZED VIEW totals CLUSTER ON totals_key;
ALTER MATERIALIZED VIEW totals ALTER total SET STATISTICS 42;
COMMENT ON MATERIALIZED VIEW totals IS 'sums';
CREATE STATISTICS on_matview ON category, n FROM totals;
-- Its contents are older than its base: a restored copy is refreshed, so they must not differ here.
CREATE FUNCTION reads_a_table() RETURNS bigint LANGUAGE sql STABLE SET search_path = public AS 'SELECT count(*) FROM base';
CREATE MATERIALIZED VIEW through_function AS SELECT reads_a_table() AS n;

CREATE TABLE log (id integer, what text, at date DEFAULT '2020-01-01');
CREATE RULE on_insert AS ON INSERT TO plain DO INSTEAD (INSERT INTO base (id, name, price) VALUES (NEW.id, NEW."Name", NEW.price); INSERT INTO log VALUES (NEW.id, 'insert'););
CREATE RULE also AS ON UPDATE TO base WHERE OLD.price <> NEW.price DO ALSO INSERT INTO log VALUES (OLD.id, 'price');
CREATE RULE never AS ON DELETE TO log DO INSTEAD NOTHING;
CREATE TABLE ruled (id integer);
CREATE RULE instead AS ON INSERT TO ruled DO INSTEAD INSERT INTO log (id) VALUES (NEW.id);
ALTER TABLE ruled DISABLE RULE instead;
INSERT INTO ruled VALUES (1), (2);
ALTER TABLE ruled ENABLE ALWAYS RULE instead;
INSERT INTO plain VALUES (1000, 'via rule', 99);
CREATE FUNCTION instead_of() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.base (id, name) VALUES (NEW.id, NEW.name); RETURN NEW; END';
CREATE TRIGGER on_view INSTEAD OF INSERT ON barrier FOR EACH ROW EXECUTE FUNCTION instead_of();

-- A view and a function that need each other.
CREATE VIEW ring AS SELECT 1 AS one;
CREATE FUNCTION of_ring(ring) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.one';
CREATE OR REPLACE VIEW ring AS SELECT 1 AS one, of_ring(NULL::ring) AS two WHERE false;
REFRESH MATERIALIZED VIEW totals;
REFRESH MATERIALIZED VIEW a_on_totals;
REFRESH MATERIALIZED VIEW "0 on view";
REFRESH MATERIALIZED VIEW by_key_matview;
REFRESH MATERIALIZED VIEW through_function;

-- More of the same, where names do not tell the order: chains through views and functions, keys of other tables, rules of every kind.
CREATE MATERIALIZED VIEW zz_first AS SELECT id, category FROM base;
CREATE UNIQUE INDEX zz_first_id ON zz_first (id);
CREATE VIEW mm_between AS SELECT category, count(*) AS n FROM zz_first GROUP BY category;
CREATE MATERIALIZED VIEW aa_last AS SELECT m.category, t.total FROM mm_between m JOIN totals t USING (category);
CREATE INDEX aa_last_expression ON aa_last (upper(category) COLLATE "C");
CREATE MATERIALIZED VIEW unpopulated_chain AS SELECT * FROM aa_last WITH NO DATA;
CREATE UNIQUE INDEX ON unpopulated_chain (category);
CREATE TABLE keyed (a integer, b integer, c text, PRIMARY KEY (b, a));
INSERT INTO keyed SELECT g, g % 3, 'k' || g FROM generate_series(1, 30) g;
CREATE VIEW by_two_keys AS SELECT k.*, max(b.price) FROM keyed k LEFT JOIN base b ON b.id = k.a GROUP BY k.a, k.b;
CREATE MATERIALIZED VIEW matview_by_two_keys AS SELECT k.a, k.c FROM keyed k GROUP BY k.b, k.a;
CREATE INDEX ON matview_by_two_keys (c);
CREATE VIEW on_by_two_keys AS SELECT * FROM by_two_keys WHERE a > 3;
CREATE RULE by_key_rule AS ON INSERT TO on_by_two_keys DO INSTEAD INSERT INTO keyed VALUES (NEW.a, NEW.b, NEW.c) RETURNING a, b, c, NULL::numeric;
CREATE RECURSIVE VIEW "Walk" (id, up, path) AS
    SELECT a, b, ARRAY[a] FROM keyed WHERE b = 0 UNION SELECT k.a, k.b, w.path || k.a FROM keyed k, "Walk" w WHERE k.b = w.id AND k.a <> ALL (w.path);
CREATE MATERIALIZED VIEW walked AS WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n * 2 FROM r WHERE n < 1000) SELECT r.n, w.path FROM r LEFT JOIN "Walk" w ON w.id = r.n;
CREATE RULE watched AS ON UPDATE TO keyed DO (NOTIFY keyed; UPDATE log SET what = NEW.c WHERE id = OLD.a);
CREATE RULE silent AS ON INSERT TO keyed WHERE NEW.a < 0 DO INSTEAD NOTHING;
ALTER TABLE keyed ENABLE REPLICA RULE watched;
CREATE VIEW everything AS SELECT FROM (VALUES (1, 'x')) v(a, b) WHERE EXISTS (TABLE keyed) WINDOW w AS (PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES);
CREATE VIEW of_functions AS SELECT o.ordinality, f.* FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY['a'])) WITH ORDINALITY o (n, t, ordinality), LATERAL json_to_record('{"a":1}') f (a integer);
