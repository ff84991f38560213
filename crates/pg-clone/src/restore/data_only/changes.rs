//! The changes around the rows: what is changed for their time, and how it is put back. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::sql::live_tables::Change;
use crate::adapters::sql::target::{Target, TargetKey, TargetTrigger};
use crate::ident::QualifiedName;
use crate::restore::data_only::decide::{emptied, own_keys};
use crate::stored::detail::{SequenceState, TableDump};

/// Keeps everybody else from the tables.
pub(super) fn lock(tables: &[TableDump]) -> Vec<Change> {
    let names: Vec<QualifiedName> = tables.iter().map(TableDump::qualified_name).collect();
    if names.is_empty() { Vec::new() } else { vec![Change::Lock(names)] }
}

/// Triggers off, foreign keys at the end.
pub(in crate::restore) fn loosen(target: &Target) -> Vec<Change> {
    let held = emptied(target);
    let tables: BTreeSet<QualifiedName> = triggers(target, &held).map(table_of).collect();
    let off = tables.into_iter().map(Change::DisableTriggers);
    off.chain(alter_keys(target, true)).chain([Change::DeferConstraints]).collect()
}

/// Removes the rows that are in the way: exactly of these tables, or the server refuses.
pub(in crate::restore) fn empty(tables: &[TableDump], target: &Target) -> Vec<Change> {
    let mut alone: Vec<QualifiedName> = Vec::new();
    let mut changes: Vec<Change> = Vec::new();
    for (table, there) in tables.iter().zip(&target.tables) {
        let table = table.qualified_name();
        match there.as_ref().map(|there| there.condition.as_str()).unwrap_or_default() {
            "" => alone.push(table),
            // An extension's own rows in there are in no dump.
            condition => changes.push(Change::Delete { table, condition: condition.to_owned() }),
        }
    }
    // A partitioned table that a foreign key refers to or belongs to is in the way unless it is named itself.
    let held = emptied(target);
    let whole = target.partitioned.iter().filter(|table| held.contains(&table.oid));
    let whole: Vec<QualifiedName> = whole.map(|table| table.qualified_name()).collect();
    if !(alone.is_empty() && whole.is_empty()) {
        // Some releases of 18 refuse tables that a key which is not enforced connects, although all are named. Whoever refers
        // to one of these tables is among them, or nothing would be emptied at all.
        let cascade = target.keys.iter().any(|key| !key.is_enforced && held.contains(&key.referenced_oid));
        changes.push(Change::Truncate { alone, whole, cascade });
    }
    changes
}

/// Removes the rows of the tables that [`empty`] would truncate one by one, those first that refer to others: `ON DELETE RESTRICT`
/// waits for no end.
pub(in crate::restore) fn delete(tables: &[TableDump], target: &Target) -> Vec<Change> {
    let ranks = ranks(target);
    let there = tables.iter().zip(&target.tables).filter_map(|(table, there)| Some((table, there.as_ref()?)));
    let mut whole: Vec<_> = there.filter(|(_, there)| there.condition.is_empty()).collect();
    whole.sort_by_key(|(_, there)| ranks.get(&top(target, there.oid)).copied().unwrap_or_default());
    let all = |table: &TableDump| Change::Delete { table: table.qualified_name(), condition: String::new() };
    whole.into_iter().map(|(table, _)| all(table)).collect()
}

/// For each table that others refer to: how many tables stand before it in the longest row of references. Those in a circle are
/// in any order.
fn ranks(target: &Target) -> BTreeMap<u32, usize> {
    let mut ranks: BTreeMap<u32, usize> = BTreeMap::new();
    let keys = target.keys.iter().filter(|key| key.is_enforced);
    let pairs = keys.map(|key| (top(target, key.table_oid), top(target, key.referenced_oid)));
    let pairs: BTreeSet<(u32, u32)> = pairs.filter(|(referring, referenced)| referring != referenced).collect();
    // No row of references is longer than there are of them.
    for _ in 0..pairs.len() {
        let mut changed = false;
        for (referring, referenced) in &pairs {
            let least = ranks.get(referring).copied().unwrap_or_default() + 1;
            let rank = ranks.entry(*referenced).or_default();
            changed |= *rank < least;
            *rank = least.max(*rank);
        }
        if !changed {
            break;
        }
    }
    ranks
}

