//! What every catalogue must do, wherever it keeps what it knows: the same tests for all of them.

use std::collections::BTreeMap;

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::catalogue::{Archive, Catalogue, KnownFile, Place, Stamp};
use crate::class::{Class, Tier};
use crate::entry::Entry;
use crate::lifecycle::{Event, Retrieval};
use crate::vaulted::{OpenUpload, Vaulted};

/// Opens the same catalogue, as another process would.
pub(super) type Open<'a> = &'a dyn Fn() -> Box<dyn Catalogue>;

pub(super) fn key(number: u32) -> Key {
    Key::new(format!("glacier/x/bundles/{number}")).unwrap()
}

pub(super) fn archive(number: u32, stored: Option<Timestamp>) -> Archive {
    let sha256 = Sha256Digest::of(&number.to_le_bytes());
    Archive { key: key(number), role: "bundle".to_owned(), bytes: 7, sha256, class: Some(Class::DeepArchive), stored }
}

pub(super) fn file(name: &str, number: Option<u32>) -> KnownFile {
    KnownFile {
        entry: Entry::example(name, b"content"),
        stamp: number.map(|_| Stamp { modified_ns: -5, inode: u64::MAX }),
        place: number.map(|number| Place { archive: key(number), offset: 1 << 40 }),
    }
}

pub(super) fn what_is_written_is_read_back(open: Open<'_>) {
    let now: Timestamp = "2026-11-21T03:00:04.123456789Z".parse().unwrap();
    let asked = Event::Intended { tier: Tier::Bulk, expected: now };
    let requested = Retrieval::default().after(&asked, now).unwrap();
    {
        let catalogue = open();
        catalogue.add(Some(&archive(1, None)), &[file("a \"b\"", Some(1)), file("c", Some(1))]).unwrap();
        catalogue.add(None, &[file("empty", None), file("Zoë", None)]).unwrap();
        catalogue.stored(&key(1), now).unwrap();
        catalogue.add(Some(&archive(2, None)), &[file("d", Some(2))]).unwrap();
        catalogue.keep(&key(1), &requested).unwrap();
        catalogue.forget(&key(2)).unwrap();
        // One that was seen again, with another content.
        catalogue.add(None, &[KnownFile { entry: Entry::example("c", b"other"), ..file("c", Some(1)) }]).unwrap();
    }
    let catalogue = open();
    assert_eq!(catalogue.archives().unwrap(), [archive(1, Some(now))]);
    let files = catalogue.files().unwrap();
    let c = KnownFile { entry: Entry::example("c", b"other"), ..file("c", Some(1)) };
    assert_eq!(files, [file("Zoë", None), file("a \"b\"", Some(1)), c, file("empty", None)]);
    assert_eq!(catalogue.retrievals().unwrap(), BTreeMap::from([(key(1), requested)]));
}

pub(super) fn what_is_known_of_a_vault_outlives_an_archive(open: Open<'_>) {
    let upload = OpenUpload { id: "-x".to_owned(), part_bytes: 1 << 20, whole: Some((7, Sha256Digest::of(b"w"))) };
    let begun = Vaulted { upload: Some(upload), archive: None };
    let leaves = [Sha256Digest::of(b"a"), Sha256Digest::of(b"b")];
    {
        let catalogue = open();
        catalogue.add(Some(&archive(1, None)), &[]).unwrap();
        catalogue.keep_vaulted(&key(1), &begun).unwrap();
        catalogue.keep_leaves(&key(1), &leaves).unwrap();
        assert_eq!(catalogue.leaves(&key(1)).unwrap(), leaves);
        catalogue.forget(&key(1)).unwrap();
    }
    let catalogue = open();
    assert_eq!(catalogue.vaulted().unwrap(), BTreeMap::from([(key(1), begun)]));
    assert_eq!(catalogue.leaves(&key(1)).unwrap(), []);
    catalogue.keep_vaulted(&key(1), &Vaulted::default()).unwrap();
    assert_eq!(catalogue.vaulted().unwrap(), BTreeMap::new());
}

/// A write that fails half-way.
pub(super) fn an_archive_and_its_files_are_noted_together_or_not_at_all(open: Open<'_>) {
    let catalogue = open();
    // A file of an archive that is not there breaks the second half.
    let files = [file("a", Some(1)), file("b", Some(99))];
    assert!(catalogue.add(Some(&archive(1, None)), &files).is_err());
    assert_eq!((catalogue.archives().unwrap(), catalogue.files().unwrap()), (Vec::new(), Vec::new()));
    // And it can be used on.
    catalogue.add(Some(&archive(1, None)), &files[..1]).unwrap();
    assert_eq!(open().files().unwrap().len(), 1);
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    Add(u32, u8),
    Stored(u32),
    Forget(u32),
    Keep(u32),
}

pub(super) fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        (0u32..4, 0u8..4).prop_map(|(number, files)| Write::Add(number, files)),
        (0u32..4).prop_map(Write::Stored),
        (0u32..4).prop_map(Write::Forget),
        (0u32..4).prop_map(Write::Keep),
    ]
}

/// What a catalogue should know.
#[derive(Debug, Default)]
pub(super) struct Model {
    archives: BTreeMap<Key, Archive>,
    files: BTreeMap<String, KnownFile>,
    retrievals: BTreeMap<Key, Retrieval>,
}

impl Model {
    /// Writes the same to both.
    pub(super) fn write(&mut self, catalogue: &dyn Catalogue, write: &Write, at: usize) {
        let now = Timestamp::from_second(at as i64).unwrap();
        match write {
            Write::Add(number, count) => {
                let files: Vec<_> = (0..*count).map(|at| file(&format!("{number}/{at}"), Some(*number))).collect();
                catalogue.add(Some(&archive(*number, None)), &files).unwrap();
                self.archives.insert(key(*number), archive(*number, None));
                self.files.extend(files.into_iter().map(|file| (file.entry.name.clone(), file)));
            }
            Write::Stored(number) => {
                catalogue.stored(&key(*number), now).unwrap();
                if let Some(archive) = self.archives.get_mut(&key(*number)) {
                    archive.stored = Some(now);
                }
            }
            Write::Forget(number) => {
                catalogue.forget(&key(*number)).unwrap();
                self.archives.remove(&key(*number));
                self.retrievals.remove(&key(*number));
                self.files.retain(|_, file| file.place.as_ref().is_none_or(|place| place.archive != key(*number)));
            }
            Write::Keep(number) => {
                let since = Retrieval { since: now, ..Retrieval::default() };
                catalogue.keep(&key(*number), &since).unwrap();
                self.retrievals.insert(key(*number), since);
            }
        }
    }

    /// Whether the catalogue knows that and nothing else.
    pub(super) fn check(&self, found: &dyn Catalogue) {
        assert_eq!(found.archives().unwrap(), self.archives.values().cloned().collect::<Vec<_>>());
        assert_eq!(found.files().unwrap(), self.files.values().cloned().collect::<Vec<_>>());
        assert_eq!(found.retrievals().unwrap(), self.retrievals);
    }
}
