-- Oracle's types, functions and `dual`.
CREATE EXTENSION orafce;
CREATE TABLE orders (id integer PRIMARY KEY, code oracle.varchar2(20), note oracle.nvarchar2(40), due oracle.date DEFAULT oracle.sysdate());
INSERT INTO orders SELECT g, 'C' || g, 'ü' || g, '2026-01-02 03:04:05' FROM generate_series(1, 200) g;
CREATE INDEX ON orders (oracle.substr(code::text, 1, 2));
CREATE VIEW named AS SELECT id, coalesce(note, NULL) AS note FROM orders, oracle.dual;
