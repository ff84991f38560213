//! What is written is read back, whole or not at all, whoever dies when.

use backup_core::digest::Sha256Digest;
use proptest::prelude::*;

use super::*;
use crate::catalogue::{Place, Stamp};
use crate::class::{Class, Tier};
use crate::entry::Entry;
use crate::lifecycle::Event;
use crate::vaulted::OpenUpload;

fn key(number: u32) -> Key {
    Key::new(format!("glacier/x/bundles/{number}")).unwrap()
}

fn archive(number: u32, stored: Option<Timestamp>) -> Archive {
    let sha256 = Sha256Digest::of(&number.to_le_bytes());
    Archive { key: key(number), role: "bundle".to_owned(), bytes: 7, sha256, class: Some(Class::DeepArchive), stored }
}

fn file(name: &str, number: Option<u32>) -> KnownFile {
    KnownFile {
        entry: Entry::example(name, b"content"),
        stamp: number.map(|_| Stamp { modified_ns: -5, inode: u64::MAX }),
        place: number.map(|number| Place { archive: key(number), offset: 1 << 40 }),
    }
}

fn opened(folder: &tempfile::TempDir) -> SqliteCatalogue {
    SqliteCatalogue::open(&folder.path().join("catalogue.sqlite"), "`x` in `mem:`").unwrap()
}

#[test]
fn what_is_written_is_read_back_by_the_next_process() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let now: Timestamp = "2026-11-21T03:00:04.123456789Z".parse().unwrap();
    let asked = Event::Intended { tier: Tier::Bulk, expected: now };
    let requested = Retrieval::default().after(&asked, now).unwrap();
    {
        let catalogue = opened(&folder);
        catalogue.add(Some(&archive(1, None)), &[file("a \"b\"", Some(1)), file("c", Some(1))]).unwrap();
        catalogue.add(None, &[file("empty", None)]).unwrap();
        catalogue.stored(&key(1), now).unwrap();
        catalogue.add(Some(&archive(2, None)), &[file("d", Some(2))]).unwrap();
        catalogue.keep(&key(1), &requested).unwrap();
        catalogue.forget(&key(2)).unwrap();
    }
    let catalogue = opened(&folder);
    assert_eq!(catalogue.archives().unwrap(), [archive(1, Some(now))]);
    let files = catalogue.files().unwrap();
    assert_eq!(files, [file("a \"b\"", Some(1)), file("c", Some(1)), file("empty", None)]);
    assert_eq!(catalogue.retrievals().unwrap(), BTreeMap::from([(key(1), requested)]));
    for name in ["catalogue.sqlite", "catalogue.sqlite-wal"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_is_known_of_a_vault_outlives_an_archive_that_never_came_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = opened(&folder);
    let upload = OpenUpload { id: "-x".to_owned(), part_bytes: 1 << 20, whole: Some((7, Sha256Digest::of(b"w"))) };
    let begun = Vaulted { upload: Some(upload), archive: None };
    let leaves = [Sha256Digest::of(b"a"), Sha256Digest::of(b"b")];
    catalogue.add(Some(&archive(1, None)), &[]).unwrap();
    catalogue.keep_vaulted(&key(1), &begun).unwrap();
    catalogue.keep_leaves(&key(1), &leaves).unwrap();
    assert_eq!(catalogue.leaves(&key(1)).unwrap(), leaves);
    catalogue.forget(&key(1)).unwrap();
    let catalogue = opened(&folder);
    assert_eq!(catalogue.vaulted().unwrap(), BTreeMap::from([(key(1), begun)]));
    assert_eq!(catalogue.leaves(&key(1)).unwrap(), []);
    catalogue.keep_vaulted(&key(1), &Vaulted::default()).unwrap();
    assert_eq!(catalogue.vaulted().unwrap(), BTreeMap::new());
}

/// One that the version before this wrote.
#[test]
fn an_older_catalogue_gets_the_tables_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    opened(&folder).add(Some(&archive(1, None)), &[]).unwrap();
    let old = Connection::open(&path).unwrap();
    old.execute_batch("DROP TABLE vaulted; DROP TABLE leaf; PRAGMA user_version = 1").unwrap();
    drop(old);
    let catalogue = opened(&folder);
    assert_eq!((catalogue.archives().unwrap().len(), catalogue.vaulted().unwrap().len()), (1, 0));
}

