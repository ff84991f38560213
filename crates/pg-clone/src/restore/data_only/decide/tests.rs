//! Schemas that fit, and every way in which they do not.

use super::*;
use crate::adapters::sql::target::Partitioned;
use crate::stored::detail::SequenceState;
use crate::test_dump::TestDump;
use backup_core::failure::{Operation, Setting};
use backup_core::remedy;

/// Tables of one column `a` and one row each.
pub(in crate::restore::data_only) fn detail(tables: &[&str]) -> DumpDetail {
    const ONE_ROW: &[&[&str]] = &[&["1"]];
    let tables: Vec<(&str, &[&[&str]])> = tables.iter().map(|name| (*name, ONE_ROW)).collect();
    TestDump::new("shop", "2026-01-01T00:00:00Z", &tables).manifest.detail
}

/// The table they go into.
pub(in crate::restore::data_only) fn there(oid: u32) -> TargetTable {
    TargetTable { oid, kind: "r".to_owned(), columns: vec!["a".to_owned()], ..TargetTable::default() }
}

fn key(name: &str, table_oid: u32, referenced_oid: u32) -> TargetKey {
    TargetKey {
        name: name.to_owned(),
        table_oid,
        schema: "public".to_owned(),
        table: format!("t{table_oid}"),
        referenced_oid,
        referenced: format!("public.t{referenced_oid}"),
        is_deferrable: false,
        is_enforced: true,
        is_validated: true,
    }
}

fn target(tables: Vec<Option<TargetTable>>) -> Target {
    Target { tables, ..Target::default() }
}

fn options(replace_rows: bool) -> RestoreOptions {
    RestoreOptions { replace_rows, ..RestoreOptions::new("shop") }
}

fn decided(detail: &DumpDetail, target: &Target, replace_rows: bool) -> (DataPlan, Vec<Problem>) {
    decide(detail, target, &options(replace_rows), &[])
}

fn said(detail: &DumpDetail, target: &Target, replace_rows: bool) -> Vec<String> {
    decided(detail, target, replace_rows).1.into_iter().map(|problem| problem.what).collect()
}

#[test]
fn columns_beyond_the_dump_get_their_defaults() {
    let there = TargetTable {
        columns: vec!["note".to_owned(), "a".to_owned(), "computed".to_owned()],
        generated: vec!["computed".to_owned()],
        ..there(1)
    };
    let (plan, problems) = decided(&detail(&["t"]), &target(vec![Some(there)]), false);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(plan.defaults, ["public.t.note"]);
    assert_eq!(plan.tables, [DataTable { table: "public.t".to_owned(), rows: 1, truncated: false }]);
}

#[test]
fn a_table_of_computed_columns_alone_takes_its_rows() {
    let mut detail = detail(&["t"]);
    detail.tables[0].columns.clear();
    let computed = TargetTable { generated: vec!["a".to_owned()], ..there(1) };
    assert!(said(&detail, &target(vec![Some(computed)]), false).is_empty());
    assert!(
        said(&detail, &target(vec![Some(there(1))]), false)[0].contains("has columns, and in the dump it has none")
    );
}

#[test]
fn a_key_that_is_not_enforced_is_not_promised_to_be_checked() {
    let mut target = target(vec![Some(there(1)), Some(there(2))]);
    target.keys = vec![key("kept", 1, 2), TargetKey { is_enforced: false, ..key("noted", 1, 2) }];
    assert_eq!(decided(&detail(&["t1", "t2"]), &target, true).0.foreign_keys, ["public.t1.kept"]);
}

