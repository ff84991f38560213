//! Rows that may belong in another partition than the one they come from.
//!
//! Where a table is partitioned by the hash of an enum, the server hashes the oids of the enum's labels, and those are
//! others in every database (PostgreSQL's `hashenum`). The same goes for all that holds enums, for names that stand for oids
//! (`regclass`, the roles of an `aclitem`), and may go for the hash functions of extensions and users. Such rows go through
//! the topmost table of that kind, which finds their partition; `pg_dump` does so for plain enums with
//! `--load-via-partition-root` since its releases of May 2023.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::connection::Session;
use crate::adapters::sql::partitions;
use crate::error::PgResult;
use crate::ident::QualifiedName;
use crate::stored::detail::TableDump;

/// Rows that take another way than they came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Detours {
    /// Where they go, by position among the tables.
    pub(crate) through: BTreeMap<usize, QualifiedName>,
    /// Those of these tables of whose partitions only some get rows, as `schema.table`.
    pub(crate) torn: BTreeSet<String>,
}

/// Where rows go that may not fit where they come from. Asked of the new database, once its tables are there.
pub(crate) async fn read(session: &Session, tables: &[TableDump]) -> PgResult<Detours> {
    let roots = partitions::hashed(session).await?.into_iter().map(|found| (found.partition, found.root)).collect();
    Ok(detours(tables, &roots))
}

fn detours(tables: &[TableDump], roots: &BTreeMap<QualifiedName, QualifiedName>) -> Detours {
    let rerouted = |(at, table): (usize, &TableDump)| Some((at, roots.get(&table.qualified_name())?.clone()));
    let through: BTreeMap<usize, QualifiedName> = tables.iter().enumerate().filter_map(rerouted).collect();
    let given: BTreeSet<QualifiedName> = tables.iter().map(TableDump::qualified_name).collect();
    let without = roots.iter().filter(|(partition, _)| !given.contains(*partition)).map(|(_, root)| root);
    let used: BTreeSet<&QualifiedName> = through.values().collect();
    let torn = without.filter(|root| used.contains(root)).map(QualifiedName::label).collect();
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
            base: None,
            reading: None,
            data: RowData::default(),
        };
        let name = |schema: &str, name: &str| QualifiedName::new(schema, name);
        let tables = [table("a", "part"), table("b", "part"), table("a", "other")];
        let roots = BTreeMap::from([(name("b", "part"), name("c", "Root")), (name("b", "gone"), name("c", "Root"))]);
        let taken = detours(&tables, &roots);
        assert_eq!(taken.through, BTreeMap::from([(1, name("c", "Root"))]));
        assert_eq!(taken.torn, BTreeSet::from(["c.Root".to_owned()]));
        let whole = BTreeMap::from([(name("b", "part"), name("c", "Root")), (name("d", "gone"), name("d", "Other"))]);
        assert!(detours(&tables, &whole).torn.is_empty());
    }
}
