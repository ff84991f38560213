-- Prepares a database on Amazon RDS for a dump: `lastgood pg dump shop --pre-dump-sql rds-prep.sql`.
--
-- The extensions of PostGIS leave relations in the schemas `tiger` and `topology` that belong to RDS's own administrator
-- (rdsadmin). Nobody else may lock or read them, and so a dump of the whole database is refused. As members of
-- rds_superuser, masters of an RDS server may give them to that role, once; afterwards there is nothing to do.
--
-- Where neither schema exists this does nothing, so that the same configuration serves servers elsewhere. One batch, one
-- transaction: an error leaves everything as it was.

DO $rds_prep$
DECLARE
    relation record;
BEGIN
    FOR relation IN
        SELECT n.nspname AS schema_name, c.relname AS relation_name
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('tiger', 'topology')
            AND c.relkind IN ('r', 'p', 'S', 'v')
            AND pg_catalog.pg_get_userbyid(c.relowner) <> 'rds_superuser'
        -- Sequences last: one that belongs to a column goes with its table, and could not go before it.
        ORDER BY c.relkind = 'S', n.nspname, c.relname
    LOOP
        EXECUTE pg_catalog.format(
            'ALTER TABLE %I.%I OWNER TO rds_superuser', relation.schema_name, relation.relation_name);
        RAISE NOTICE '%.% belongs to rds_superuser now', relation.schema_name, relation.relation_name;
    END LOOP;
END
$rds_prep$;
