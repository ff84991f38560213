//! Signals at the steps of commands that need no server: they end in order, with their code and nothing half-done.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::binary::{Run, lastgood, paused, run, signal};

/// DictDB's own full backup, which every `dict` command reads.
const BACKUP: &str = "dictdb_backup_1795230100_113698.json";

/// A location with that backup, and a file that commands are asked to replace.
fn bench() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().join("backups");
    assert_eq!(run(folder.path(), "init -q -r backups").code, Some(0));
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dictstore-backup/tests/fixtures/chain").join(BACKUP);
    fs::copy(fixture, place.join(BACKUP)).expect("the fixture");
    fs::write(folder.path().join("old.pickle"), "what was there").expect("a file");
    folder
}

/// Every file below `folder` with its content.
fn picture(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                files.insert(entry.clone(), fs::read(&entry).expect("a file"));
            }
        }
    }
    files
}

#[test]
fn c16_dict_commands_end_at_a_signal_and_leave_everything_as_it_was() {
    let bench = bench();
    let pause = bench.path().join("pause");
    let before = picture(bench.path());
    let restore = "dict restore backups --force --to old.pickle";
    let convert = format!("dict convert backups/{BACKUP} old.pickle");
    let diff = format!("dict diff {BACKUP} {BACKUP} backups");
    let points = [
        ("dict verify backups", "dict.verify"),
        ("dict compact backups", "dict.read"),
        ("dict compact backups", "dict.full"),
        ("dict compact backups", "dict.publish"),
        (restore, "dict.read"),
        (restore, "dict.file"),
        (&convert, "dict.read"),
        (&convert, "dict.file"),
        (&diff, "dict.read"),
    ];
    for (at, (line, step)) in points.into_iter().enumerate() {
        let (name, code) = [("TERM", 143), ("INT", 130), ("HUP", 143)][at % 3];
        let child = paused(lastgood(bench.path(), line), step, &pause);
        signal(&child, name);
        let ended: Run = child.wait_with_output().expect("it ends").into();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{line} at {step}: {ended:?}");
        assert!(ended.stderr.contains("error[dict::interrupted]: interrupted; nothing was"), "{line}: {ended:?}");
        fs::remove_file(&pause).expect("the pause's file");
        let folders = ["backups", "backups/manifests"].map(|folder| bench.path().join(folder));
        assert_eq!(picture(bench.path()), before, "{line} at {step}: {folders:?}");
    }
    assert_eq!(run(bench.path(), "dict compact backups").code, Some(0), "nothing stands in the way of the next run");
}