#[test]
fn a_catalogue_of_others_or_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    drop(opened(&folder));
    let other = SqliteCatalogue::open(&path, "`y` in `mem:`").unwrap_err();
    assert!(matches!(&other, GlacierError::Usage { what, .. } if what.contains("is of `x` in `mem:`")), "{other}");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let newer = SqliteCatalogue::open(&path, "`x` in `mem:`").unwrap_err();
    assert!(matches!(newer, GlacierError::NewerCatalogue { found: 9, supported: 2, .. }), "{newer}");
    std::fs::write(&path, "no database at all, but long enough to be taken for one".repeat(20)).unwrap();
    let garbage = SqliteCatalogue::open(&path, "`x` in `mem:`").unwrap_err();
    assert!(matches!(garbage, GlacierError::Catalogue { .. }), "{garbage}");
}

/// A write that fails half-way.
#[test]
fn an_archive_and_its_files_are_noted_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = opened(&folder);
    // A file of an archive that is not there breaks the second half.
    let files = [file("a", Some(1)), file("b", Some(99))];
    assert!(catalogue.add(Some(&archive(1, None)), &files).is_err());
    assert_eq!((catalogue.archives().unwrap(), catalogue.files().unwrap()), (Vec::new(), Vec::new()));
}

#[derive(Clone, Debug)]
enum Write {
    Add(u32, u8),
    Stored(u32),
    Forget(u32),
    Keep(u32),
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        (0u32..4, 0u8..4).prop_map(|(number, files)| Write::Add(number, files)),
        (0u32..4).prop_map(Write::Stored),
        (0u32..4).prop_map(Write::Forget),
        (0u32..4).prop_map(Write::Keep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The file as another process would find it after each write, with its journal and without a clean end: killed there.
    #[test]
    fn whoever_is_killed_leaves_what_was_written_last(writes in proptest::collection::vec(write(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let catalogue = opened(&folder);
        let mut model: (BTreeMap<Key, Archive>, BTreeMap<String, KnownFile>, usize) = Default::default();
        for (at, write) in writes.into_iter().enumerate() {
            let now = Timestamp::from_second(at as i64).unwrap();
            match write {
                Write::Add(number, count) => {
                    let files: Vec<_> = (0..count).map(|at| file(&format!("{number}/{at}"), Some(number))).collect();
                    catalogue.add(Some(&archive(number, None)), &files).unwrap();
                    model.0.insert(key(number), archive(number, None));
                    model.1.extend(files.into_iter().map(|file| (file.entry.name.clone(), file)));
                }
                Write::Stored(number) => {
                    catalogue.stored(&key(number), now).unwrap();
                    if let Some(archive) = model.0.get_mut(&key(number)) {
                        archive.stored = Some(now);
                    }
                }
                Write::Forget(number) => {
                    catalogue.forget(&key(number)).unwrap();
                    model.0.remove(&key(number));
                    model.2 = catalogue.retrievals().unwrap().len();
                    model.1.retain(|_, file| file.place.as_ref().is_none_or(|place| place.archive != key(number)));
                }
                Write::Keep(number) => {
                    let since = Retrieval { since: now, ..Retrieval::default() };
                    catalogue.keep(&key(number), &since).unwrap();
                    model.2 = catalogue.retrievals().unwrap().len();
                }
            }
            let killed = tempfile::tempdir().unwrap();
            for file in std::fs::read_dir(folder.path()).unwrap() {
                let file = file.unwrap();
                // The shared memory goes with the process.
                if !file.file_name().to_string_lossy().ends_with("-shm") {
                    std::fs::copy(file.path(), killed.path().join(file.file_name())).unwrap();
                }
            }
            let found = opened(&killed);
            prop_assert_eq!(found.archives().unwrap(), model.0.values().cloned().collect::<Vec<_>>());
            prop_assert_eq!(found.files().unwrap(), model.1.values().cloned().collect::<Vec<_>>());
            prop_assert_eq!(found.retrievals().unwrap().len(), model.2);
        }
    }
}
