//! Rows that may belong in another partition than the one they come from.
//!
//! Where a table is partitioned by the hash of an enum, the server hashes the oids of the enum's labels, and those are
//! others in every database (PostgreSQL's `hashenum`). The same goes for all that holds enums, for names that stand for oids
//! (`regclass`, the roles of an `aclitem`), and may go for the hash functions of extensions and users. Such rows go through
//! the topmost table of that kind, which finds their partition; `pg_dump` does so for plain enums with
//! `--load-via-partition-root` since its releases of May 2023.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::connection::Session;
use crate::adapters::target::HASH_DIFFERS;
use crate::error::{PgError, PgResult};
use crate::stored::detail::TableDump;

/// Partitions with such a table above them, each with the topmost one: `pg_partition_ancestors` goes from below upwards.
const PARTITIONS: &str = "\
    SELECT n.nspname::text, c.relname::text, rn.nspname::text, r.relname::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN LATERAL (SELECT above.relid FROM pg_catalog.pg_partition_ancestors(c.oid) WITH ORDINALITY above(relid, \
    height) \
      WHERE {HASH_DIFFERS} ORDER BY above.height DESC LIMIT 1) top ON true \
    JOIN pg_catalog.pg_class r ON r.oid = top.relid \
    JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
    WHERE c.relispartition AND c.relkind = 'r'";

/// A table's schema and name.
pub(crate) type Name = (String, String);

/// Rows that take another way than they came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Detours {
    /// Where they go, by position among the tables.
    pub(crate) through: BTreeMap<usize, Name>,
    /// Those of these tables of whose partitions only some get rows, as `schema.table`.
    pub(crate) torn: BTreeSet<String>,
}

/// Where rows go that may not fit where they come from. Asked of the new database, once its tables are there.
pub(crate) async fn read(session: &Session, tables: &[TableDump]) -> PgResult<Detours> {
    let doing = "looking for tables partitioned by a hash that differs between databases";
    let partitions = PARTITIONS.replace("{HASH_DIFFERS}", HASH_DIFFERS);
    let rows = session.query(&partitions, &[]).await.map_err(|error| PgError::sql(doing, error))?;
    let roots = rows.iter().map(|row| ((row.get(0), row.get(1)), (row.get(2), row.get(3)))).collect();
    Ok(detours(tables, &roots))
}

fn detours(tables: &[TableDump], roots: &BTreeMap<Name, Name>) -> Detours {
    let name = |table: &TableDump| (table.schema.clone(), table.name.clone());
    let through: BTreeMap<usize, Name> =
        tables.iter().enumerate().filter_map(|(at, table)| Some((at, roots.get(&name(table))?.clone()))).collect();
    let given: BTreeSet<Name> = tables.iter().map(name).collect();
    let without = roots.iter().filter(|(partition, _)| !given.contains(*partition)).map(|(_, root)| root);
    let used: BTreeSet<&Name> = through.values().collect();
    let torn = without.filter(|root| used.contains(root)).map(|(schema, name)| format!("{schema}.{name}")).collect();
    Detours { through, torn }
}

#[cfg(test)]
mod tests {
    use crate::stored::detail::{RowData, TableKind};

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
        let taken = detours(&tables, &roots);
        assert_eq!(taken.through, BTreeMap::from([(1, name("c", "Root"))]));
        assert_eq!(taken.torn, BTreeSet::from(["c.Root".to_owned()]));
        let whole = BTreeMap::from([(name("b", "part"), name("c", "Root")), (name("d", "gone"), name("d", "Other"))]);
        assert!(detours(&tables, &whole).torn.is_empty());
    }
}
