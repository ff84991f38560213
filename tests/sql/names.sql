-- Names that break whoever quotes by hand.
CREATE SCHEMA "Schema.with dots";
CREATE SCHEMA "select";
CREATE TABLE "Schema.with dots"."Table.with ""quotes"" and 'apostrophes'" ("Column ""one""" integer PRIMARY KEY, "a,b(c)" text, "  spaces  " text, "select" text, "ünï" text);
INSERT INTO "Schema.with dots"."Table.with ""quotes"" and 'apostrophes'" VALUES (1, 'x', E'\t', 's', 'é'), (2, NULL, '', NULL, '中文');
CREATE TABLE "select"."table" ("from" integer, "where" text);
INSERT INTO "select"."table" VALUES (1, 'w');
CREATE TABLE "中文 表" ("列" text DEFAULT '默认');
INSERT INTO "中文 表" VALUES (DEFAULT), ('値');
CREATE TABLE "100% $1 $$ \ / * ?" ("%s %d" integer, "$body$" text);
INSERT INTO "100% $1 $$ \ / * ?" VALUES (1, '$body$');
CREATE TABLE "tab	and
newline" ("a
b" integer);
INSERT INTO "tab	and
newline" VALUES (1);
-- 63 bytes, in one- and in three-byte characters.
CREATE TABLE "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij1" (id integer PRIMARY KEY, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij2" serial);
CREATE TABLE "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij3" (id integer PRIMARY KEY REFERENCES "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij1");
INSERT INTO "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij1" VALUES (1), (2);
INSERT INTO "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij3" VALUES (2);
CREATE TABLE "中文中文中文中文中文中文中文中文中文中文中" (id integer);
INSERT INTO "中文中文中文中文中文中文中文中文中文中文中" VALUES (7);
-- Names that look like lines of an archive's table of contents, or like options.
CREATE TABLE "a EVENT TRIGGER b" (id integer PRIMARY KEY);
CREATE INDEX "an EVENT TRIGGER index" ON "a EVENT TRIGGER b" (id);
INSERT INTO "a EVENT TRIGGER b" VALUES (1);
CREATE TABLE "; 123; 1259 16384 TABLE public x postgres" (id integer);
CREATE TABLE "--clean" (id integer);
CREATE TABLE "TABLE DATA" (id integer);
CREATE TABLE "x FK CONSTRAINT public y z " (id integer PRIMARY KEY);
CREATE TABLE "Same" (id integer);
CREATE TABLE "same" (id integer);
CREATE TABLE "SAME " (id integer);
INSERT INTO "Same" VALUES (1);
INSERT INTO "same" VALUES (2);
INSERT INTO "SAME " VALUES (3);
CREATE SEQUENCE "Seq""uence 'x' %";
SELECT nextval('"Seq""uence ''x'' %"');
CREATE TYPE "Type "" %" AS ENUM ('a "label"', 'an ''other''', '%', '');
CREATE TABLE "typed" (t "Type "" %", arr "Type "" %"[]);
INSERT INTO "typed" VALUES ('a "label"', ARRAY['an ''other''', '%', '']::"Type "" %"[]);
CREATE FUNCTION "Func ""t"" %"("Arg 1" text, "select" integer) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE MATERIALIZED VIEW "Mat ""view"" %s" AS SELECT 1 AS "a b";
CREATE VIEW "view -- comment" AS SELECT "Column ""one""" AS "x""y" FROM "Schema.with dots"."Table.with ""quotes"" and 'apostrophes'";
CREATE UNIQUE INDEX "Index ""q"" %" ON "typed" (t);
ALTER TABLE "typed" ADD CONSTRAINT "Check ""q""" CHECK (t IS NOT NULL);
CREATE TABLE "$user" (id integer);
CREATE TABLE "pg_like" (id integer);
CREATE SCHEMA "pg-like";
CREATE TABLE "pg-like".t (id integer);
INSERT INTO "pg-like".t VALUES (5);
CREATE SCHEMA information_schema2;
CREATE TABLE information_schema2.t (id integer);
INSERT INTO information_schema2.t VALUES (6);
CREATE TABLE lastgood_lo (oid oid);
INSERT INTO lastgood_lo VALUES (1);
CREATE TABLE lastgood_lo_slice (oid oid);
SELECT lo_from_bytea(424242, 'a large object beside tables of these names');
