-- Functions, triggers, policies, operators, collations, foreign data, publications, privileges, comments.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acceptance owner') THEN CREATE ROLE "acceptance owner"; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acceptance_reader') THEN CREATE ROLE acceptance_reader LOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acceptance_%s"role') THEN CREATE ROLE "acceptance_%s""role" IN ROLE acceptance_reader; END IF;
END $$;
CREATE SCHEMA code AUTHORIZATION "acceptance owner";
CREATE SCHEMA "other schema";
CREATE TABLE code.accounts (id integer PRIMARY KEY, owner text, secret text, touched integer DEFAULT 0);
INSERT INTO code.accounts SELECT g, 'o' || g % 3, md5(g::text) FROM generate_series(1, 30) g;

CREATE FUNCTION code.body_sql(a integer, b integer DEFAULT 2, VARIADIC rest integer[] DEFAULT '{}') RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE LEAKPROOF COST 7 RETURN a + b + cardinality(rest);
CREATE FUNCTION code.atomic_body() RETURNS SETOF code.accounts LANGUAGE sql STABLE ROWS 5 BEGIN ATOMIC SELECT * FROM code.accounts; END;
CREATE FUNCTION code.quoting(text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = code, pg_temp SET work_mem = '8MB' AS $fn$
BEGIN
    RETURN $$a 'quoted' \ $body$ "b" %s$$ || coalesce($1, E'\n\t');
END $fn$;
CREATE FUNCTION code.table_result(OUT x integer, OUT y text, INOUT z anyelement) RETURNS SETOF record LANGUAGE plpgsql AS 'BEGIN END';
CREATE PROCEDURE code.proc(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN n := n + 1; COMMIT; END';
CREATE AGGREGATE code.longest(text) (sfunc = textcat, stype = text, initcond = '''', parallel = safe);

-- Triggers in every state, of constraint, with transition tables; they must not fire while rows are loaded.
CREATE FUNCTION code.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := NEW.touched + 1000; RETURN NEW; END $$;
CREATE FUNCTION code.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger fired during a restore'; END $$;
CREATE FUNCTION code.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER plain BEFORE INSERT OR UPDATE OF secret ON code.accounts FOR EACH ROW WHEN (NEW.owner IS NOT NULL) EXECUTE FUNCTION code.touch();
CREATE TRIGGER always BEFORE INSERT ON code.accounts FOR EACH ROW EXECUTE FUNCTION code.refuse();
ALTER TABLE code.accounts ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER replica BEFORE INSERT ON code.accounts FOR EACH ROW EXECUTE FUNCTION code.refuse('with', 'arguments '' \ %');
ALTER TABLE code.accounts ENABLE REPLICA TRIGGER replica;
CREATE TRIGGER disabled BEFORE TRUNCATE ON code.accounts EXECUTE FUNCTION code.refuse();
ALTER TABLE code.accounts DISABLE TRIGGER disabled;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON code.accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION code.nothing();
CREATE TRIGGER transition AFTER UPDATE ON code.accounts REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION code.nothing();

-- Row security that binds even the owner.
ALTER TABLE code.accounts OWNER TO "acceptance owner";
ALTER TABLE code.accounts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON code.accounts FOR SELECT TO acceptance_reader USING (owner = current_user);
CREATE POLICY strict ON code.accounts AS RESTRICTIVE FOR ALL TO PUBLIC USING (id > 0) WITH CHECK (id < 1000);
CREATE TABLE code.enabled_only (id integer);
ALTER TABLE code.enabled_only ENABLE ROW LEVEL SECURITY;
INSERT INTO code.enabled_only VALUES (1);

-- Casts, operators, classes, families, conversions, text search, collations, a type of its own, a transform-free language use.
CREATE TYPE code.cents AS (n bigint);
CREATE FUNCTION code.to_cents(bigint) RETURNS code.cents LANGUAGE sql IMMUTABLE AS 'SELECT ROW($1)::code.cents';
CREATE CAST (bigint AS code.cents) WITH FUNCTION code.to_cents(bigint) AS ASSIGNMENT;
CREATE CAST (code.cents AS text) WITH INOUT;
CREATE FUNCTION code.cents_lt(code.cents, code.cents) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n < ($2).n';
CREATE FUNCTION code.cents_gt(code.cents, code.cents) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n > ($2).n';
CREATE FUNCTION code.cents_eq(code.cents, code.cents) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n = ($2).n';
CREATE FUNCTION code.cents_cmp(code.cents, code.cents) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.btint8cmp(($1).n, ($2).n)';
CREATE OPERATOR code.<<< (leftarg = code.cents, rightarg = code.cents, function = code.cents_lt, commutator = OPERATOR(code.>>>), restrict = scalarltsel, join = scalarltjoinsel);
CREATE OPERATOR code.>>> (leftarg = code.cents, rightarg = code.cents, function = code.cents_gt, commutator = OPERATOR(code.<<<));
CREATE OPERATOR code.=== (leftarg = code.cents, rightarg = code.cents, function = code.cents_eq, merges, commutator = OPERATOR(code.===));
CREATE OPERATOR FAMILY code.cents_family USING btree;
CREATE OPERATOR CLASS code.cents_ops FOR TYPE code.cents USING btree FAMILY code.cents_family AS
    OPERATOR 1 code.<<<, OPERATOR 3 code.===, OPERATOR 5 code.>>>, FUNCTION 1 code.cents_cmp(code.cents, code.cents);
CREATE TABLE code.prices (c code.cents);
INSERT INTO code.prices SELECT ROW(g)::code.cents FROM generate_series(1, 20) g;
CREATE INDEX prices_c ON code.prices (c code.cents_ops);
CREATE DEFAULT CONVERSION "other schema".conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY code.dict (template = simple, stopwords = english);
CREATE TEXT SEARCH CONFIGURATION code.words (copy = english);
ALTER TEXT SEARCH CONFIGURATION code.words ALTER MAPPING FOR word, asciiword WITH code.dict, english_stem;
CREATE COLLATION code.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION code."C copy" FROM "C";
CREATE TABLE code.collated (a text COLLATE code.blind PRIMARY KEY, b text COLLATE code."C copy");
INSERT INTO code.collated VALUES ('Abc', 'x'), ('abd', 'y');

-- Foreign data: never connected to, only described.
CREATE EXTENSION postgres_fdw WITH SCHEMA "other schema";
CREATE FOREIGN DATA WRAPPER handmade OPTIONS (debug 'true');
CREATE SERVER far TYPE 'pg' VERSION '15' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far.example', dbname 'it''s "far" \', fetch_size '7');
CREATE USER MAPPING FOR acceptance_reader SERVER far OPTIONS (user 'u', password 'p=\ '' "');
CREATE USER MAPPING FOR PUBLIC SERVER far;
CREATE FOREIGN TABLE code.far_table (id integer OPTIONS (column_name 'ID'), t text NOT NULL) SERVER far OPTIONS (table_name 'x');
CREATE FOREIGN TABLE code.far_child () INHERITS (code.enabled_only) SERVER far;

-- Publications and a subscription that never connects.
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, update', publish_via_partition_root = true);
CREATE PUBLICATION part FOR TABLE code.prices, TABLE code.accounts (id, owner) WHERE (id > 5);
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA "other schema";
CREATE SUBSCRIPTION never CONNECTION 'host=far.example dbname=x' PUBLICATION y WITH (connect = false, slot_name = NONE);

-- Privileges, column privileges, grant options, revoked defaults, default privileges.
GRANT USAGE ON SCHEMA code TO acceptance_reader, "acceptance_%s""role" WITH GRANT OPTION;
GRANT SELECT (id, owner), UPDATE (secret) ON code.accounts TO acceptance_reader;
GRANT ALL ON code.prices TO PUBLIC;
REVOKE ALL ON FUNCTION code.quoting(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION code.quoting(text) TO "acceptance_%s""role";
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON FOREIGN SERVER far TO acceptance_reader;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON TYPE code.cents TO acceptance_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA code GRANT SELECT ON TABLES TO acceptance_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE "acceptance owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER FUNCTION code.quoting(text) OWNER TO "acceptance owner";
ALTER TYPE code.cents OWNER TO "acceptance owner";

-- Comments on everything, with characters that end strings.
COMMENT ON SCHEMA code IS E'it''s \\ a "schema"\nwith lines';
COMMENT ON TABLE code.accounts IS '--; DROP TABLE x';
COMMENT ON COLUMN code.accounts.secret IS '$$ $body$';
COMMENT ON CONSTRAINT accounts_pkey ON code.accounts IS 'key';
COMMENT ON INDEX code.prices_c IS 'index';
COMMENT ON FUNCTION code.quoting(text) IS 'é';
COMMENT ON TRIGGER always ON code.accounts IS 'trigger';
COMMENT ON POLICY own ON code.accounts IS 'policy';
COMMENT ON AGGREGATE code.longest(text) IS 'aggregate';
COMMENT ON CAST (bigint AS code.cents) IS 'cast';
COMMENT ON OPERATOR code.<<< (code.cents, code.cents) IS 'operator';
COMMENT ON OPERATOR CLASS code.cents_ops USING btree IS 'class';
COMMENT ON OPERATOR FAMILY code.cents_family USING btree IS 'family';
COMMENT ON COLLATION code.blind IS 'collation';
COMMENT ON TEXT SEARCH CONFIGURATION code.words IS 'words';
COMMENT ON SERVER far IS 'server';
COMMENT ON FOREIGN TABLE code.far_table IS 'far';
COMMENT ON PUBLICATION part IS 'publication';
COMMENT ON EXTENSION postgres_fdw IS 'changed';
COMMENT ON TYPE code.cents IS 'type';
COMMENT ON PROCEDURE code.proc(integer) IS 'procedure';
COMMENT ON CONVERSION "other schema".conv IS 'conversion';

-- Last: event triggers that would break or fire on whatever a restore does after them.
CREATE TABLE code.ddl_log (tag text);
CREATE FUNCTION code.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO code.ddl_log VALUES (tg_tag); END $$;
CREATE FUNCTION code.no_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'nothing is dropped here'; END $$;
CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION code.on_ddl();
CREATE EVENT TRIGGER stop_drop ON sql_drop WHEN TAG IN ('DROP TABLE', 'ALTER TABLE') EXECUTE FUNCTION code.no_drop();
CREATE EVENT TRIGGER asleep ON ddl_command_start EXECUTE FUNCTION code.no_drop();
ALTER EVENT TRIGGER asleep DISABLE;
COMMENT ON EVENT TRIGGER log_ddl IS 'event trigger';
