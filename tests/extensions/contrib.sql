-- What comes with PostgreSQL and no other database here has: types, triggers, indexes.
CREATE EXTENSION lo;
CREATE EXTENSION isn;
CREATE EXTENSION seg;
CREATE EXTENSION cube;
CREATE EXTENSION earthdistance;
CREATE EXTENSION intarray;
CREATE EXTENSION bloom;
CREATE EXTENSION btree_gin;
CREATE EXTENSION xml2;
CREATE EXTENSION dict_xsyn;
CREATE EXTENSION tcn;
CREATE EXTENSION moddatetime;
CREATE EXTENSION insert_username;
CREATE EXTENSION refint;
CREATE EXTENSION autoinc;
CREATE EXTENSION dblink;
CREATE EXTENSION fuzzystrmatch;
CREATE TABLE t (id integer PRIMARY KEY, i isbn, s seg, c cube, e earth, a integer[], l lo, at timestamp, by text);
CREATE TRIGGER manage BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION lo_manage(l);
CREATE TRIGGER notify AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION triggered_change_notification();
CREATE TRIGGER at BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION moddatetime(at);
CREATE TRIGGER by BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION insert_username(by);
INSERT INTO t
  SELECT g, '978-0-393-04002-9', (g || ' .. ' || g + 1)::seg, cube(g), ll_to_earth(g % 90, g), ARRAY[g],
    lo_from_bytea(0, 'x')::oid::lo, '2026-01-01', NULL FROM generate_series(1, 50) g;
CREATE INDEX ON t USING gist (s);
CREATE INDEX ON t USING gist (c);
CREATE INDEX ON t USING gist (e);
CREATE INDEX ON t USING gin (a gin__int_ops);
CREATE INDEX ON t USING bloom (id);
CREATE INDEX ON t USING gin (id);
CREATE INDEX ON t (metaphone(by, 5));