/// The topmost table that a table is a part of, or itself.
fn top(target: &Target, table: u32) -> u32 {
    let leaf = target.partitioned.iter().find(|above| above.oid == table).and_then(|above| above.leaves.first());
    let leaf = leaf.copied().unwrap_or(table);
    target.partitioned.iter().find(|above| above.leaves.contains(&leaf)).map_or(table, |above| above.oid)
}

/// Sequences in new files.
pub(in crate::restore) fn renew(sequences: &[SequenceState]) -> Vec<Change> {
    let name = |state: &SequenceState| QualifiedName::new(&state.schema, &state.name);
    sequences.iter().map(|state| Change::RestartSequence(name(state))).collect()
}

/// Foreign keys and triggers as they were.
pub(in crate::restore) fn tighten(target: &Target) -> Vec<Change> {
    let held = emptied(target);
    let mut triggers: Vec<&TargetTrigger> = triggers(target, &held).collect();
    // Older servers take the state of a partitioned table's trigger to its partitions, which may have one of their own.
    let is_leaf = |trigger: &TargetTrigger| target.tables.iter().flatten().any(|table| table.oid == trigger.table_oid);
    triggers.sort_by_key(|trigger| is_leaf(trigger));
    let on = triggers.into_iter().map(|trigger| Change::EnableTrigger {
        table: table_of(trigger),
        trigger: trigger.name.clone(),
        firing: trigger.firing,
    });
    alter_keys(target, false).chain(on).collect()
}

/// Tables that [`loosen`] and [`tighten`] alter, which only their owner may.
pub(super) fn altered(target: &Target) -> Vec<u32> {
    let held = emptied(target);
    let keys = own_keys(target).filter(|key| !key.is_deferrable).map(|key| key.table_oid);
    triggers(target, &held).map(|trigger| trigger.table_oid).chain(keys).collect()
}

/// Those that would fire: of the tables, and of partitioned ones that are emptied as a whole.
fn triggers<'a>(target: &'a Target, held: &'a BTreeSet<u32>) -> impl Iterator<Item = &'a TargetTrigger> {
    target.triggers.iter().filter(|trigger| held.contains(&trigger.table_oid))
}

/// Of a partitioned table's key, only the key itself can be altered; its partitions' follow.
fn alter_keys(target: &Target, deferrable: bool) -> impl Iterator<Item = Change> + '_ {
    let change = move |key: &TargetKey| Change::SetDeferrable {
        table: QualifiedName::new(&key.schema, &key.table),
        key: key.name.clone(),
        deferrable,
    };
    own_keys(target).filter(|key| !key.is_deferrable).map(change)
}

