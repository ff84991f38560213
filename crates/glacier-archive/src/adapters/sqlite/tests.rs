//! What is written is read back, whole or not at all, whoever dies when.

use proptest::prelude::*;

use super::*;
use crate::adapters::contract::{self, Model, archive, write};

fn opened(folder: &tempfile::TempDir) -> SqliteCatalogue {
    SqliteCatalogue::open(&folder.path().join("catalogue.sqlite"), "`x` in `mem:`").unwrap()
}

#[test]
fn it_keeps_the_contract_of_catalogues() {
    use std::os::unix::fs::PermissionsExt as _;
    let folders: [tempfile::TempDir; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let open = |at: usize| {
        let folder = &folders[at];
        move || Box::new(opened(folder)) as Box<dyn Catalogue>
    };
    contract::what_is_written_is_read_back(&open(0));
    contract::what_is_known_of_a_vault_outlives_an_archive(&open(1));
    contract::an_archive_and_its_files_are_noted_together_or_not_at_all(&open(2));
    let _open = opened(&folders[0]);
    for name in ["catalogue.sqlite", "catalogue.sqlite-wal"] {
        let mode = std::fs::metadata(folders[0].path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
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
    assert!(matches!(garbage, GlacierError::DamagedCatalogue { .. }), "{garbage}");
}

#[test]
fn another_program_that_has_it_open_for_itself_is_named() {
    let folder = tempfile::tempdir().unwrap();
    drop(opened(&folder));
    let path = folder.path().join("catalogue.sqlite");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let held = SqliteCatalogue::open(&path, "`x` in `mem:`").unwrap_err();
    assert!(matches!(held, GlacierError::CatalogueInUse { .. }), "{held}");
    drop(other);
    opened(&folder);
}

#[test]
fn what_is_no_file_is_neither_waited_for_nor_followed() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let refused = SqliteCatalogue::open(&path, "`x` in `mem:`").unwrap_err();
    assert!(matches!(refused, GlacierError::Folder { .. }), "{refused}");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
    SqliteCatalogue::open(&path, "`x` in `mem:`").unwrap_err();
    assert!(!folder.path().join("elsewhere").exists(), "the link was followed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The file as another process would find it after each write, with its journal and without a clean end: killed there.
    #[test]
    fn whoever_is_killed_leaves_what_was_written_last(writes in proptest::collection::vec(write(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let catalogue = opened(&folder);
        let mut model = Model::default();
        for (at, write) in writes.iter().enumerate() {
            model.write(&catalogue, write, at);
            let killed = tempfile::tempdir().unwrap();
            for file in std::fs::read_dir(folder.path()).unwrap() {
                let file = file.unwrap();
                // The shared memory goes with the process.
                if !file.file_name().to_string_lossy().ends_with("-shm") {
                    std::fs::copy(file.path(), killed.path().join(file.file_name())).unwrap();
                }
            }
            model.check(&opened(&killed));
        }
    }
}
