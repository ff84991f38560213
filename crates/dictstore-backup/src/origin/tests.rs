//! Whose backups are meant.

use super::*;
use crate::detail::BackupKind;
use crate::format::Format;
use crate::key::BackupName;
use crate::plan::tests::ours;

/// Full backups of these sources, in order; "" for one that does not say, "-" for one whose manifest cannot be read.
fn entries(sources: &[&str]) -> Vec<Entry> {
    let of = |(at, source): (usize, &&str)| {
        let mut entry = ours(at as u64 + 1, 0);
        match (*source, entry.manifest.as_mut()) {
            ("-", _) => {
                entry.state = State::Damaged("changed".to_owned());
                entry.manifest = None;
            }
            ("", _) | (_, None) => {}
            (source, Some(manifest)) => {
                manifest.source = format!("name-{source}");
                manifest.identity =
                    Some(Identity { id: format!("dictstore:{source}"), host: format!("web{source}:/usr/bin/service") });
            }
        }
        entry
    };
    sources.iter().enumerate().map(of).collect()
}

fn of_source(source: &str) -> Result<Meant, Unclear> {
    Ok(Meant::Of((!source.is_empty()).then(|| format!("dictstore:{source}"))))
}

fn latest(sources: &[&str], source: Option<&str>) -> Result<Meant, Unclear> {
    meant(&entries(sources), &RestoreTo::Latest, source)
}

#[test]
fn two_stores_are_never_one() {
    assert_eq!(latest(&["1", "1"], None), of_source("1"));
    let Err(Unclear::Several(each)) = latest(&["1", "2", "1"], None) else { panic!("one of two") };
    assert_eq!(each.len(), 2);
    assert!(each[0].0.contains("web1") && each[1].0.contains("web2"), "the newest first: {each:?}");
    for named in ["dictstore:2", "web2", "web2:/usr/bin/service", "/usr/bin/service", "name-2"] {
        let expected = if named.starts_with('/') { None } else { Some(of_source("2")) };
        let found = latest(&["1", "2", "1"], Some(named));
        assert!(
            expected.map_or_else(|| matches!(found, Err(Unclear::Several(_))), |expected| found == expected),
            "{named}"
        );
    }
    let Err(Unclear::NoSuch(there)) = latest(&["1", ""], Some("web9")) else { panic!("a store of that name") };
    assert_eq!(there.len(), 2);
}

#[test]
fn what_does_not_say_stands_back_and_can_be_named() {
    assert_eq!(latest(&["", ""], None), of_source(""));
    assert_eq!(latest(&["", "1", ""], None), of_source("1"));
    assert_eq!(latest(&["", "1"], Some(UNKNOWN)), of_source(""));
    assert_eq!(latest(&[], None), Ok(Meant::Unsaid));
    // A point that only the older ones reach is theirs.
    let both = entries(&["", "1"]);
    assert_eq!(meant(&both, &RestoreTo::Sequence(1), None), of_source(""));
    assert_eq!(meant(&both, &RestoreTo::Time(both[0].time().unwrap()), None), of_source(""));
    // A file is of its own store, whoever else is there.
    let three = entries(&["1", "2", ""]);
    assert_eq!(meant(&three, &RestoreTo::File(three[1].name.to_string()), None), of_source("2"));
    // DictDB's own say nothing either.
    let mut foreign = entries(&["1"]);
    let name = BackupName { kind: BackupKind::Full, micros: 1, format: Format::Json };
    foreign.insert(0, Entry { name, state: State::Foreign, bytes: 9, manifest: None });
    assert_eq!(meant(&foreign, &RestoreTo::Latest, Some(UNKNOWN)), Ok(Meant::Unsaid));
}

#[test]
fn what_cannot_be_read_may_be_anybodys() {
    let all = entries(&["1", "2", "-"]);
    let kept = of(all.clone(), &of_source("1").unwrap());
    let kept: Vec<_> = kept.iter().map(|entry| &entry.name).collect();
    assert_eq!(kept, [&all[0].name, &all[2].name]);
}

#[test]
fn a_new_store_is_none_that_was_before() {
    let (one, two) = (new_identity(), new_identity());
    assert_ne!(one.id, two.id);
    assert_eq!(seen_from_here(&one).id, one.id);
    assert!(one.host.contains(":/"), "machine and program: {}", one.host);
}
