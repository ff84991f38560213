//! Which earlier dumps, and which of their packs, are worth building on: pure decisions.

use std::sync::Arc;

use backup_core::catalogue::{Backup, Order};
use backup_core::key::Key;
use backup_core::manifest::Part;

use crate::stored::key::DumpKey;

/// Most packs of earlier dumps that a dump names: its manifest has some hundred bytes of each, and reading it takes a request for
/// each. What is in the others is stored again, together.
const PACKS_SHARED_MAX: usize = 4 * 1024;

/// A pack of which less than one part in so many is still in use is left alone: it would stay, all of it, for the sake of that.
const UNUSED_RATIO_MAX: u64 = 4;

/// The earlier dumps of a database on the same cluster that a dump builds on, of all that are seen: the newest of its own
/// configuration, and the newest complete one, if that is another.
#[derive(Debug)]
pub(in crate::dump) struct Sources {
    config: String,
    same_config: Option<Arc<Backup>>,
    complete: Option<Arc<Backup>>,
}

impl Sources {
    /// None was seen yet. `config` is the configuration of the new dump.
    pub(in crate::dump) fn new(config: &str) -> Self {
        Self { config: config.to_owned(), same_config: None, complete: None }
    }

    /// A dump of the database was seen.
    pub(in crate::dump) fn see(&mut self, seen: Backup) {
        let is_newer = |held: Option<&Arc<Backup>>| held.is_none_or(|held| order(&seen) > order(held));
        let of_config = seen.manifest.config == self.config && is_newer(self.same_config.as_ref());
        let of_all = seen.manifest.is_complete() && is_newer(self.complete.as_ref());
        let seen = Arc::new(seen);
        if of_config {
            self.same_config = Some(Arc::clone(&seen));
        }
        if of_all {
            self.complete = Some(seen);
        }
    }

    /// Those that were chosen.
    pub(in crate::dump) fn into_newest_first(self) -> Vec<Arc<Backup>> {
        let mut chosen: Vec<Arc<Backup>> = [self.same_config, self.complete].into_iter().flatten().collect();
        chosen.sort_by_key(|source| std::cmp::Reverse(order(source)));
        chosen.dedup_by(|one, other| one.key == other.key);
        chosen
    }
}

fn order(backup: &Backup) -> Order {
    Order::of(&backup.manifest)
}

/// Whether an object is where packs of dumps of one database are, whose folder this is. What a manifest names elsewhere is not
/// kept by prunes of that database, and no dump wrote it.
pub(super) fn is_pack_of(folder: &str, object: &Key) -> bool {
    let below = object.as_str().strip_prefix(folder).and_then(|below| below.strip_prefix('/'));
    let segments: Vec<&str> = below.unwrap_or_default().split('/').collect();
    let [dump, kind, _] = segments[..] else { return false };
    // Of which database it is says the folder.
    DumpKey::parse_folder_name("any", dump).is_some() && (kind == "data" || kind == "lo")
}

