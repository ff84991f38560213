-- New in PostgreSQL 15.
CREATE TABLE app.nulls (a integer UNIQUE NULLS NOT DISTINCT, tenant integer, parent integer, coarse numeric(5, -2));
INSERT INTO app.nulls VALUES (NULL, 1, 1, 1234), (1, 1, 1, 5678);
CREATE TABLE app.tenants (tenant integer, id integer, PRIMARY KEY (tenant, id));
INSERT INTO app.tenants VALUES (1, 1);
ALTER TABLE app.nulls ADD CONSTRAINT of_tenant FOREIGN KEY (tenant, parent) REFERENCES app.tenants ON DELETE SET NULL (parent);
CREATE VIEW app.invoked WITH (security_invoker) AS SELECT * FROM app.parent;
CREATE UNLOGGED SEQUENCE app.unlogged_numbers;
CREATE PUBLICATION versions_schema FOR TABLES IN SCHEMA app;
CREATE PUBLICATION versions_filtered FOR TABLE app.many (id, body) WHERE (id > 10);
CREATE VIEW app.matched AS SELECT regexp_count(t, 'l.ne') FROM app.everything;
