//! The position of a backup in its source: its sequence number, and the complete backup before it.

use std::collections::BTreeSet;

use backup_core::catalogue::{self, Backup, Entry, Order};
use backup_core::failure::{Remedy, Setting};
use backup_core::manifest::Manifest;
use backup_core::remedy;
use backup_core::source::{Identity, Size, UNKNOWN};
use backup_core::store::StoreRead;
use jiff::{SignedDuration, Timestamp};

use crate::detail::AppDetail;
use crate::error::ObjectResult;
use crate::key::{self, BackupKey};
use crate::options::BackupOptions;
use crate::{list, plan};

/// The place of a backup that is about to be made.
#[derive(Debug)]
pub(super) struct Place {
    /// What the backup is called.
    pub(super) name: String,
    /// What is backed up, if it can tell.
    pub(super) identity: Option<Identity>,
    pub(super) sequence: u64,
    /// The newest complete backup of the same source.
    pub(super) newest: Option<Newest>,
    /// When the newest of the same source was made, complete or not.
    pub(super) last: Option<Timestamp>,
    /// Other sources that have backups of that name, for people.
    others: BTreeSet<String>,
}

/// The newest complete backup of the same source.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) key: BackupKey,
    pub(super) size: Size,
    pub(super) detail: AppDetail,
    order: Order,
}

impl Place {
    /// Looks at what there is under `name`. The pointer counts beside the listing, which may lag.
    pub(super) async fn look(store: &dyn StoreRead, name: &str, identity: Option<Identity>) -> ObjectResult<Self> {
        let (folder, pointer) = (key::folder(name)?, key::pointer(name)?);
        let (newest, last, others) = (None, None, BTreeSet::new());
        let mut place = Self { name: name.to_owned(), identity, sequence: 0, newest, last, others };
        if let Some(Backup { key, manifest }) = catalogue::pointed(store, &pointer).await? {
            place.see(Entry { key, manifest: Ok(manifest) });
        }
        let sequence = catalogue::next_sequence_seeing(store, &folder, &pointer, |entry| place.see(entry)).await?;
        Ok(Self { sequence, ..place })
    }

    fn see(&mut self, entry: Entry) {
        let (Some(key), Ok(manifest)) = (BackupKey::of_manifest(&entry.key), entry.manifest) else { return };
        let id = |identity: &Option<Identity>| identity.as_ref().map(|identity| identity.id.clone());
        if id(&manifest.identity) != id(&self.identity) {
            let other = manifest.identity.map_or_else(|| UNKNOWN.to_owned(), |identity| identity.to_string());
            self.others.insert(other);
            return;
        }
        self.last = self.last.max(Some(manifest.created_at));
        let order = Order::of(&manifest);
        if !manifest.is_complete() || self.newest.as_ref().is_some_and(|newest| newest.order >= order) {
            return;
        }
        let size = size(&manifest);
        if let Ok(manifest) = list::typed(&entry.key, manifest) {
            self.newest = Some(Newest { key, size, detail: manifest.detail, order });
        }
    }

    /// The newest one and its age, if it is young enough for this time.
    pub(super) fn skipped(&self, options: &BackupOptions, now: Timestamp) -> Option<(BackupKey, SignedDuration)> {
        let newest = self.newest.as_ref()?;
        Some((newest.key.clone(), plan::too_young(newest.order.created_at, now, options.min_age?)?))
    }

    /// What to know about the first backup of a source whose name others use already.
    pub(super) fn first_of_its_source(&self) -> Option<(String, Remedy)> {
        if self.last.is_some() || self.others.is_empty() {
            return None;
        }
        let ours = self
            .identity
            .as_ref()
            .map_or_else(|| "a source without an identity".to_owned(), |identity| format!("`{identity}`"));
        let others: Vec<&str> = self.others.iter().map(String::as_str).collect();
        let told = format!(
            "this is the first backup of {ours} named `{}`; the others are from other sources, `{}`, and are not compared",
            self.name,
            others.join("`, `")
        );
        Some((told, remedy!["to restore the latest one, choose a source with ", Setting::Source, " from now on"]))
    }
}

/// How much a backup holds, as its manifest counts.
fn size(manifest: &Manifest) -> Size {
    let count = |name: &str| manifest.counts.get(name).copied().unwrap_or_default();
    Size { rows: count("records"), bytes: count("bytes") }
}