#[test]
fn keys_that_are_not_valid_are_told_and_unchecked_ones_are_not_promised() {
    let mut target = target(vec![Some(there(1)), Some(there(2))]);
    target.keys = vec![key("kept", 1, 2), TargetKey { is_validated: false, ..key("old", 1, 2) }];
    let (plan, _) = decided(&detail(&["t1", "t2"]), &target, true);
    assert_eq!((plan.foreign_keys.len(), plan.not_valid_keys.as_slice()), (2, ["public.t1.old".to_owned()].as_slice()));
    let options = RestoreOptions { disable_triggers: true, ..options(true) };
    let (plan, _) = decide(&detail(&["t1", "t2"]), &target, &options, &[]);
    assert_eq!((plan.foreign_keys.len(), plan.unchecked_keys.len()), (0, 2));
}

#[test]
fn a_check_that_is_not_valid_is_told_once_for_all_partitions() {
    let check = |table: &str, name: &str| TargetCheck {
        table: table.to_owned(),
        schema: "public".to_owned(),
        of_table: "t".to_owned(),
        name: name.to_owned(),
        ..TargetCheck::default()
    };
    let mut target = target(vec![Some(there(1)), Some(there(2))]);
    target.checks = vec![check("t1", "high"), check("t1", "low"), check("t2", "low")];
    let (plan, _) = decided(&detail(&["t1", "t2"]), &target, true);
    assert_eq!(plan.not_valid_checks, ["public.t.high", "public.t.low"]);
    assert_eq!(plan.checks.len(), 3);
}

#[test]
fn everything_that_does_not_fit_is_said_at_once() {
    let mut detail = detail(&["gone", "view", "other", "computes", "wants"]);
    let state = SequenceState { schema: "public".to_owned(), name: "s".to_owned(), last_value: 1, is_called: false };
    detail.sequences.push(state);
    let of = |columns: &[&str]| columns.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>();
    let target = Target {
        tables: vec![
            None,
            Some(TargetTable { kind: "v".to_owned(), ..there(2) }),
            Some(TargetTable { columns: of(&["b"]), ..there(3) }),
            Some(TargetTable { generated: of(&["a"]), ..there(4) }),
            Some(TargetTable { columns: of(&["a", "b"]), required: of(&["b"]), ..there(5) }),
        ],
        sequences: vec![false],
        ..Target::default()
    };
    assert_eq!(
        said(&detail, &target, false),
        ["its rows do not fit the existing schema: there is no table `public.gone`; `public.view` is a view there; \
          `public.other` has no column `a`; `public.computes` has the generated column `a`; `public.wants` requires a \
          value \
          in `b`, which the dump lacks; there is no sequence `public.s`"]
    );
    for table in &mut detail.tables {
        table.data.rows = 0;
    }
    assert!(!said(&detail, &target, false)[0].contains("requires"), "no rows lack no value");
}

#[test]
fn rows_are_only_replaced_on_request_and_never_those_of_others() {
    let full = || Some(TargetTable { holds_rows: true, ..there(1) });
    let detail = detail(&["t1", "t2"]);
    let mut target = target(vec![full(), Some(there(2))]);
    assert_eq!(said(&detail, &target, false), ["there are already rows in `public.t1`"]);
    assert!(said(&detail, &target, true).is_empty());
    target.keys = vec![key("inside", 2, 1), key("from_outside", 3, 1), key("of_mine", 1, 4)];
    assert_eq!(
        said(&detail, &target, true),
        ["its tables cannot be emptied: `public.t3` refers to `public.t1` by `from_outside`"]
    );
    let (plan, _) = decided(&detail, &target, true);
    assert_eq!(plan.foreign_keys, ["public.t2.inside", "public.t1.of_mine"]);
}

