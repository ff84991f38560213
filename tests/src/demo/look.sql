\set QUIET on
\x on
SELECT (SELECT count(*) FROM customers) AS customers,
       (SELECT min(email) FROM customers) AS first_email,
       (SELECT count(*) FROM orders) AS orders,
       coalesce(to_regclass('items')::text, 'gone') AS items,
       coalesce(to_regclass('revenue')::text, 'gone') AS revenue_view,
       coalesce((SELECT convert_from(lo_get(min(oid)), 'UTF8') FROM pg_largeobject_metadata), 'gone') AS large_object;
