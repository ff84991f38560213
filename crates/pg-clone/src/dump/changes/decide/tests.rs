//! Tests of what need not be read.

use proptest::prelude::*;

use super::*;
use crate::stored::base::RangeBase;
use crate::stored::row_hash::RowHash;

fn base() -> Base {
    Base {
        lsn: Lsn(500),
        next_xid: 100,
        timeline: 1,
        instance: 7,
        database: 5,
        text: Sha256Digest::of(b"text"),
        history: vec![summary(300, 500)],
    }
}

fn summary(start: u64, end: u64) -> Summary {
    Summary { start: Lsn(start), end: Lsn(end), entries: 3, hash: "-12".to_owned() }
}

fn place() -> Place {
    Place { timeline: 1, instance: 7, database: 5, text: Sha256Digest::of(b"text") }
}

fn span(start: u64, end: u64) -> Span {
    Span { timeline: 1, start: Lsn(start), end: Lsn(end) }
}

#[test]
fn only_the_same_server_database_and_text_will_do() {
    assert_eq!(same_place(&base(), &place()), Ok(()));
    let refused = |now: Place| same_place(&base(), &now).unwrap_err();
    assert_eq!(refused(Place { timeline: 2, ..place() }), WhyAll::OtherTimeline { then: 1, now: 2 });
    assert_eq!(refused(Place { instance: 8, ..place() }), WhyAll::Restarted);
    assert_eq!(refused(Place { database: 6, ..place() }), WhyAll::OtherDatabase);
    assert_eq!(refused(Place { text: Sha256Digest::of(b"other"), ..place() }), WhyAll::OtherText);
}

#[test]
fn summaries_must_join_without_a_gap() {
    let all = [span(600, 700), span(100, 500), span(500, 600)];
    assert_eq!(joined(1, Lsn(500), Lsn(650), &all), Ok(vec![span(500, 600), span(600, 700)]));
    assert_eq!(joined(1, Lsn(450), Lsn(700), &all).unwrap().len(), 3);
    assert_eq!(joined(1, Lsn(500), Lsn(500), &all), Ok(Vec::new()), "nothing was written");
    assert_eq!(joined(1, Lsn(500), Lsn(701), &all), Err(WhyAll::Gap { at: Lsn(700), next: None }));
    assert_eq!(joined(1, Lsn(50), Lsn(700), &all), Err(WhyAll::Gap { at: Lsn(50), next: Some(Lsn(100)) }));
    assert!(joined(2, Lsn(500), Lsn(650), &all).is_err(), "of another timeline");
    let gap = [span(500, 600), span(601, 700)];
    assert_eq!(joined(1, Lsn(500), Lsn(700), &gap), Err(WhyAll::Gap { at: Lsn(600), next: Some(Lsn(601)) }));
    assert_eq!(joined(1, Lsn(500), Lsn(700), &[span(400, 500), span(450, 700)]), Ok(vec![span(450, 700)]));
}

#[test]
fn history_is_the_same_or_it_is_another() {
    let then = [summary(100, 300), summary(300, 500)];
    assert_eq!(same_history(&then, &then), Ok(()));
    for now in [&then[1..], &[], &[summary(100, 300), Summary { entries: 4, ..summary(300, 500) }]] {
        assert_eq!(same_history(&then, now), Err(WhyAll::OtherHistory));
    }
    let other = Summary { hash: "-13".to_owned(), ..summary(300, 500) };
    assert_eq!(same_history(&then, &[summary(100, 300), other]), Err(WhyAll::OtherHistory));
    assert_eq!(same_history(&[], &[]), Err(WhyAll::OtherHistory), "nothing proves nothing");
    let all = [span(0, 100), span(100, 300), span(300, 500), span(500, 600)];
    assert_eq!(before(1, Lsn(500), 2, &all), all[1..3]);
    assert_eq!(before(1, Lsn(550), 2, &all), all[2..4], "the one that the base lies in counts");
    assert!(before(1, Lsn(601), 2, &all).is_empty() && before(2, Lsn(500), 2, &all).is_empty());
}

#[test]
fn a_transaction_that_was_open_at_a_checkpoint_rules_it_out() {
    let checkpoint = |redo, next_xid| Checkpoint { redo: Lsn(redo), timeline: 1, next_xid };
    let all = [checkpoint(100, 40), checkpoint(300, 60), checkpoint(200, 50)];
    assert_eq!(newest_base(&all, 1, 60), Some(all[1]));
    assert_eq!(newest_base(&all, 1, 59), Some(all[2]), "59 was there at the last one");
    assert_eq!(newest_base(&all, 1, 39), None);
    assert_eq!(newest_base(&all, 2, 60), None);
}

fn then(pages: u64, step: Option<u64>) -> TableBase {
    let count = step.map_or(1, |step| pages.div_ceil(step).max(1));
    let range = RangeBase { frames: 1, row_hash: RowHash::default() };
    let ranges = vec![range; usize::try_from(count).unwrap()];
    TableBase { tablespace: 1663, filenode: 20, toast: 21, pages, step, text: Sha256Digest::of(b"t"), ranges }
}

