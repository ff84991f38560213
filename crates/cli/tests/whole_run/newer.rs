//! Backups of a newer version: refused by name, and nothing beside them is deleted.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::run;

/// The manifests below `folder`, in order of their names.
fn manifests(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder.join(".lastgood/app/backup")).expect("a folder").map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(".manifest.json")).collect();
    found.sort();
    found
}

#[test]
fn a_backup_that_requires_an_unknown_feature_is_neither_restored_nor_pruned() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    assert_eq!(run(at, "init -q").code, Some(0));
    fs::create_dir(at.join("records")).expect("a folder");
    fs::write(at.join("records/Note--notes.json"), "{\"id\":1}\n").expect("a file");
    for _ in 0..3 {
        assert_eq!(run(at, "app backup --source ndjson:records").code, Some(0));
    }
    let before = manifests(at);
    let newer = &before[1];
    let text = fs::read_to_string(newer).expect("a manifest");
    let edited = text.replacen("\"sequence\":", "\"requires\":[\"vaults\"],\"sequence\":", 1);
    assert_ne!(edited, text);
    fs::write(newer, edited).expect("a manifest");

    let name = newer.file_name().unwrap().to_string_lossy();
    let key = format!("backup/{}", name.strip_suffix(".manifest.json").unwrap());
    let restore = format!("app restore {key} --to ndjson:out");
    for line in [restore.as_str(), "app prune --keep-last 1 --yes", "app prune --keep-last 1 -n"] {
        let refused = run(at, line);
        assert_eq!(refused.code, Some(16), "{line}: {refused:?}");
        assert!(refused.stderr.contains("requires `vaults`") && refused.stderr.contains(&*name), "{line}: {refused:?}");
    }
    assert_eq!(manifests(at), before, "nothing was deleted");
    assert!(!at.join("out").exists(), "nothing was restored");
}
