-- What users do to the members of extensions, and what depends on an extension without being a member.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acceptance owner') THEN CREATE ROLE "acceptance owner"; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acceptance_reader') THEN CREATE ROLE acceptance_reader LOGIN; END IF;
END $$;
CREATE SCHEMA "Ext""ensions";
CREATE SCHEMA gone;
CREATE EXTENSION hstore WITH SCHEMA "Ext""ensions";
CREATE EXTENSION citext WITH SCHEMA "Ext""ensions";
CREATE EXTENSION pg_trgm WITH SCHEMA gone;
ALTER EXTENSION pg_trgm SET SCHEMA "Ext""ensions";
DROP SCHEMA gone;
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION dblink;
CREATE EXTENSION intarray;
CREATE EXTENSION seg;
CREATE EXTENSION xml2;
CREATE EXTENSION fuzzystrmatch;
CREATE EXTENSION adminpack;
CREATE EXTENSION tsm_system_rows;
CREATE EXTENSION dict_int;
CREATE EXTENSION tcn;
CREATE EXTENSION pgcrypto;
-- Members that belong to somebody else by now, and whose privileges differ from those they came with.
ALTER FUNCTION "Ext""ensions".similarity(text, text) OWNER TO "acceptance owner";
ALTER TYPE "Ext""ensions".hstore OWNER TO "acceptance owner";
REVOKE EXECUTE ON FUNCTION digest(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION digest(text, text) TO acceptance_reader WITH GRANT OPTION;
REVOKE ALL ON pg_stat_statements FROM PUBLIC;
GRANT SELECT ON pg_stat_statements TO acceptance_reader;
GRANT EXECUTE ON FUNCTION dblink_connect_u(text) TO acceptance_reader;
COMMENT ON EXTENSION seg IS 'a comment of the user''s';
-- Objects of the user's that use members in every place: types, defaults, keys, classes, casts, domains, collated columns.
CREATE DOMAIN email AS "Ext""ensions".citext CHECK (VALUE OPERATOR("Ext""ensions".~) '@');
CREATE TABLE uses (id integer PRIMARY KEY, mail email UNIQUE, tags "Ext""ensions".hstore DEFAULT 'a=>NULL', names "Ext""ensions".citext[], s seg, r integer[]);
INSERT INTO uses SELECT g, ('User' || g || '@Example.org')::email, format('"k\"%s"=>"v,=>\\"', g)::"Ext""ensions".hstore, '{A,b,NULL}', '1.5 .. 2.50', ARRAY[g, 1]
    FROM generate_series(1, 40) g;
CREATE INDEX uses_trgm ON uses USING gist ((mail::text) "Ext""ensions".gist_trgm_ops (siglen = 64));
CREATE INDEX uses_tags ON uses USING gin (tags);
CREATE INDEX uses_seg ON uses USING gist (s);
CREATE INDEX uses_ints ON uses USING gin (r gin__int_ops);
CREATE VIEW alike AS SELECT a.id, "Ext""ensions".similarity(a.mail::text, 'user') AS s FROM uses a WHERE a.tags OPERATOR("Ext""ensions".?) 'a';
CREATE MATERIALIZED VIEW folded AS SELECT mail, count(*) FROM uses GROUP BY mail;
CREATE TEXT SEARCH DICTIONARY numbers (template = intdict_template, maxlen = 4);
CREATE FUNCTION depends() RETURNS integer LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION depends() DEPENDS ON EXTENSION seg;
CREATE TRIGGER notified AFTER INSERT ON uses FOR EACH ROW EXECUTE FUNCTION triggered_change_notification();
ALTER TRIGGER notified ON uses DEPENDS ON EXTENSION tcn;
CREATE INDEX uses_r ON uses (r);
ALTER INDEX uses_r DEPENDS ON EXTENSION intarray;
CREATE CAST ("Ext""ensions".citext AS integer) WITH INOUT AS ASSIGNMENT;
-- Objects of the user's in an extension's schema are no members of it.
CREATE TABLE "Ext""ensions".mine (h "Ext""ensions".hstore PRIMARY KEY);
INSERT INTO "Ext""ensions".mine VALUES ('x=>1'), ('');