#[test]
fn a_partitioned_table_is_emptied_when_all_its_partitions_are_chosen() {
    let full = |oid| Some(TargetTable { holds_rows: true, ..there(oid) });
    let partitioned = |leaves: &[u32]| Partitioned { oid: 9, leaves: leaves.to_vec(), ..Partitioned::default() };
    let detail = detail(&["p1", "p2"]);
    let keys = vec![key("of_itself", 9, 9)];
    let all = Target { partitioned: vec![partitioned(&[1, 2])], keys: keys.clone(), ..target(vec![full(1), full(2)]) };
    assert_eq!(emptied(&all), BTreeSet::from([1, 2, 9]));
    assert!(said(&detail, &all, true).is_empty());
    let some = Target { partitioned: vec![partitioned(&[1, 2, 3])], keys, ..target(vec![full(1), full(2)]) };
    assert_eq!(emptied(&some), BTreeSet::from([1, 2]));
    assert_eq!(
        said(&detail, &some, true),
        ["its tables cannot be emptied: `public.t9` refers to `public.t9` by `of_itself`"]
    );
    let (plan, _) = decided(&detail, &some, true);
    assert_eq!(plan.foreign_keys, ["public.t9.of_itself"], "a key of the partitioned table binds its partitions");
}

/// A table of three partitions 1, 2 and 3, the first two of which stand below a table of their own.
fn moods(differ: [bool; 2]) -> Target {
    let names = |leaves: &[u32]| leaves.iter().map(|leaf| format!("public.p{leaf}")).collect();
    let partitioned = |oid, name: &str, leaves: &[u32], hash_differs| Partitioned {
        oid,
        schema: "public".to_owned(),
        name: name.to_owned(),
        leaves: leaves.to_vec(),
        leaf_names: names(leaves),
        hash_differs,
    };
    let all = partitioned(9, "Moods", &[1, 2, 3], differ[0]);
    Target { partitioned: vec![all, partitioned(8, "some", &[1, 2], differ[1])], ..target(vec![Some(there(1))]) }
}

#[test]
fn partitions_that_exchange_rows_are_given_them_together() {
    let unselected = ["public.p2", "public.p3"].map(str::to_owned);
    let problems = |differ, unselected: &[String], options: &RestoreOptions| {
        decide(&detail(&["p1"]), &moods(differ), options, unselected).1
    };
    let [problem] = &problems([true, false], &unselected, &options(true))[..] else { panic!("not one problem") };
    assert!(problem.what.contains("`public.Moods`"), "{}", problem.what);
    assert!(problem.what.ends_with("not selected: `public.p2`, `public.p3`"), "{}", problem.what);
    let table = Setting::Table.with("public.\"Moods\"".to_owned());
    let call =
        Operation::RestoreDump.on("shop".to_owned()).with(Setting::DataOnly).with(Setting::ReplaceRows).with(table);
    assert_eq!(problem.help, remedy!["select all of them: ", call]);
    // Only below `some`: the third stands apart.
    let elsewhere = RestoreOptions { into: Some("other shop".to_owned()), ..options(false) };
    let [problem] = &problems([false, true], &unselected, &elsewhere)[..] else { panic!("not one problem") };
    assert!(problem.what.ends_with("not selected: `public.p2`"), "{}", problem.what);
    let into = Setting::Into.with("other shop".to_owned());
    let table = Setting::Table.with("public.some".to_owned());
    let call = Operation::RestoreDump.on("shop".to_owned()).with(into).with(Setting::DataOnly).with(table);
    assert_eq!(problem.help, remedy!["select all of them: ", call]);
    assert!(problems([false, false], &unselected, &options(true)).is_empty());
}

#[test]
fn a_partition_that_the_dump_lacks_is_told_from_one_that_was_not_selected() {
    let unselected = ["public.p2".to_owned()];
    let (_, problems) = decide(&detail(&["p1"]), &moods([true, true]), &options(true), &unselected);
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert!(problem.what.ends_with("without rows in the dump: `public.p3`"), "{}", problem.what);
    let help = problem.help.to_string();
    assert!(help.contains("`into`") && !help.contains("`table`"), "{help}");
}

#[test]
fn rows_go_through_the_topmost_table_whose_hash_differs() {
    let through = |differ| moods(differ).detours().into_values().map(|through| through.name).collect::<Vec<_>>();
    assert_eq!(through([true, true]), ["Moods"]);
    assert_eq!(through([false, true]), ["some"]);
    assert!(through([false, false]).is_empty());
}
