//! What the dumping role cannot read, reported before the first row is copied.

use tokio_postgres::GenericClient;

use crate::dump::selection::Selection;
use crate::error::{PgError, PgResult};

/// Most names an error lists.
const NAMES_SHOWN: usize = 20;

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

/// Asks the server about everything that would be read.
pub(crate) async fn check(client: &impl GenericClient, selection: &Selection) -> PgResult<()> {
    let kept: Vec<u32> = selection.kept.iter().map(|relation| relation.oid).collect();
    let excluded: Vec<u32> = selection.excluded.iter().map(|relation| relation.oid).collect();
    let with_rows: Vec<u32> = selection.with_rows.iter().copied().collect();
    let rows = client
        .query(UNREADABLE, &[&kept, &excluded, &with_rows])
        .await
        .map_err(|error| PgError::sql("asking what may be read", error))?;
    let of = |why: &str| -> Vec<String> {
        rows.iter().filter(|row| row.get::<_, &str>(0) == why).map(|row| row.get(1)).collect()
    };
    verdict(&of("no permission"), &of("row security"))
}

fn verdict(forbidden: &[String], hidden: &[String]) -> PgResult<()> {
    if !forbidden.is_empty() {
        return Err(PgError::Refused {
            what: format!("no permission to read {}", names(forbidden)),
            help: "nothing was written. Grant SELECT on them and USAGE on their schemas to the dumping role (or the \
                   role pg_read_all_data), or leave out tables with --exclude-table"
                .to_owned(),
        });
    }
    if !hidden.is_empty() {
        return Err(PgError::Refused {
            what: format!("row security would hide rows of {}", names(hidden)),
            help: "nothing was written. Dump as the tables' owner (and not under FORCE ROW LEVEL SECURITY) or as a \
                   role with BYPASSRLS, or leave out their rows with --exclude-table-data"
                .to_owned(),
        });
    }
    Ok(())
}

fn names(all: &[String]) -> String {
    let mut text = all.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if all.len() > NAMES_SHOWN {
        text.push_str(&format!(" and {} more", all.len() - NAMES_SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_way_is_named_at_once() {
        let many: Vec<String> = (0..25).map(|at| format!("public.t{at}")).collect();
        let error = verdict(&many, &[]).unwrap_err().to_string();
        assert!(error.contains("`public.t0`, `public.t1`") && error.ends_with(" and 5 more"), "{error}");
        let error = verdict(&[], &["public.tenants".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "row security would hide rows of `public.tenants`");
        verdict(&[], &[]).unwrap();
    }
}
