//! Indexes that cannot be built in parallel, or joined.
//!
//! An index that its table is clustered on or replicated by is one entry of an archive with two statements, which
//! `pg_restore` sends as one transaction: `CREATE INDEX` shuts the table for writers and `ALTER TABLE` then wants a
//! stronger lock on it. When two such entries of one table are built at once, each waits for the other until the server
//! ends one of them (PostgreSQL manual, 13.3.4 Deadlocks), and a parallel `pg_restore` has failed.

use std::collections::{BTreeMap, BTreeSet};

/// `pg_restore --verbose` puts it before each entry of a script, with the entry's number behind it.
const ENTRY_MARK: &str = "-- TOC entry ";

/// Numbers of the entries to build before the others, one at a time: of each table with several such indexes, all but
/// one. `script` is what `pg_restore --verbose --file=-` prints of an archive's indexes.
pub(crate) fn to_build_apart(script: &str) -> BTreeSet<u32> {
    let mut by_table: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    let mut entry = None;
    for line in script.lines() {
        if let Some(rest) = line.strip_prefix(ENTRY_MARK) {
            entry = rest.split(' ').next().and_then(|number| number.parse().ok());
        } else if let (Some(entry), Some(table)) = (entry, altered_table(line)) {
            by_table.entry(table).or_default().insert(entry);
        }
    }
    by_table.into_values().flat_map(|entries| entries.into_iter().skip(1)).collect()
}

/// The table that a statement beside `CREATE INDEX` alters. A name that holds keywords itself is cut, always at the same
/// place: at worst two tables are taken for one, and their indexes are built one after the other.
fn altered_table(line: &str) -> Option<&str> {
    let statement = line.strip_prefix("ALTER TABLE ")?;
    let statement = statement.strip_prefix("ONLY ").unwrap_or(statement);
    let end = [" CLUSTER ON ", " REPLICA IDENTITY "].iter().filter_map(|words| statement.find(words)).min();
    Some(&statement[..end.unwrap_or(statement.len())])
}

/// Whether an index joins one that joins another itself, as of a partition of a partition. `script` is as above.
///
/// An index of a partitioned table is valid once one of each partition has joined it, and whoever joins last looks up from
/// there. Where two levels are joined in sessions at the same time, nobody may see that all is there: the topmost stays
/// invalid for ever, without an error, and no foreign key can refer to it (seen with 15, 16 and 18).
pub(crate) fn joins_nested(script: &str) -> bool {
    let joins = script.lines().filter_map(|line| {
        let (parent, child) = line.strip_prefix("ALTER INDEX ")?.split_once(" ATTACH PARTITION ")?;
        Some((parent, child.strip_suffix(';')?))
    });
    let (parents, children): (BTreeSet<&str>, BTreeSet<&str>) = joins.unzip();
    !parents.is_disjoint(&children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_levels_are_noticed_and_one_is_not() {
        let one = "ALTER INDEX s.a ATTACH PARTITION s.a_1;\nALTER INDEX s.a ATTACH PARTITION s.a_2;\n";
        assert!(!joins_nested(one) && !joins_nested("CREATE INDEX i ON t (c);\n"));
        assert!(joins_nested(&format!("{one}ALTER INDEX s.a_2 ATTACH PARTITION s.a_2_1;\n")));
    }

    fn entry(number: u32, statements: &str) -> String {
        format!(
            "--\n-- TOC entry {number} (class 1259 OID 1{number})\n-- Dependencies: 215\n\
             -- Name: i{number}; Type: INDEX; Schema: public; Owner: -\n--\n\n{statements}\n\n"
        )
    }

    #[test]
    fn one_of_two_indexes_that_lock_a_table_twice_is_built_apart() {
        let script = [
            entry(7, "CREATE INDEX i7 ON public.t USING btree (a);\n\nALTER TABLE public.t CLUSTER ON i7;"),
            entry(8, "CREATE INDEX i8 ON public.t USING btree (b);"),
            entry(
                9,
                "CREATE UNIQUE INDEX i9 ON public.t USING btree (c);\n\n\
                 ALTER TABLE ONLY public.t REPLICA IDENTITY USING INDEX i9;",
            ),
        ]
        .concat();
        assert_eq!(to_build_apart(&script), BTreeSet::from([9]));
    }

    #[test]
    fn one_such_index_a_table_disturbs_nobody() {
        let clustered = |number: u32, table: &str| {
            let create = format!("CREATE INDEX i{number} ON {table} USING btree (a);");
            entry(number, &format!("{create}\n\nALTER TABLE {table} CLUSTER ON i{number};"))
        };
        let script = [clustered(1, "public.t"), clustered(2, "public.u"), clustered(3, "other.t")].concat();
        assert_eq!(to_build_apart(&script), BTreeSet::new());
        assert_eq!(to_build_apart(""), BTreeSet::new());
    }

    #[test]
    fn names_with_keywords_in_them_are_told_apart_or_built_apart() {
        let script = [
            entry(
                1,
                "CREATE INDEX a ON \"x CLUSTER ON y\" USING btree (a);\n\nALTER TABLE \"x CLUSTER ON y\" CLUSTER \
                      ON a;",
            ),
            entry(
                2,
                "CREATE INDEX b ON x USING btree (b);\n\nALTER TABLE ONLY \"x CLUSTER ON y\" REPLICA IDENTITY \
                      USING INDEX b;",
            ),
        ]
        .concat();
        assert_eq!(to_build_apart(&script), BTreeSet::from([2]));
    }
}