fn ranges(pages: u64, step: u64) -> Vec<PageRange> {
    let parts = pages.div_ceil(step).max(1);
    (0..parts).map(|part| PageRange { from: part * step, to: (part + 1 < parts).then(|| (part + 1) * step) }).collect()
}

fn now(pages: u64, step: u64) -> TableNow {
    TableNow {
        tablespace: 1663,
        filenode: 20,
        toast: 21,
        is_heap: true,
        is_logged: true,
        has_condition: false,
        text: Sha256Digest::of(b"t"),
        opaque: None,
        ranges: ranges(pages, step),
    }
}

fn changed(pages: &[u64], limit: Option<u64>) -> Changed {
    let file = ChangedFile { limit, pages: pages.iter().copied().collect() };
    Changed { all: false, files: HashMap::from([((1663, 20), file)]) }
}

fn kept(then: &TableBase, now: &TableNow, changed: &Changed) -> Vec<Option<usize>> {
    table(Some(then), now, changed).kept
}

#[test]
fn only_ranges_with_changed_pages_are_read() {
    let then = then(100, Some(32));
    let all = [Some(0), Some(1), Some(2), Some(3)];
    assert_eq!(table(Some(&then), &now(100, 32), &Changed::default()), Decision { kept: all.to_vec(), why: None });
    let some = table(Some(&then), &now(100, 32), &changed(&[31, 32], None));
    assert_eq!(some, Decision { kept: vec![None, None, Some(2), Some(3)], why: Some(WhyTable::Changed) });
    // The file grew: the last range may be longer, and those behind it are new.
    assert_eq!(kept(&then, &now(120, 32), &changed(&[100], None)), [Some(0), Some(1), Some(2), None]);
    assert_eq!(kept(&then, &now(140, 32), &changed(&[128], None)), [Some(0), Some(1), Some(2), Some(3), None]);
    assert_eq!(kept(&then, &now(140, 32), &changed(&[127, 128], None)), [Some(0), Some(1), Some(2), None, None]);
    // It was cut off.
    assert_eq!(kept(&then, &now(60, 32), &changed(&[], Some(60))), [Some(0), None]);
    assert_eq!(kept(&then, &now(64, 32), &changed(&[], Some(64))), [Some(0), None], "the last one was none");
}

#[test]
fn ranges_that_begin_elsewhere_are_read() {
    let other = table(Some(&then(100, Some(32))), &now(100, 64), &Changed::default());
    assert_eq!(other, Decision { kept: vec![None, None], why: Some(WhyTable::OtherRanges) });
    assert_eq!(kept(&then(100, Some(64)), &now(100, 32), &Changed::default())[0], None);
    // In one piece then and now, or in several now of which the first has all.
    assert_eq!(kept(&then(100, None), &now(100, 200), &Changed::default()), [Some(0)]);
    assert_eq!(kept(&then(100, None), &now(210, 100), &changed(&[100, 200], None)), [Some(0), None, None]);
    assert_eq!(kept(&then(100, None), &now(100, 50), &Changed::default()), [None, None]);
    assert_eq!(kept(&then(0, Some(32)), &now(0, 32), &Changed::default()), [Some(0)], "nothing is nothing");
}

#[test]
fn whatever_else_is_known_of_a_table_has_it_read() {
    let (then, none) = (then(100, Some(32)), Changed::default());
    let why = |then: Option<&TableBase>, now: &TableNow, changed: &Changed| {
        let decision = table(then, now, changed);
        assert!(decision.kept.iter().all(Option::is_none) && decision.kept.len() == now.ranges.len());
        decision.why.unwrap()
    };
    let with = |change: fn(&mut TableNow)| {
        let mut now = now(100, 32);
        change(&mut now);
        why(Some(&then), &now, &none)
    };
    assert_eq!(with(|now| now.is_logged = false), WhyTable::Unlogged);
    assert_eq!(with(|now| now.has_condition = true), WhyTable::Condition);
    assert_eq!(with(|now| now.is_heap = false), WhyTable::OtherAccessMethod);
    assert_eq!(with(|now| now.opaque = Some("c".to_owned())), WhyTable::Opaque("c".to_owned()));
    assert_eq!(with(|now| now.text = Sha256Digest::of(b"other")), WhyTable::OtherText);
    assert_eq!(with(|now| now.filenode = 22), WhyTable::Rewritten);
    assert_eq!(with(|now| now.toast = 22), WhyTable::Rewritten);
    assert_eq!(with(|now| now.tablespace = 1664), WhyTable::Rewritten);
    assert_eq!(why(None, &now(100, 32), &none), WhyTable::New);
    assert_eq!(why(Some(&then), &now(100, 32), &changed(&[], Some(0))), WhyTable::Rewritten);
    assert_eq!(why(Some(&then), &now(100, 32), &Changed { all: true, ..none.clone() }), WhyTable::DatabaseCopied);
    for wrong in [
        TableBase { pages: 200, ..then.clone() },
        TableBase { step: Some(0), ..then.clone() },
        TableBase { step: None, ..then.clone() },
        TableBase { ranges: Vec::new(), ..then.clone() },
    ] {
        assert_eq!(why(Some(&wrong), &now(100, 32), &none), WhyTable::Contradiction);
    }
}

