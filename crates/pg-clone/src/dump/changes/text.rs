//! What the text of a table's rows depends on beside the bytes of its pages: pure.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::digest::{Sha256Digest, Sha256Hasher};

/// A column as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnFacts {
    /// The oid of the table.
    pub(crate) table: u32,
    pub(crate) number: i16,
    pub(crate) name: String,
    /// The oid of its type.
    pub(crate) type_oid: u32,
    /// Everything else that matters.
    pub(crate) said: String,
}

/// A type as the catalogue has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TypeFacts {
    /// Its name, for people.
    pub(crate) name: String,
    /// Whether what it prints depends on more than what is said of it.
    pub(crate) is_opaque: bool,
    /// The oids of types that it is made of.
    pub(crate) parts: Vec<u32>,
    /// Everything else that matters.
    pub(crate) said: String,
}

/// What a table prints by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableText {
    /// The same as long as the same bytes are the same text.
    pub(crate) digest: Sha256Digest,
    /// A column of which nobody knows that, as people know it.
    pub(crate) opaque: Option<String>,
}

/// What each table prints by, of all that have `columns`, which are in order; a type that is missing in `types` is opaque.
pub(crate) fn of_tables(columns: &[ColumnFacts], types: &BTreeMap<u32, TypeFacts>) -> BTreeMap<u32, TableText> {
    let of_table = |columns: &[ColumnFacts]| Some((columns.first()?.table, of_columns(columns, types)));
    columns.chunk_by(|one, other| one.table == other.table).filter_map(of_table).collect()
}

/// What a table without columns prints by.
pub(crate) fn of_none() -> TableText {
    of_columns(&[], &BTreeMap::new())
}

fn of_columns(columns: &[ColumnFacts], types: &BTreeMap<u32, TypeFacts>) -> TableText {
    let mut hasher = Sha256Hasher::default();
    let mut say = |what: &str| {
        // Each with its length, so that no two lists of texts are the same.
        hasher.update(&(what.len() as u64).to_be_bytes());
        hasher.update(what.as_bytes());
    };
    let (mut reached, mut opaque) = (BTreeSet::new(), None);
    for column in columns {
        for said in [&column.number.to_string(), &column.name, &column.type_oid.to_string(), &column.said] {
            say(said);
        }
        let of_column = closure(column.type_oid, types);
        let unclear = of_column.iter().find(|oid| types.get(*oid).is_none_or(|one| one.is_opaque));
        if let Some(oid) = unclear.filter(|_| opaque.is_none()) {
            let name = types.get(oid).map_or_else(|| format!("of oid {oid}"), |one| format!("`{}`", one.name));
            opaque = Some(format!("`{}`, with the type {name},", column.name));
        }
        reached.extend(of_column);
    }
    for oid in reached {
        say(&oid.to_string());
        let Some(one) = types.get(&oid) else { continue };
        say(&one.said);
        say(&format!("{:?}", one.parts));
    }
    TableText { digest: hasher.finish(), opaque }
}

/// The type and all that it is made of.
fn closure(oid: u32, types: &BTreeMap<u32, TypeFacts>) -> BTreeSet<u32> {
    let (mut reached, mut open) = (BTreeSet::from([oid]), vec![oid]);
    while let Some(oid) = open.pop() {
        let parts = types.get(&oid).into_iter().flat_map(|one| &one.parts);
        open.extend(parts.copied().filter(|part| reached.insert(*part)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(table: u32, number: i16, type_oid: u32) -> ColumnFacts {
        ColumnFacts { table, number, name: format!("c{number}"), type_oid, said: String::new() }
    }

    fn types() -> BTreeMap<u32, TypeFacts> {
        let one =
            |name: &str, parts: &[u32]| TypeFacts { name: name.into(), parts: parts.into(), ..TypeFacts::default() };
        BTreeMap::from([
            (1, one("int", &[])),
            (2, TypeFacts { is_opaque: true, ..one("regclass", &[]) }),
            (3, TypeFacts { said: "sad,ok".into(), ..one("mood", &[]) }),
            (4, one("mood[]", &[3])),
            (5, one("pair", &[1, 4])),
            (6, one("pair of its own kind", &[6, 2])),
        ])
    }

    fn text(columns: &[ColumnFacts], types: &BTreeMap<u32, TypeFacts>) -> TableText {
        of_tables(columns, types).remove(&columns[0].table).unwrap()
    }

    #[test]
    fn a_label_deep_in_a_type_counts_and_another_table_does_not() {
        let columns = [column(10, 1, 1), column(10, 2, 5)];
        let known = text(&columns, &types());
        assert_eq!(known.opaque, None);
        assert_eq!(text(&columns, &types()), known);
        let mut renamed = types();
        renamed.get_mut(&3).unwrap().said = "sad,fine".into();
        assert_ne!(text(&columns, &renamed).digest, known.digest);
        let mut grown = types();
        grown.get_mut(&5).unwrap().parts.push(1);
        assert_ne!(text(&columns, &grown).digest, known.digest);
        let plain = [column(11, 1, 1)];
        assert_eq!(text(&plain, &renamed), text(&plain, &types()));
        assert_eq!(of_tables(&[&columns[..], &plain].concat(), &types()).len(), 2);
    }

    #[test]
    fn what_a_column_is_counts() {
        let known = text(&[column(10, 1, 1)], &types()).digest;
        for other in [
            column(10, 2, 1),
            column(10, 1, 3),
            ColumnFacts { name: "other".into(), ..column(10, 1, 1) },
            ColumnFacts { said: "a default".into(), ..column(10, 1, 1) },
        ] {
            assert_ne!(text(&[other], &types()).digest, known);
        }
        assert_eq!(of_none().opaque, None);
    }

    #[test]
    fn opaque_types_are_found_wherever_they_are() {
        for (oid, name) in [(2, "`regclass`"), (6, "`regclass`"), (99, "of oid 99")] {
            let opaque = text(&[column(10, 1, 1), column(10, 2, oid)], &types()).opaque.unwrap();
            assert!(opaque.contains("`c2`") && opaque.contains(name), "{opaque}");
        }
    }
}
