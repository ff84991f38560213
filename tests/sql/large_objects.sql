-- Large objects: empty, small, several megabytes, sparse, owned, shared, commented.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acceptance owner') THEN CREATE ROLE "acceptance owner"; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acceptance_reader') THEN CREATE ROLE acceptance_reader LOGIN; END IF;
END $$;
SELECT lo_create(1000);
SELECT lo_from_bytea(1001, '\x00');
SELECT lo_from_bytea(1002, decode(repeat('000102fdfeff5c2e0a0d', 700000), 'hex'));
SELECT lo_from_bytea(1003, 'exactly a page'::bytea || decode(repeat('41', 2048 - 14), 'hex'));
SELECT lo_from_bytea(1004, decode(repeat('42', 2049), 'hex'));
-- Sparse: a hole of zeros before one byte.
SELECT lo_create(1005);
SELECT lo_put(1005, 3000000, '\xff');
SELECT lo_from_bytea(4294967295, 'the highest oid');
SELECT lo_from_bytea(100000 + g, convert_to(repeat(g::text, g), 'UTF8')) FROM generate_series(1, 1500) g;
ALTER LARGE OBJECT 1001 OWNER TO "acceptance owner";
GRANT SELECT ON LARGE OBJECT 1001 TO PUBLIC;
GRANT SELECT, UPDATE ON LARGE OBJECT 1002 TO acceptance_reader WITH GRANT OPTION;
GRANT UPDATE ON LARGE OBJECT 1002 TO "acceptance owner";
REVOKE UPDATE ON LARGE OBJECT 1003 FROM CURRENT_USER;
REVOKE ALL ON LARGE OBJECT 1004 FROM CURRENT_USER;
COMMENT ON LARGE OBJECT 1001 IS E'it''s \\ "large"\n中文';
COMMENT ON LARGE OBJECT 1000 IS '';
CREATE EXTENSION lo;
CREATE TABLE documents (id integer PRIMARY KEY, body lo);
INSERT INTO documents SELECT g, 100000 + g FROM generate_series(1, 100) g;
CREATE TRIGGER manage BEFORE UPDATE OR DELETE ON documents FOR EACH ROW EXECUTE FUNCTION lo_manage(body);
