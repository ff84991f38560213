-- The sample database of the demo: small, and with one of each thing a careless copy loses.
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL UNIQUE,
    preferences jsonb NOT NULL DEFAULT '{}');
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    placed_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('new', 'paid', 'shipped')));
CREATE TABLE items (
    order_id bigint NOT NULL REFERENCES orders,
    line int NOT NULL,
    product text NOT NULL,
    price numeric(10, 2) NOT NULL,
    quantity int NOT NULL,
    total numeric(12, 2) GENERATED ALWAYS AS (price * quantity) STORED,
    PRIMARY KEY (order_id, line));
INSERT INTO customers (name, email, preferences)
    SELECT 'Customer ' || i, 'customer' || i || '@example.org', jsonb_build_object('newsletter', i % 2 = 0) FROM generate_series(1, 2000) i;
INSERT INTO orders (customer_id, placed_at, status)
    SELECT 1 + i % 2000, timestamptz '2026-01-01 00:00:00+00' + i * interval '7 minutes', (ARRAY['new', 'paid', 'shipped'])[1 + i % 3]
    FROM generate_series(1, 20000) i;
INSERT INTO items (order_id, line, product, price, quantity)
    SELECT o, l, 'Product ' || (o * l) % 500, ((o * l) % 9000 + 100) / 100.0, 1 + o % 4 FROM generate_series(1, 20000) o, generate_series(1, 3) l;
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON customers USING gin (preferences);
CREATE VIEW revenue AS
    SELECT c.name, sum(i.total) AS total FROM customers c JOIN orders o ON o.customer_id = c.id JOIN items i ON i.order_id = o.id GROUP BY c.name;
CREATE MATERIALIZED VIEW sales AS SELECT placed_at::date AS day, count(*) AS orders FROM orders GROUP BY 1;
SELECT lo_from_bytea(0, convert_to('terms and conditions, kept as a large object', 'UTF8'));
ALTER DATABASE shop SET statement_timeout = '5min';
