//! What stays because a manifest beside it cannot be read: that backup may build on it, or share its objects.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::catalogue::{Entry, is_manifest};
use crate::error::FormatError;
use crate::key::Key;
use crate::retention::{Action, RetentionPlan};

/// Backups that rules would delete and that stay because of one that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    /// The manifest that cannot be read.
    pub manifest: Key,
    /// Why not.
    pub why: String,
    /// How many backups stay because of it.
    pub backups: u64,
}

/// Segments that the keys of neighbours begin with: no writer shares objects beyond that.
pub(super) const NEIGHBOURHOOD_SEGMENTS: usize = 2;

/// Where the backups are that may refer to each other's objects: two segments of the key, such as `pg/shop/`, or one, such as
/// `manifests/`. No writer shares objects beyond that.
pub(super) fn neighbourhood(key: &Key) -> &str {
    let end = key.as_str().match_indices('/').map(|(at, _)| at + 1).take(NEIGHBOURHOOD_SEGMENTS).last();
    &key.as_str()[..end.unwrap_or(0)]
}

/// Keeps what `retention` would delete beside one of `entries` that cannot be read, and tells of it. Backups of other sources
/// go as decided.
pub fn hold_back(entries: &[Entry], retention: &mut RetentionPlan) -> Vec<HeldBack> {
    let mut unreadable: HashMap<&str, (&Key, &FormatError)> = HashMap::new();
    for entry in entries {
        if let Some(error) = entry.manifest.as_ref().err().filter(|error| error.is_unreadable()) {
            unreadable.entry(neighbourhood(&entry.key)).or_insert((&entry.key, error));
        }
    }
    let mut held: BTreeMap<Key, HeldBack> = BTreeMap::new();
    for decision in retention.decisions.iter_mut().filter(|decision| decision.action == Action::Delete) {
        // What is no manifest, such as another program's file, nobody of ours refers to.
        let Some(key) = Key::new(decision.id.as_str()).ok().filter(is_manifest) else { continue };
        let Some((manifest, error)) = unreadable.get(neighbourhood(&key)) else { continue };
        decision.action = Action::Keep;
        decision.reasons.push(format!("`{manifest}` cannot be read and may need it"));
        let fresh = || HeldBack { manifest: (*manifest).clone(), why: error.to_string(), backups: 0 };
        held.entry((*manifest).clone()).or_insert_with(fresh).backups += 1;
    }
    held.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::Decision;

    fn decision(id: &str) -> Decision {
        Decision { id: id.to_owned(), action: Action::Delete, reasons: Vec::new(), future: false }
    }

    fn unreadable(key: &str) -> Entry {
        let error = FormatError::Unreadable { key: key.to_owned(), what: "not allowed".to_owned() };
        Entry { key: Key::new(key).unwrap(), manifest: Err(error) }
    }

    #[test]
    fn neighbours_are_the_backups_of_one_source() {
        for (key, expected) in [
            ("pg/shop/2026.default.dump/manifest.json", "pg/shop/"),
            ("pg/shop/manifest.json", "pg/shop/"),
            ("app/default/Backup_UTC_x.tar.gz.manifest.json", "app/default/"),
            ("glacier/uploads/backups/2026/manifest.json", "glacier/uploads/"),
            ("glacier/uploads/dumps/pg/shop/x.dump/manifest.json", "glacier/uploads/"),
            ("manifests/dictdb_backup_1_2.json.manifest.json", "manifests/"),
            ("manifest.json", ""),
        ] {
            assert_eq!(neighbourhood(&Key::new(key).unwrap()), expected);
        }
    }

    #[test]
    fn only_what_lies_beside_an_unreadable_one_is_held_back() {
        let entries = [
            unreadable("pg/shop/3.dump/manifest.json"),
            unreadable("pg/shop/4.dump/manifest.json"),
            unreadable("pg/new/manifest.json"),
        ];
        let ids = [
            "pg/shop/1.dump/manifest.json",
            "pg/shop/2.dump/manifest.json",
            "pg/blog/1.dump/manifest.json",
            "pg/shop/old.dump",
        ];
        let mut retention = RetentionPlan { decisions: ids.map(decision).into(), warnings: Vec::new() };
        let held = hold_back(&entries, &mut retention);
        assert_eq!(retention.deleted().collect::<Vec<_>>(), &ids[2..]);
        assert_eq!(held.len(), 1);
        assert_eq!((held[0].manifest.as_str(), held[0].backups), ("pg/shop/3.dump/manifest.json", 2));
        assert!(retention.decisions[0].reasons[0].contains("pg/shop/3.dump/manifest.json"));
    }
}
