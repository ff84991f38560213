//! What our role cannot read of a database.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};

/// By name, in order: tables, sequences and large objects that may not be read, and tables whose policies would hide rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) forbidden: Vec<String>,
    pub(crate) hidden: Vec<String>,
}

/// What stands in the way, each with its name: tables, sequences, large objects; and tables whose policies would hide rows.
const UNREADABLE: &str = "\
    SELECT 'no permission', pg_catalog.format('%s.%s', n.nspname, c.relname) \
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
      WHERE c.oid = ANY ($1) \
        AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')) \
    UNION ALL \
    SELECT 'no permission', pg_catalog.format('%s.%s', n.nspname, c.relname) \
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
      WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass \
          AND d.objid = c.oid AND (d.deptype = 'e' OR (d.deptype = 'i' AND d.refobjid = ANY ($2)))) \
        AND NOT (has_sequence_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')) \
    UNION ALL \
    SELECT 'no permission', pg_catalog.format('large object %s', l.oid) FROM pg_catalog.pg_largeobject_metadata l \
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles me WHERE me.rolname = current_user AND me.rolsuper) \
        AND NOT pg_has_role(l.lomowner, 'USAGE') AND current_setting('lo_compat_privileges') = 'off' \
        AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(CASE l.lomacl WHEN '{}' THEN NULL ELSE l.lomacl END) a \
          WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))) \
    UNION ALL \
    SELECT 'row security', pg_catalog.format('%s.%s', n.nspname, c.relname) \
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
      WHERE c.oid = ANY ($3) AND row_security_active(c.oid) \
    ORDER BY 1, 2";

/// What stands in the way of reading `tables`, and the rows of those `with_rows`, and all sequences but those that belong to
/// `excluded` tables, and all large objects. All are oids.
pub(crate) async fn unreadable(
    session: &Session,
    tables: &[u32],
    excluded: &[u32],
    with_rows: &[u32],
) -> PgResult<Unreadable> {
    let rows = session
        .query(UNREADABLE, &[&tables, &excluded, &with_rows])
        .await
        .map_err(|error| PgError::sql("asking what may be read", error))?;
    let of = |why: &str| rows.iter().filter(|row| row.get::<_, &str>(0) == why).map(|row| row.get(1)).collect();
    Ok(Unreadable { forbidden: of("no permission"), hidden: of("row security") })
}
