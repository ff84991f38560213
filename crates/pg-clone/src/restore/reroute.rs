//! Rows that may belong into another partition than the one they come from.
//!
//! Where a table is partitioned by the hash of an enum, the server hashes the oids of the enum's labels, and those are
//! others in every database (PostgreSQL's `hashenum`). Such rows go through the topmost table, which finds their partition;
//! `pg_dump` does the same with `--load-via-partition-root` since its releases of May 2023.

use std::collections::BTreeMap;

use crate::adapters::connection::Session;
use crate::detail::TableDump;
use crate::error::{PgError, PgResult};

/// Partitions with such a table above them, each with the topmost one.
const PARTITIONS: &str = "\
    SELECT n.nspname::text, c.relname::text, rn.nspname::text, r.relname::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.pg_partition_root(c.oid) \
    JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
    WHERE c.relispartition AND c.relkind = 'r' AND EXISTS ( \
      SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) above(oid) \
      JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = above.oid AND p.partstrat = 'h' \
      JOIN pg_catalog.pg_opclass o ON o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops' \
        AND o.opcnamespace = 'pg_catalog'::regnamespace)";

/// A table's schema and name.
pub(crate) type Name = (String, String);

/// Where rows go that may not fit where they come from, by position in `tables`. Asked of the new database, once its tables
/// are there.
pub(crate) async fn read(session: &Session, tables: &[TableDump]) -> PgResult<BTreeMap<usize, Name>> {
    let doing = "looking for tables partitioned by the hash of an enum";
    let rows = session.query(PARTITIONS, &[]).await.map_err(|error| PgError::sql(doing, error))?;
    let roots = rows.iter().map(|row| ((row.get(0), row.get(1)), (row.get(2), row.get(3)))).collect();
    Ok(detours(tables, &roots))
}

fn detours(tables: &[TableDump], roots: &BTreeMap<Name, Name>) -> BTreeMap<usize, Name> {
    let root = |table: &TableDump| roots.get(&(table.schema.clone(), table.name.clone())).cloned();
    tables.iter().enumerate().filter_map(|(at, table)| Some((at, root(table)?))).collect()
}

#[cfg(test)]
mod tests {
    use crate::detail::{RowData, TableKind};

    use super::*;

    #[test]
    fn only_partitions_of_such_tables_take_the_detour() {
        let table = |schema: &str, name: &str| TableDump {
            schema: schema.into(),
            name: name.into(),
            kind: TableKind::Table,
            columns: Vec::new(),
            data: RowData::default(),
        };
        let name = |schema: &str, name: &str| (schema.to_owned(), name.to_owned());
        let tables = [table("a", "part"), table("b", "part"), table("a", "other")];
        let roots = BTreeMap::from([(name("b", "part"), name("c", "Root")), (name("b", "gone"), name("c", "Root"))]);
        assert_eq!(detours(&tables, &roots), BTreeMap::from([(1, name("c", "Root"))]));
    }
}
