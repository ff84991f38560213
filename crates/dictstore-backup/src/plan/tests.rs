//! Tests of planning: chains by manifests, gaps, and DictDB's files without any.

use backup_core::manifest::{Kind, Manifest};

use super::*;
use crate::detail::DictDetail;
use crate::entry::DictManifest;
use crate::format::Format;

fn id(number: u64) -> Uuid {
    Uuid::from_u128(number.into())
}

/// A published backup with that sequence number; `parent` 0 makes it full.
pub(crate) fn ours(sequence: u64, parent: u64) -> Entry {
    let kind = if parent == 0 { BackupKind::Full } else { BackupKind::Delta };
    let time = Timestamp::from_second(1_000 + sequence as i64).unwrap();
    let detail = DictDetail {
        backup: kind,
        format: Format::Json,
        full: id(1),
        deltas: 0,
        tables: Vec::new(),
        ddl: Vec::new(),
        store_records: None,
        content: None,
    };
    let mut manifest: DictManifest = Manifest::new(Kind::Dict, "s", time, detail);
    manifest.id = id(sequence);
    manifest.parent = (parent > 0).then(|| id(parent));
    manifest.sequence = sequence;
    let name = BackupName { kind, micros: time.as_microsecond(), format: Format::Json };
    Entry { name, state: State::Good, bytes: 0, manifest: Some(manifest) }
}

fn foreign(kind: BackupKind, second: i64) -> Entry {
    let name = BackupName { kind, micros: second * 1_000_000, format: Format::Json };
    Entry { name, state: State::Foreign, bytes: 0, manifest: None }
}

fn places(entries: &[Entry], to: RestoreTo) -> Result<Vec<usize>, PlanFault> {
    plan(entries, &to).map(|plan| plan.entries)
}

#[test]
fn t3_older_deltas_beside_a_newer_full_are_not_taken() {
    let entries = [ours(1, 0), ours(2, 1), ours(3, 2), ours(4, 0), ours(5, 4)];
    assert_eq!(places(&entries, RestoreTo::Latest), Ok(vec![3, 4]));
    assert_eq!(places(&entries, RestoreTo::Sequence(3)), Ok(vec![0, 1, 2]));
    assert_eq!(places(&entries, RestoreTo::Sequence(4)), Ok(vec![3]));
    assert_eq!(places(&entries, RestoreTo::Time(Timestamp::from_second(1_002).unwrap())), Ok(vec![0, 1]));
    assert_eq!(places(&entries, RestoreTo::File(entries[1].name.to_string())), Ok(vec![0, 1]));
    for nothing in [RestoreTo::Sequence(9), RestoreTo::Time(Timestamp::UNIX_EPOCH), RestoreTo::File("x".to_owned())] {
        assert_eq!(places(&entries, nothing), Err(PlanFault::Nothing));
    }
}

#[test]
fn t2_a_gap_is_refused_with_the_last_whole_point() {
    let all = [ours(1, 0), ours(2, 1), ours(3, 2), ours(4, 3)];
    let missing: Vec<Entry> = [0, 1, 3].map(|at| all[at].clone()).into();
    let Err(PlanFault::Gap { what, whole, wanted, .. }) = places(&missing, RestoreTo::Latest) else { panic!("a plan") };
    assert!(what.contains("sequence number 3"), "{what}");
    assert_eq!(whole, Some(all[1].name.to_string()));
    assert_eq!(wanted, all[3].name.to_string());
    assert_eq!(places(&missing, RestoreTo::File(whole.unwrap())), Ok(vec![0, 1]));

    let mut damaged = all.to_vec();
    damaged[3].state = State::Damaged("shorter".to_owned());
    damaged[3].manifest = None;
    let Err(PlanFault::Gap { whole, .. }) = places(&damaged, RestoreTo::Latest) else { panic!("a plan") };
    assert_eq!(whole, Some(all[2].name.to_string()));
}

#[test]
fn a_backup_that_builds_on_itself_is_a_gap() {
    assert!(matches!(places(&[ours(1, 2), ours(2, 1)], RestoreTo::Latest), Err(PlanFault::Gap { .. })));
}

#[test]
fn dictdbs_files_are_the_newest_full_and_the_deltas_after_it() {
    use BackupKind::{Delta, Full};
    let mut entries = [foreign(Full, 1), foreign(Delta, 2), foreign(Full, 3), foreign(Delta, 4), foreign(Delta, 5)];
    assert_eq!(places(&entries, RestoreTo::Latest), Ok(vec![2, 3, 4]));
    assert_eq!(places(&entries, RestoreTo::Time(Timestamp::from_second(2).unwrap())), Ok(vec![0, 1]));
    entries[2].state = State::Torn("cut off".to_owned());
    entries[3].state = State::Torn("cut off".to_owned());
    let plan = plan(&entries, &RestoreTo::Latest).unwrap();
    assert_eq!((plan.entries, plan.left_out.len(), plan.verified), (vec![0, 1, 4], 2, false));
}

#[test]
fn what_an_interrupted_run_left_is_told_and_not_taken() {
    let mut left = foreign(BackupKind::Delta, 1_003);
    left.state = State::Unpublished;
    let plan = plan(&[ours(1, 0), ours(2, 1), left], &RestoreTo::Latest).unwrap();
    assert_eq!((plan.entries, plan.left_out.len()), (vec![0, 1], 1));
}

#[test]
fn what_another_process_wrote_meanwhile_is_told() {
    // Both go on from the first: 1 ← 2 ← 4, and 1 ← 3.
    let entries = [ours(1, 0), ours(2, 1), ours(3, 1), ours(4, 2)];
    let found = plan(&entries, &RestoreTo::Latest).unwrap();
    assert_eq!(found.entries, [0, 1, 3]);
    assert_eq!(found.left_out.len(), 1);
    assert!(found.left_out[0].file == entries[2].name.to_string() && found.left_out[0].why.contains("another service"));
    // What is younger than the point that is wanted is no branch.
    assert_eq!(plan(&entries, &RestoreTo::Sequence(2)).unwrap().left_out, []);
}

#[test]
fn what_cannot_be_read_is_wanted_all_the_same_and_what_is_whole_before_it_is_named() {
    let mut entries = vec![ours(1, 0), ours(2, 1), ours(3, 0)];
    let newest = &mut entries[2];
    (newest.state, newest.manifest) = (State::Unreadable("not allowed".to_owned()), None);
    let Err(PlanFault::Gap { wanted, whole, unreadable, .. }) = places(&entries, RestoreTo::Latest) else {
        panic!("a plan")
    };
    assert_eq!((wanted, whole.clone()), (entries[2].name.to_string(), Some(entries[1].name.to_string())));
    assert!(unreadable);
    let older = plan(&entries, &RestoreTo::File(whole.unwrap())).unwrap();
    assert_eq!(older.entries, [0, 1]);
    assert!(older.left_out.iter().any(|left| left.file == entries[2].name.to_string()), "{:?}", older.left_out);
    // A delta whose parent may be the one that cannot be read.
    let orphan = [entries[2].clone(), ours(5, 4)];
    assert!(matches!(places(&orphan, RestoreTo::Latest), Err(PlanFault::Gap { unreadable: true, whole: None, .. })));
}
