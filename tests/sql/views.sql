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
