-- Every type a column can have, with the values that break text formats.
CREATE SCHEMA app;
CREATE DOMAIN app.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN app.email AS text COLLATE "C" DEFAULT 'nobody@example.org' NOT NULL CHECK (VALUE LIKE '%@%');
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'it''s', 'q"uote', 'ünïcode');
ALTER TYPE app.mood ADD VALUE 'between' BEFORE 'ok';
CREATE TYPE app.point3 AS (x double precision, y numeric(10, 3), "the Z" text);
CREATE TYPE app.line3 AS (a app.point3, b app.point3[], kind app.mood);
CREATE TYPE app.span AS RANGE (subtype = double precision, multirange_type_name = app.spans);
CREATE DOMAIN app.moods AS app.mood[] CHECK (array_length(VALUE, 1) < 9);

CREATE TABLE app.scalars (
    id bigint PRIMARY KEY,
    small smallint, plain integer, big bigint, num numeric, fixed numeric(30, 10), single real, double double precision,
    cash money, letter "char", short char(7), var varchar(20), txt text, ident name, bytes bytea, flag boolean,
    day date, clock time, clock_tz time(3) with time zone, stamp timestamp, stamp_tz timestamptz, span interval,
    span_field interval day to second(2), id_u uuid, doc json, docb jsonb, path jsonpath, markup xml,
    words tsvector, query tsquery, ip inet, net cidr, mac macaddr, mac8 macaddr8, bits bit(12), varbits bit varying(40),
    lsn pg_lsn, snap pg_snapshot, obj oid, cls regclass, typ regtype, proc regprocedure,
    p point, l line, seg lseg, b box, pa path, pg polygon, c circle
);
INSERT INTO app.scalars (id) VALUES (0);
INSERT INTO app.scalars VALUES (
    1, -32768, -2147483648, -9223372036854775808, 'NaN', 12345678901234567890.0123456789, 1.17549435e-38, 4.9e-324,
    '-92233720368547758.08', E'\\', 'a b', 'v', E'tab\tnewline\ncr\rbackslash\\bs\bff\fvt\v\\.', 'n', '\x0001027f80feff5c2e0a0d09',
    true, '0044-03-15 BC', '24:00:00', '23:59:59.999+15:59', '294276-12-31 23:59:59.999999', '4713-01-01 00:00:00+00 BC',
    '-178000000 years 1 day -00:00:00.000001', '3 days 04:05:06.789', '00000000-0000-0000-0000-000000000000',
    '{"b": 1,   "a": [null, true, "\u00e9\t"], "a": 2}', '{"k": "\\ \" \n \ud83d\ude00", "n": 1e400, "deep": [[[]]]}',
    '$."a"[*] ? (@ > 2)', '<a b="c">&amp;<!-- x --><![CDATA[\.]]></a>',
    $$'a''b':1A,2 'back\\slash':3 'ünï':4D$$, $$'fat' & ( 'rat':AB | !'cat':* ) <2> 'end'$$, '::ffff:1.2.3.4/120', '10.0.0.0/8',
    '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'101010101010', B'1', '16/B374D848', '10:20:10,14,15', 4294967295,
    'app.scalars', 'app.mood[]', 'lower(text)',
    '(1e308,-0)', '{1,-2,3}', '[(0,0),(1,1)]', '(2,2),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),5>'
);
INSERT INTO app.scalars (id, num, single, double, txt, bytes, day, stamp, stamp_tz, span, flag, cash, short, varbits, doc) VALUES
    (2, 'Infinity', 'NaN', '-Infinity', '', '', 'infinity', '-infinity', 'infinity', '0', false, 0, '', B'', 'null'),
    (3, '-Infinity', '-0', 'NaN', '\N', '\x', '-infinity', 'infinity', '-infinity', '1 mon -1 day', NULL, '1', '\N', B'0', '""'),
    (4, 0.00000000000000000000000000000000000000000000000001, 3.4028235e38, 1.7976931348623157e308, '\.', '\x5c2e', '5874897-12-31',
        '1999-12-31 23:59:59.5', '2024-02-29 12:00:00.000001+14', '1 year 2 mons', true, '12.34', '       ', B'1111', '1'),
    (5, -1234567890123456789012345678901234567890.123, 0.1, 0.30000000000000004, E'\u00e9 e\u0301 \u4e2d\u6587 \U0001F600 \uFEFF \u200F',
        decode(repeat('00', 70000), 'hex'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[1]'),
    (6, 1e130000, NULL, NULL, repeat(E'long \\ line\n', 200000), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE app.compound (
    id integer PRIMARY KEY, ints integer[], texts text[][], based integer[], moods app.moods, dates date[], jsons jsonb[],
    ir int4range, nr numrange, tr tsrange, tzr tstzrange, dr daterange, br int8range, im int4multirange, nm nummultirange,
    sp app.span, sps app.spans, pt app.point3, ln app.line3, lns app.line3[], pos app.positive, mail app.email, feeling app.mood,
    rangs int4range[], vec oidvector, ivec int2vector
);
INSERT INTO app.compound (id) VALUES (1);
INSERT INTO app.compound VALUES (
    2, '{1,NULL,-3}', '{{"a,b","c\"d"},{"NULL",NULL}}', '[5:7]={1,2,3}', '{sad,"it''s","q\"uote",ünïcode}', '{2020-01-01,infinity}',
    ARRAY['{"a": "\\"}'::jsonb, 'null'::jsonb, NULL], '[1,5)', '(,0.5]', 'empty', '["2020-01-01 00:00+00",)', '(,2020-01-01]',
    '[1,9223372036854775807)', '{[1,2),[5,)}', '{}', '[1.5,NaN]', '{(,1),(2,3]}', ROW(1.5, 2.5, E'quo"te, \\ (paren) \n'),
    ROW(ROW(1, 2, NULL), ARRAY[ROW(0, 0, '')::app.point3, NULL], 'between'),
    ARRAY[ROW(NULL, NULL, NULL)::app.line3, NULL], 7, 'a@b', 'ünïcode', '{"[1,2)",empty,NULL}', '1 2 3', '4 5'
);
INSERT INTO app.compound (id, ints, texts, moods, ln) VALUES (3, '{}', '{}', '{}', ROW(NULL, '{}', NULL));

CREATE TABLE app.arrays AS SELECT g AS id, array_agg(x) AS many, array_agg(x::text || E'\t"\\') AS texts
    FROM generate_series(1, 200) g, generate_series(1, g) x GROUP BY g;
CREATE TABLE app.typed OF app.point3 (PRIMARY KEY (x), y WITH OPTIONS DEFAULT 3);
INSERT INTO app.typed VALUES (1, DEFAULT, 'typed'), ('Infinity', NULL, NULL), ('-0', 1, '');
CREATE TABLE app.toast (id integer PRIMARY KEY, plain text , external text, main text, small bytea COMPRESSION pglz);
INSERT INTO app.toast SELECT g, repeat('p', g), repeat(md5(g::text), 3000), repeat('m', g * 1000), decode(repeat(md5(g::text), 2000), 'hex')
    FROM generate_series(1, 30) g;
ALTER TABLE app.toast ALTER plain SET STORAGE PLAIN, ALTER external SET STORAGE EXTERNAL, ALTER main SET STORAGE MAIN;
ALTER TABLE app.toast ALTER id SET STATISTICS 500, ALTER external SET (n_distinct = -0.5), SET (fillfactor = 70, autovacuum_enabled = off);
