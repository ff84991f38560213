-- Identifiers, sort keys of ICU, regular expressions, first and last.
CREATE EXTENSION asn1oid;
CREATE EXTENSION icu_ext;
CREATE EXTENSION first_last_agg;
CREATE EXTENSION extra_window_functions;
CREATE EXTENSION pgpcre;
CREATE TABLE oids (o asn1oid PRIMARY KEY, p pcre, t text, k bytea GENERATED ALWAYS AS (icu_sort_key(t, 'de')) STORED);
INSERT INTO oids SELECT ('1.3.6.' || g)::asn1oid, 'a.*b', 'ä' || g FROM generate_series(1, 50) g;
CREATE MATERIALIZED VIEW ends AS SELECT first(t ORDER BY o), last(t ORDER BY o) FROM oids;
CREATE INDEX ON oids (icu_sort_key(t, 'fr'));
