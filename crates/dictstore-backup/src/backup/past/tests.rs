//! In whose name backups are written, what they build on, and what they must not replace.

use super::*;
use crate::plan::tests::ours;

fn identity(source: &str) -> Identity {
    Identity { id: format!("dictstore:{source}"), host: "web1:/service".to_owned() }
}

/// Backups: sequence, parent (0 for a full one), source ("" for none), records of the store.
fn entries(backups: &[(u64, u64, &str, u64)]) -> Vec<Entry> {
    let of = |(sequence, parent, source, records): &(u64, u64, &str, u64)| {
        let mut entry = ours(*sequence, *parent);
        entry.bytes = records * 10 + 2;
        if let Some(manifest) = &mut entry.manifest {
            manifest.identity = (!source.is_empty()).then(|| identity(source));
            manifest.detail.store_records = Some(*records);
        }
        entry
    };
    backups.iter().map(of).collect()
}

fn owner(base: Option<u64>, takes_over: bool) -> Owner {
    Owner::Store { base: base.map(|base| Uuid::from_u128(base.into())), takes_over }
}

#[test]
fn a_store_goes_on_with_the_source_it_came_from_and_a_new_one_begins_its_own() {
    let there = entries(&[(1, 0, "1", 5), (2, 0, "", 5), (3, 0, "2", 5)]);
    let id = |owner: Owner, entries: &[Entry]| owner.identity(entries).map(|identity| identity.map(|of| of.id));
    assert_eq!(id(owner(Some(1), false), &there), Ok(Some("dictstore:1".to_owned())));
    let fresh = id(owner(None, false), &there).unwrap().unwrap();
    assert!(!["dictstore:1", "dictstore:2"].contains(&fresh.as_str()), "{fresh}");
    let older = id(owner(Some(2), false), &there).unwrap();
    assert!(older.is_some_and(|id| id.len() > 20), "what does not say whose it is has no source to go on with");
    assert_eq!(id(owner(None, true), &there[..2]), Ok(Some("dictstore:1".to_owned())), "takes over");
    assert!(matches!(id(owner(None, true), &there), Err(Unclear::Several(_))));
    assert_eq!(
        id(owner(Some(3), true), &there),
        Ok(Some("dictstore:2".to_owned())),
        "restored, so it need not take over"
    );
    assert_eq!(id(Owner::Of(None), &there), Ok(None));
}

#[test]
fn the_head_is_ones_own_newest() {
    let there = entries(&[(1, 0, "1", 5), (2, 1, "1", 6), (3, 0, "2", 5)]);
    let head = |source: &str| Past::of(&there, Some(&identity(source))).head.map(|head| head.id);
    assert_eq!(head("1"), Some(Uuid::from_u128(2)));
    assert_eq!(head("2"), Some(Uuid::from_u128(3)));
    assert_eq!(head("3"), None);
    let mut damaged = there.clone();
    damaged[1].state = State::Damaged("shorter".to_owned());
    assert_eq!(Past::of(&damaged, Some(&identity("1"))).head, None, "nothing builds on what is damaged");
}

#[test]
fn nothing_stands_before_something_whoever_has_it() {
    let filled = |backups: &[(u64, u64, &str, u64)]| {
        Past::of(&entries(backups), Some(&identity("1"))).filled().map(str::to_owned)
    };
    assert_eq!(filled(&[]), None);
    assert_eq!(filled(&[(1, 0, "1", 0)]), None);
    let full = entries(&[(1, 0, "1", 5)])[0].name.to_string();
    assert_eq!(filled(&[(1, 0, "1", 5), (2, 1, "1", 0)]), Some(full.clone()), "below the delta that emptied it");
    assert_eq!(filled(&[(1, 0, "2", 5), (2, 0, "1", 0)]), Some(full), "another store's");
    let mut past = Past::of(&entries(&[(1, 0, "1", 5)]), Some(&identity("1")));
    let head = past.head.unwrap();
    past.add(head, Held { file: "x".to_owned(), records: 0, full: Some((2, Format::Json)) });
    assert_eq!(past.filled(), None, "somebody allowed it");
}

#[test]
fn a_full_backup_is_compared_with_the_full_one_before_and_a_delta_with_the_last() {
    let past = Past::of(&entries(&[(1, 0, "1", 100), (2, 1, "1", 10), (3, 0, "2", 9_000)]), Some(&identity("1")));
    let held = |records, full| Held { file: "x".to_owned(), records, full };
    let before = |now: &Held| past.fall(now).map(|fall| fall.before.rows);
    assert_eq!(before(&held(10, Some((102, Format::Json)))), Some(100));
    assert_eq!(before(&held(9, None)), None, "hardly less than the last");
    assert_eq!(before(&held(4, None)), Some(10));
    assert_eq!(before(&held(100, Some((400, Format::Json)))), Some(100), "bytes alone");
    assert_eq!(before(&held(100, Some((400, Format::Pickle)))), None, "another format has other bytes");
    assert_eq!(Past::of(&[], None).fall(&held(0, None)), None);
}

#[test]
fn what_others_wrote_is_seen_once() {
    let mut past = Past::of(&entries(&[(1, 0, "1", 1)]), Some(&identity("1")));
    let files = vec![entries(&[(1, 0, "1", 1)])[0].name.to_string(), "theirs".to_owned()];
    assert_eq!(past.unknown(&files), [&files[1]]);
    past.see(files.clone());
    assert!(past.unknown(&files).is_empty());
    past.rival = true;
    past.leave();
    assert!(past.head.is_none() && !past.rival && past.unknown(&files).is_empty() && past.filled().is_some());
}
