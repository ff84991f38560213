//! What is chosen of a schema with keys, views, partitions and inheritance.

use super::*;
use crate::restore::archive_toc::{self, tests::archive};
use crate::stored::detail::{MatviewState, SequenceState};
use crate::test_dump::TestDump;

fn entry(id: u32, kind: &str, name: &str, needs: &[u32]) -> Entry {
    Entry { id, kind: kind.to_owned(), schema: Some("public".to_owned()), name: name.to_owned(), needs: needs.to_vec() }
}

/// As `pg_dump` writes it, read back from an archive.
fn schema() -> Vec<Entry> {
    let entries = [
        entry(1, "TABLE", "a", &[]),
        entry(2, "SEQUENCE", "a_id_seq", &[1]),
        entry(3, "SEQUENCE OWNED BY", "a_id_seq", &[2, 1]),
        entry(4, "TABLE", "b", &[]),
        entry(5, "TABLE", "c", &[1]), // inherits from a
        entry(6, "VIEW", "v", &[1]),
        entry(7, "MATERIALIZED VIEW", "mv", &[6, 4]),
        entry(8, "TABLE", "p", &[]),
        entry(9, "TABLE", "p1", &[8]),
        entry(10, "TABLE", "p2", &[8]),
        entry(11, "TABLE ATTACH", "p1", &[9, 8]),
        entry(12, "TABLE ATTACH", "p2", &[10, 8]),
        entry(13, "DEFAULT", "a id", &[2, 1]),
        entry(14, "CONSTRAINT", "a a_pkey", &[1]),
        entry(15, "FK CONSTRAINT", "b b_a_fkey", &[14, 4, 1]),
        entry(16, "FK CONSTRAINT", "b b_self_fkey", &[4, 4]),
        entry(17, "FK CONSTRAINT", "b b_p_fkey", &[4, 8, 8]),
        entry(18, "TRIGGER", "b t", &[4, 19]),
        entry(19, "FUNCTION", "f()", &[]),
        entry(20, "FUNCTION", "g()", &[1]),
        entry(21, "POLICY", "b po", &[4, 1]),
        entry(22, "COMMENT", "COLUMN a.v", &[1]),
        entry(23, "DEFAULT", "b n", &[24, 4]),
        entry(24, "SEQUENCE", "free_seq", &[]),
    ];
    archive_toc::parse(&archive(&entries)).unwrap()
}

fn selection(tables: &[&str], exclude: &[&str], excluded: Excluded) -> Selection {
    let patterns = |texts: &[&str]| texts.iter().map(|text| TablePattern::parse(text).unwrap()).collect();
    Selection { tables: patterns(tables), exclude_tables: patterns(exclude), excluded, ..Selection::default() }
}

fn detail() -> DumpDetail {
    TestDump::new(
        "shop",
        "2026-01-01T00:00:00Z",
        &[("a", &[&["1"]]), ("b", &[&["1"]]), ("c", &[&["1"]]), ("p1", &[&["1"]]), ("p2", &[&["1"]])],
    )
    .manifest
    .detail
}

fn chosen(tables: &[&str], exclude: &[&str], excluded: Excluded) -> Chosen {
    choose(&selection(tables, exclude, excluded), &schema(), &detail()).unwrap()
}

fn said(chosen: &Chosen) -> Vec<String> {
    let say = |c: &Consequence| format!("{} {:?} {}", c.object, c.fate, c.because_of);
    chosen.consequences.iter().map(say).collect()
}

#[test]
fn an_emptied_table_takes_only_the_keys_to_it() {
    let chosen = chosen(&[], &["a"], Excluded::KeepEmpty);
    assert_eq!(chosen.rows, BTreeSet::from([1, 2, 3, 4]));
    assert_eq!(chosen.left_out, BTreeSet::from([15]));
    assert_eq!(chosen.emptied, ["public.a"]);
    assert_eq!(
        said(&chosen),
        [
            "fk constraint public.b b_a_fkey LeftOut table public.a",
            "function public.g() Kept table public.a",
            "materialized view public.mv Recomputed table public.a",
            "policy public.b po Kept table public.a",
            "view public.v Kept table public.a",
        ]
    );
}

#[test]
fn a_partition_left_out_breaks_keys_to_its_parent() {
    let without_one = chosen(&[], &["p2"], Excluded::KeepEmpty);
    assert_eq!(without_one.left_out, BTreeSet::from([17]));
    let without_all = chosen(&[], &["p"], Excluded::KeepEmpty);
    assert_eq!((without_all.left_out, without_all.emptied.len()), (BTreeSet::from([17]), 2));
    assert_eq!(chosen(&["p"], &[], Excluded::KeepEmpty).rows, BTreeSet::from([3, 4]));
}

