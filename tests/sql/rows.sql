-- Contents of rows that break whoever cuts COPY text into lines, fields and escapes.
-- One column: its field is the whole line. `\.` alone on a line is the end of data.
CREATE TABLE lone_text (t text);
INSERT INTO lone_text VALUES ('\.'), (E'\\.\n'), (E'\n\\.'), (E'\n\\.\n'), (E'\\\\.'), ('\N'), (NULL), (''), (' '), (E'\t'), (E'\n'), (E'\r'), (E'\r\n'),
    (E'\n\r'), (E'a\rb'), (E'a\r\nb\r\n'), (E'\\'), (E'\\\\'), (E'ends in \\'), (E'\\n'), (E'\\\n'), ('"'), (''''), (E'\b\f\v'), (E'\x7f'), (E'\x01'),
    ('\x00'), ('\101'), ('{}'), ('NULL'), ('null'), (E'\\N\t\\N');
CREATE TABLE lone_bytes (b bytea);
INSERT INTO lone_bytes VALUES ('\x'), (NULL), ('\x5c2e'), ('\x5c2e0a'), ('\x0a5c2e0a'), ('\x00'), ('\x000000'), ('\xff'), ('\x0d0a'), ('\x5c'), ('\x1a');
INSERT INTO lone_bytes SELECT string_agg(decode(lpad(to_hex(g), 2, '0'), 'hex'), '' ORDER BY g) FROM generate_series(0, 255) g;
-- Every code point that text can hold, byte order marks, private and unassigned ones, the highest one.
CREATE TABLE code_points (c integer PRIMARY KEY, t text, s "char", n name);
INSERT INTO code_points SELECT g, chr(g), CASE WHEN g < 128 THEN chr(g) END::"char", left('x' || chr(g), 20)::name FROM generate_series(1, 2048) g;
INSERT INTO code_points SELECT g, chr(g) FROM generate_series(65000, 65535) g;
INSERT INTO code_points SELECT g, chr(g) || chr(g) FROM unnest(ARRAY[55295, 57344, 65536, 128512, 917505, 983040, 1114111]) g;
-- The odd ones first, in the middle and last; nothing but nulls and empty strings; as many nulls as columns.
CREATE TABLE placed (a text, b text, c text);
INSERT INTO placed SELECT a, b, c FROM unnest(ARRAY['\.', '', NULL, E'\n', '\', E'\t']) a, unnest(ARRAY['\.', '', NULL, E'\r']) b, unnest(ARRAY['\.', '', NULL, E'\\N', '\']) c;
CREATE TABLE one_empty_text (t text NOT NULL);
INSERT INTO one_empty_text VALUES ('');
CREATE TABLE one_null (t integer);
INSERT INTO one_null VALUES (NULL), (NULL);
-- Lines as long as one frame, longer, and just around; short ones between them.
CREATE TABLE long_lines (id integer PRIMARY KEY, t text, b bytea);
INSERT INTO long_lines SELECT g, repeat(chr(96 + g), 4 * 1024 * 1024 + g - 6), NULL FROM generate_series(1, 10) g;
INSERT INTO long_lines SELECT 100 + g, 'short', '\x00' FROM generate_series(1, 100) g;
INSERT INTO long_lines VALUES (1000, repeat(E'\\', 5000000), decode(repeat('00ff5c2e0a', 1000000), 'hex')), (1001, repeat(E'\n', 3000000), NULL);
-- Inside types that quote by themselves.
CREATE TABLE nested (a text[], r int4range[], j json, b jsonb, x xml, c placed, h name[]);
INSERT INTO nested SELECT ARRAY[t, E'"' || t || E'\\', NULL], NULL, to_json(t), to_jsonb(t), NULL, ROW(t, NULL, t || '"')::placed, ARRAY['\.', E'\\N']::name[] FROM lone_text;
INSERT INTO nested VALUES ('[-1:0]={a,b}', '{empty,"(,)"}', E'{"a":\n\t"\\\\."}', E'"\\\\."', E'<a>\n\\.\n</a>', NULL, '{}');

-- Shapes: columns that were all dropped, with rows; the most columns there can be, some of them dropped; generated ones alone.
CREATE TABLE all_dropped (a integer, b text);
INSERT INTO all_dropped VALUES (1, 'x'), (2, 'y'), (3, 'z');
ALTER TABLE all_dropped DROP a, DROP b;
DO $$ BEGIN EXECUTE 'CREATE TABLE widest (' || (SELECT string_agg(format('"Column %s" boolean', g), ', ') FROM generate_series(1, 1600) g) || ')'; END $$;
INSERT INTO widest ("Column 1", "Column 1600") VALUES (true, false), (NULL, NULL);
DO $$ BEGIN EXECUTE 'ALTER TABLE widest ' || (SELECT string_agg(format('DROP "Column %s"', g), ', ') FROM generate_series(3, 1599, 3) g); END $$;
INSERT INTO widest ("Column 1", "Column 1600") VALUES (false, NULL);
CREATE TABLE only_generated (a integer GENERATED ALWAYS AS (1) STORED, b text GENERATED ALWAYS AS ('x') STORED, c text DEFAULT 'gone');
INSERT INTO only_generated SELECT FROM generate_series(1, 7);
ALTER TABLE only_generated DROP c;
CREATE TABLE no_columns_child () INHERITS (all_dropped);
INSERT INTO no_columns_child SELECT FROM generate_series(1, 2);