#[test]
fn samples_are_about_as_large_as_they_are_to_be() {
    let count = |percent| (0..10_000).filter(|from| is_sampled(percent, "shop/x", "public.t", *from)).count();
    assert_eq!((count(0), count(100)), (0, 10_000));
    assert!((400..600).contains(&count(5)), "{}", count(5));
    let both = (0..10_000)
        .filter(|from| is_sampled(5, "shop/x", "public.t", *from) && is_sampled(5, "shop/y", "public.t", *from));
    assert!(both.count() < 60, "another dump takes another sample");
}

/// What is done to the pages of a file between two dumps.
#[derive(Clone, Debug)]
enum Step {
    Change(usize),
    Append(u8),
    /// As a vacuum does with empty pages at the end.
    CutOff(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<usize>().prop_map(Step::Change),
        2 => (1..60_u8).prop_map(Step::Append),
        1 => (1..60_u8).prop_map(Step::CutOff),
    ];
    prop::collection::vec(step, 0..12)
}

proptest! {
    /// A file as its pages, each with what is in it: what is kept is what is there.
    #[test]
    fn kept_ranges_have_what_the_pages_have(
        pages in 0_usize..300, steps in steps(), before in 3..7_u32, after in 3..7_u32, whole in any::<bool>(), noise in prop::collection::vec(0..400_u64, 0..3),
    ) {
        let mut file: Vec<u64> = (0..pages as u64).collect();
        let old = file.clone();
        let (mut touched, mut limit, mut next) = (BTreeSet::from_iter(noise), None, 1_000_000);
        for step in steps {
            match step {
                Step::Change(at) if !file.is_empty() => {
                    let at = at % file.len();
                    (file[at], next) = (next, next + 1);
                    touched.insert(at as u64);
                }
                Step::Append(count) => for _ in 0..count {
                    touched.insert(file.len() as u64);
                    file.push(next);
                    next += 1;
                },
                Step::CutOff(count) => {
                    file.truncate(file.len().saturating_sub(count.into()));
                    limit = Some(limit.map_or(file.len() as u64, |limit: u64| limit.min(file.len() as u64)));
                }
                Step::Change(_) => {}
            }
        }
        let (before, after) = (1_u64 << before, 1_u64 << after);
        let then = then(pages as u64, (!whole).then_some(before));
        let now = now(file.len() as u64, after);
        let changed = Changed { all: false, files: HashMap::from([((1663, 20), ChangedFile { limit, pages: touched })]) };
        let decision = table(Some(&then), &now, &changed);
        prop_assert_eq!(decision.kept.iter().all(Option::is_some), decision.why.is_none());
        let cut = |file: &[u64], from: u64, to: Option<u64>| -> Vec<u64> {
            let to = to.unwrap_or(u64::MAX);
            file.iter().enumerate().filter(|(at, _)| (from..to).contains(&(*at as u64))).map(|(_, page)| *page).collect()
        };
        let mut all = Vec::new();
        for (range, kept) in now.ranges.iter().zip(&decision.kept) {
            all.extend(match kept {
                None => cut(&file, range.from, range.to),
                Some(at) => {
                    let from = *at as u64 * then.step.unwrap_or_default();
                    let to = (at + 1 < then.ranges.len()).then(|| from + then.step.unwrap_or_default());
                    cut(&old, from, to)
                }
            });
        }
        prop_assert_eq!(all, file);
    }

    #[test]
    fn joined_summaries_reach_all_of_it(ends in prop::collection::btree_set(1..200_u64, 1..12), missing in any::<prop::sample::Index>(), from in 0..200_u64, until in 0..200_u64) {
        let ends: Vec<u64> = ends.into_iter().collect();
        let mut all: Vec<Span> = ends.windows(2).map(|pair| span(pair[0], pair[1])).collect();
        let covers = |all: &[Span], at: u64| all.iter().any(|span| span.start <= Lsn(at) && Lsn(at) < span.end);
        for _ in 0..2 {
            let joined = joined(1, Lsn(from), Lsn(until), &all);
            prop_assert_eq!(joined.is_ok(), (from..until).all(|at| covers(&all, at)));
            if let Ok(chosen) = joined {
                prop_assert!((from..until).all(|at| covers(&chosen, at)));
            }
            if !all.is_empty() {
                all.remove(missing.index(all.len()));
            }
        }
    }
}