#[test]
fn an_empty_table_keeps_its_keys() {
    assert_eq!(chosen(&["a"], &[], Excluded::KeepEmpty).left_out, BTreeSet::new());
}

#[test]
fn a_dropped_table_takes_what_cannot_be_without_it() {
    let chosen = chosen(&["b"], &[], Excluded::Drop);
    assert_eq!(chosen.rows, BTreeSet::from([1]));
    // The default's sequence stays, the function of the trigger too.
    for kept in [4, 16, 18, 19, 23, 24] {
        assert!(!chosen.left_out.contains(&kept), "{kept}");
    }
    for gone in [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 20, 21, 22] {
        assert!(chosen.left_out.contains(&gone), "{gone}");
    }
    assert_eq!(
        said(&chosen),
        [
            "fk constraint public.b b_a_fkey LeftOut table public.a",
            "fk constraint public.b b_p_fkey LeftOut table public.p",
            "function public.g() LeftOut table public.a",
            "policy public.b po LeftOut table public.a",
        ]
    );
}

#[test]
fn what_a_selected_table_needs_is_kept_empty() {
    let chosen = chosen(&["c", "p1"], &[], Excluded::Drop);
    assert_eq!(chosen.rows, BTreeSet::from([2, 3]));
    assert_eq!(chosen.emptied, ["public.a"]);
    assert!(said(&chosen).contains(&"table public.a KeptEmpty table public.c".to_owned()), "{:?}", said(&chosen));
    assert!(said(&chosen).contains(&"table public.p KeptEmpty table public.p1".to_owned()), "{:?}", said(&chosen));
    assert!(!chosen.left_out.contains(&8) && chosen.left_out.contains(&10));
}

#[test]
fn a_pattern_that_means_nothing_is_refused() {
    for selection in [
        selection(&["A"], &[], Excluded::Drop),
        selection(&["\"A\""], &[], Excluded::Drop),
        selection(&[], &["nothing"], Excluded::KeepEmpty),
        Selection { schemas: vec![TablePattern::parse("audit").unwrap()], ..Selection::default() },
    ] {
        let refused = choose(&selection, &schema(), &detail());
        let folded = selection.tables.first().is_some_and(|pattern| pattern.as_str() == "A");
        assert_eq!(refused.is_ok(), folded, "{selection:?}");
    }
}

#[test]
fn schemas_and_tables_add_up_and_schema_only_has_no_rows() {
    let mut selection = selection(&["b"], &[], Excluded::KeepEmpty);
    selection.schemas = vec![TablePattern::parse("pub*").unwrap()];
    assert_eq!(choose(&selection, &schema(), &detail()).unwrap().rows.len(), 5);
    let only = Selection { schema_only: true, ..Selection::default() };
    let chosen = choose(&only, &schema(), &detail()).unwrap();
    assert_eq!((chosen.rows.len(), chosen.left_out.len(), chosen.emptied.len()), (0, 0, 5));
    assert!(only.is_partial() && !Selection::default().is_partial());
}

#[test]
fn rows_alone_set_the_sequences_of_their_tables_and_those_that_are_named() {
    let mut detail = detail();
    for name in ["a_id_seq", "free_seq", "of_an_extension"] {
        let (schema, name) = ("public".to_owned(), name.to_owned());
        detail.sequences.push(SequenceState { schema, name, last_value: 7, is_called: true });
    }
    let schema_entries = schema();
    let (schema, name) = ("public".to_owned(), "mv".to_owned());
    detail.matviews.push(MatviewState { schema, name, populated: true });
    let left = |tables: &[&str], exclude: &[&str]| -> Vec<String> {
        let selection = Selection { data_only: true, ..selection(tables, exclude, Excluded::KeepEmpty) };
        let chosen = choose(&selection, &schema_entries, &detail).unwrap();
        assert!(chosen.left_out.is_empty() && chosen.consequences.is_empty(), "definitions are nobody's business");
        chosen.gone.into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(left(&[], &[]), ["mv"]);
    assert_eq!(left(&["a"], &[]), ["free_seq", "mv", "of_an_extension"]);
    assert_eq!(left(&["b", "free_seq"], &[]), ["a_id_seq", "mv", "of_an_extension"]);
    assert_eq!(left(&["a_id_seq"], &[]), ["free_seq", "mv", "of_an_extension"]);
    assert_eq!(left(&[], &["a"]), ["a_id_seq", "mv"], "its table keeps its rows, and goes on counting");
}