/// Which of the packs are worth it, of which so many bytes are in use.
pub(super) fn worth(packs: &[Part], used_bytes: &[u64]) -> Vec<bool> {
    let used = |at: usize| used_bytes.get(at).copied().unwrap_or_default();
    let is_used = |at: usize| {
        packs.get(at).is_some_and(|pack| used(at) > 0 && used(at).saturating_mul(UNUSED_RATIO_MAX) >= pack.stored_bytes)
    };
    let mut most: Vec<usize> = (0..packs.len()).filter(|at| is_used(*at)).collect();
    // The most used ones: the small packs of many nights are those that become one.
    most.sort_by_key(|at| std::cmp::Reverse(used(*at)));
    most.truncate(PACKS_SHARED_MAX);
    let mut worth = vec![false; packs.len()];
    for at in most {
        worth[at] = true;
    }
    worth
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_dump::TestDump;

    fn dump(hour: u8, config: &str, complete: bool) -> Backup {
        let test = TestDump::new("shop", &format!("2026-11-01T{hour:02}:00:00Z"), &[]);
        let bytes = test.manifest.to_bytes().unwrap();
        let key = test.key.manifest().unwrap();
        let mut manifest = backup_core::manifest::Manifest::from_bytes(&key, &bytes).unwrap();
        (manifest.sequence, manifest.complete) = (hour.into(), Some(complete));
        config.clone_into(&mut manifest.config);
        Backup { key, manifest }
    }

    fn chosen(seen: &[(u8, &str, bool)]) -> Vec<u64> {
        let mut sources = Sources::new("nightly");
        seen.iter().for_each(|(hour, config, complete)| sources.see(dump(*hour, config, *complete)));
        sources.into_newest_first().iter().map(|source| source.manifest.sequence).collect()
    }

    #[test]
    fn the_newest_of_the_configuration_and_the_newest_complete_one_count() {
        assert_eq!(chosen(&[]), [0; 0]);
        assert_eq!(chosen(&[(1, "nightly", true), (2, "nightly", true)]), [2]);
        assert_eq!(chosen(&[(2, "nightly", true), (1, "nightly", true)]), [2], "in any order");
        assert_eq!(chosen(&[(1, "nightly", true), (2, "nightly", false)]), [2, 1]);
        assert_eq!(chosen(&[(3, "hourly", true), (2, "nightly", true), (4, "hourly", false)]), [3, 2]);
        assert_eq!(chosen(&[(1, "hourly", false)]), [0; 0], "of another configuration only a complete one");
    }

    #[test]
    fn only_packs_of_the_same_database_are_built_on() {
        let is_pack = |key: &str| is_pack_of("pg/shop", &key.parse().unwrap());
        for kind in ["data/p00000.pack", "lo/p00001.pack"] {
            assert!(is_pack(&format!("pg/shop/2026-11-01-03-00-00-000000.a.dump/{kind}")), "{kind}");
        }
        for other in [
            "pg/shop2/2026-11-01-03-00-00-000000.a.dump/data/p00000.pack",
            "pg/blog/2026-11-01-03-00-00-000000.a.dump/data/p00000.pack",
            "pg/shop/2026-11-01-03-00-00-000000.a.dump/schema.pgdump",
            "pg/shop/2026-11-01-03-00-00-000000.a.dump/lists/f00000.jsonl.zst",
            "pg/shop/2026-11-01-03-00-00-000000.a.dump/manifest.json",
            "pg/shop/data/p00000.pack",
            "pg/shop/x.dump/data/p00000.pack",
            "glacier/x/archives/p00000.pack",
        ] {
            assert!(!is_pack(other), "{other}");
        }
    }

    fn packs(sizes: &[u64]) -> Vec<Part> {
        let some = TestDump::new("shop", "2026-11-01T03:00:00Z", crate::test_dump::SHOP).manifest.parts[1].clone();
        sizes.iter().map(|stored_bytes| Part { stored_bytes: *stored_bytes, ..some.clone() }).collect()
    }

    #[test]
    fn packs_that_are_hardly_used_any_more_are_left_alone() {
        assert_eq!(worth(&packs(&[100, 100, 100, 0]), &[100, 25, 24, 0]), [true, true, false, false]);
        assert_eq!(worth(&packs(&[u64::MAX]), &[u64::MAX]), [true]);
        let many = PACKS_SHARED_MAX + 10;
        let worth = worth(&packs(&vec![1_000; many]), &(0..many as u64).map(|at| 300 + at / 10).collect::<Vec<_>>());
        assert_eq!(worth.iter().filter(|worth| **worth).count(), PACKS_SHARED_MAX);
        assert!(!worth[0] && worth[many - 1], "the least used ones become new packs");
    }

    proptest! {
        #[test]
        fn little_of_what_is_kept_is_not_used(sizes in prop::collection::vec((1..1_000_u64, 0..1_000_u64), 0..40)) {
            let sizes: Vec<(u64, u64)> = sizes.into_iter().map(|(stored, used)| (stored, used.min(stored))).collect();
            let (stored, used): (Vec<u64>, Vec<u64>) = sizes.iter().copied().unzip();
            let worth = worth(&packs(&stored), &used);
            let kept = |of: &[u64]| of.iter().zip(&worth).filter(|(_, worth)| **worth).map(|(bytes, _)| bytes).sum::<u64>();
            prop_assert!(kept(&stored) <= kept(&used) * UNUSED_RATIO_MAX);
        }
    }
}