fn table_of(trigger: &TargetTrigger) -> QualifiedName {
    QualifiedName::new(&trigger.schema, &trigger.table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::sql::live_tables::Firing;
    use crate::adapters::sql::target::{Partitioned, TargetTable};
    use crate::restore::data_only::decide::tests::{detail, there};

    fn texts(changes: &[Change]) -> Vec<String> {
        changes.iter().map(Change::statement).collect()
    }

    fn trigger(table_oid: u32, table: &str, firing: Firing) -> TargetTrigger {
        TargetTrigger {
            table_oid,
            schema: "public".to_owned(),
            table: table.to_owned(),
            name: format!("{table}_t"),
            firing,
        }
    }

    fn target() -> Target {
        let key = |name: &str, is_deferrable| TargetKey {
            name: name.to_owned(),
            table_oid: 20,
            schema: "public".to_owned(),
            table: "p".to_owned(),
            referenced_oid: 1,
            referenced: "public.a".to_owned(),
            is_deferrable,
            is_enforced: true,
            is_validated: true,
        };
        let name = |name: &str| name.to_owned();
        let p =
            Partitioned { oid: 20, schema: name("public"), name: name("p"), leaves: vec![2], ..Partitioned::default() };
        Target {
            tables: vec![Some(there(1)), Some(there(2))],
            partitioned: vec![p],
            keys: vec![key("p_a", false), key("p_late", true)],
            triggers: vec![
                trigger(1, "a", Firing::Always),
                trigger(2, "p1", Firing::Replica),
                trigger(20, "p", Firing::Origin),
                trigger(9, "other", Firing::Origin),
            ],
            ..Target::default()
        }
    }

    #[test]
    fn what_was_loosened_is_put_back_as_it_was() {
        let target = target();
        assert_eq!(
            texts(&loosen(&target)),
            [
                r#"ALTER TABLE ONLY "public"."a" DISABLE TRIGGER USER"#,
                r#"ALTER TABLE ONLY "public"."p" DISABLE TRIGGER USER"#,
                r#"ALTER TABLE ONLY "public"."p1" DISABLE TRIGGER USER"#,
                r#"ALTER TABLE "public"."p" ALTER CONSTRAINT "p_a" DEFERRABLE"#,
                "SET CONSTRAINTS ALL DEFERRED",
            ]
        );
        assert_eq!(
            texts(&tighten(&target)),
            [
                r#"ALTER TABLE "public"."p" ALTER CONSTRAINT "p_a" NOT DEFERRABLE"#,
                r#"ALTER TABLE ONLY "public"."p" ENABLE TRIGGER "p_t""#,
                r#"ALTER TABLE ONLY "public"."a" ENABLE ALWAYS TRIGGER "a_t""#,
                r#"ALTER TABLE ONLY "public"."p1" ENABLE REPLICA TRIGGER "p1_t""#,
            ]
        );
    }

    #[test]
    fn whoever_alters_tables_must_own_them() {
        assert_eq!(altered(&target()), [1, 2, 20, 20]);
        assert_eq!(altered(&Target { triggers: Vec::new(), keys: Vec::new(), ..target() }), [0; 0]);
    }

    #[test]
    fn only_the_chosen_tables_are_emptied_and_an_extension_keeps_its_own_rows() {
        let detail = detail(&["a", "p1"]);
        let mut target = target();
        assert_eq!(
            texts(&empty(&detail.tables, &target)),
            [r#"TRUNCATE ONLY "public"."a", ONLY "public"."p1", "public"."p""#]
        );
        let unenforced = TargetKey { is_enforced: false, table_oid: 20, referenced_oid: 1, ..TargetKey::default() };
        let with_one = Target { keys: vec![unenforced.clone()], ..target.clone() };
        assert!(texts(&empty(&detail.tables, &with_one))[0].ends_with(r#""public"."p" CASCADE"#));
        assert_eq!(texts(&loosen(&Target { triggers: Vec::new(), ..with_one })), ["SET CONSTRAINTS ALL DEFERRED"]);
        let elsewhere = Target { keys: vec![TargetKey { referenced_oid: 99, ..unenforced }], ..target.clone() };
        assert!(texts(&empty(&detail.tables, &elsewhere))[0].ends_with(r#""public"."p""#));
        target.partitioned[0].leaves.push(3);
        target.tables[0] = Some(TargetTable { condition: "WHERE mine".to_owned(), ..there(1) });
        let expected = [r#"DELETE FROM ONLY "public"."a" WHERE mine"#, r#"TRUNCATE ONLY "public"."p1""#];
        assert_eq!(texts(&empty(&detail.tables, &target)), expected);
        assert_eq!(lock(&[]), []);
    }

    #[test]
    fn rows_are_deleted_one_by_one_from_tables_that_refer_first() {
        let detail = detail(&["a", "p1", "config", "b"]);
        let mut target = target();
        target.tables.push(Some(TargetTable { condition: "WHERE mine".to_owned(), ..there(3) }));
        target.tables.push(Some(there(4)));
        // The partition `p1` refers to `a` by its table `p`, and `a` to `b`.
        target.keys.push(TargetKey { table_oid: 1, referenced_oid: 4, is_enforced: true, ..TargetKey::default() });
        let expected = [
            r#"DELETE FROM ONLY "public"."p1""#,
            r#"DELETE FROM ONLY "public"."a""#,
            r#"DELETE FROM ONLY "public"."b""#,
        ];
        assert_eq!(texts(&delete(&detail.tables, &target)), expected);
        // A circle ends, and leaves nothing out.
        target.keys.push(TargetKey { table_oid: 4, referenced_oid: 2, is_enforced: true, ..TargetKey::default() });
        assert_eq!(delete(&detail.tables, &target).len(), 3);
    }
}
