//! Compares what is known of archives with what the service has: what is paid for and unknown, and what is known and gone.

use std::collections::BTreeMap;

use backup_core::key::Key;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::error::{GlacierError, GlacierResult};
use crate::key;
use crate::rebuild;
use crate::state::State;
use crate::vaulted::Described;

/// How old an inventory may be: what was stored so shortly before it was made may not be in it.
const INVENTORY_LAGS: SignedDuration = SignedDuration::from_hours(48);

/// An archive that the service has, and is paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PaidFor {
    /// Its key in a location, as far as it says.
    pub key: Option<Key>,
    /// What a vault calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it says of itself, if it was not made by lastgood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its bytes.
    pub bytes: u64,
    /// When it was stored.
    pub created: Timestamp,
}

/// An archive that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its bytes.
    pub bytes: u64,
    /// What a vault calls it, if it is in one.
    pub id: Option<String>,
    /// When it was stored, at the latest.
    pub stored: Option<Timestamp>,
    /// Whether a backup has it; otherwise the next one may.
    pub published: bool,
}

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// When the service looked; absent if it was now.
    pub as_of: Option<Timestamp>,
    /// Archives of these backups that the service has.
    pub archives: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Archives that are paid for and unknown: of no backup, and not in the catalogue.
    pub unknown: Vec<PaidFor>,
    /// Archives that no backup has, and that the next one goes on with.
    pub unpublished: Vec<Key>,
    /// Archives of backups that the service does not have.
    pub gone: Vec<Key>,
    /// Archives of backups that have another size there.
    pub differing: Vec<Key>,
    /// Archives too new to be in an inventory of that day.
    pub too_new: u64,
    /// Archives of other names and programs, which are not looked at.
    pub foreign: u64,
}

/// A comparison under way: takes what the service has, one archive at a time.
#[derive(Debug)]
pub struct Comparison {
    name: String,
    known: BTreeMap<Key, Expected>,
    /// Keys of the known archives by what a vault calls them.
    by_id: BTreeMap<String, Key>,
    seen: BTreeMap<Key, u64>,
    found: Reconciled,
}

impl Comparison {
    /// A comparison with what is `known` of the backups called `name`.
    #[must_use]
    pub fn new(name: &str, known: BTreeMap<Key, Expected>) -> Self {
        let ids = known.iter().filter_map(|(key, known)| Some((known.id.clone()?, key.clone())));
        let (by_id, name) = (ids.collect(), name.to_owned());
        Self { name, known, by_id, seen: BTreeMap::new(), found: Reconciled::default() }
    }

    /// Takes an archive that the service has.
    pub fn take(&mut self, paid: PaidFor) {
        let known = match &paid.id {
            Some(id) => self.by_id.get(id).cloned(),
            None => paid.key.clone().filter(|key| self.known.contains_key(key)),
        };
        if let Some(key) = known {
            self.found.archives += 1;
            self.found.bytes += paid.bytes;
            self.seen.insert(key, paid.bytes);
            return;
        }
        let folders = key::payloads(&self.name);
        let is_ours = |key: &Key| folders.iter().any(|folder| key.as_str().starts_with(folder));
        if paid.key.as_ref().is_some_and(is_ours) {
            self.found.unknown.push(paid);
        } else {
            self.found.foreign += 1;
        }
    }

    /// What was found, after everything was taken. The service looked at `as_of`, or now.
    #[must_use]
    pub fn finish(mut self, as_of: Option<Timestamp>) -> Reconciled {
        for (key, known) in self.known {
            let is_new = as_of.is_some_and(|as_of| known.stored.is_none_or(|stored| as_of < stored + INVENTORY_LAGS));
            match (self.seen.get(&key), known.published) {
                (Some(bytes), true) if *bytes != known.bytes => self.found.differing.push(key),
                (Some(_), true) | (None, false) => {}
                (Some(_), false) => self.found.unpublished.push(key),
                (None, true) if is_new => self.found.too_new += 1,
                (None, true) => self.found.gone.push(key),
            }
        }
        Reconciled { as_of, ..self.found }
    }
}

/// What manifests and the catalogue know of the archives of the backups called `name`.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn known(
    store: &SharedStore,
    state: &State,
    name: &str,
    run: &Run,
) -> GlacierResult<BTreeMap<Key, Expected>> {
    let rebuilt = rebuild::read(store, name, run).await?;
    let mut ids: BTreeMap<Key, String> = BTreeMap::new();
    let vaulted = state.catalogue().vaulted()?;
    ids.extend(vaulted.into_iter().filter_map(|(key, vaulted)| Some((key, vaulted.archive?.id))));
    ids.extend(rebuilt.vaulted.into_iter().map(|(key, archive)| (key, archive.id)));
    let mut all: BTreeMap<Key, Expected> = BTreeMap::new();
    for archive in state.catalogue().archives()? {
        let (bytes, id, stored) = (archive.bytes, ids.get(&archive.key).cloned(), archive.stored);
        all.insert(archive.key, Expected { bytes, id, stored, published: false });
    }
    for archive in rebuilt.archives {
        let (bytes, id) = (archive.bytes, ids.get(&archive.key).cloned());
        let stored = all.get(&archive.key).and_then(|known| known.stored).or(archive.stored);
        all.insert(archive.key, Expected { bytes, id, stored, published: true });
    }
    // What is always readable of a dump is no archive.
    all.retain(|key, _| key::is_payload(key));
    Ok(all)
}

/// What the location itself has of archives called `name`.
///
/// # Errors
/// What the store says.
pub async fn listed(store: &SharedStore, name: &str, run: &Run) -> GlacierResult<Vec<PaidFor>> {
    let mut all = Vec::new();
    for folder in key::payloads(name) {
        let listing = store.list(&folder, None).map_err(GlacierError::from);
        let found = listing.map_ok(|object| PaidFor {
            key: Some(object.key),
            id: None,
            description: None,
            bytes: object.bytes,
            created: object.modified,
        });
        all.extend(run.or_cancelled(found.try_collect::<Vec<_>>()).await?);
    }
    Ok(all)
}

/// An archive of a vault, as its inventory has it.
#[must_use]
pub fn inventoried(id: String, description: String, bytes: u64, created: Timestamp) -> PaidFor {
    let key = Described::parse(&description).map(|described| described.lastgood);
    let description = Some(description).filter(|_| key.is_none());
    PaidFor { key, id: Some(id), description, bytes, created }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new(format!("glacier/x/bundles/{name}")).unwrap()
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn known(id: Option<&str>, stored: i64, published: bool) -> Expected {
        Expected { bytes: 7, id: id.map(str::to_owned), stored: Some(at(stored)), published }
    }

    fn paid(name: &str, id: Option<&str>) -> PaidFor {
        let (id, created) = (id.map(str::to_owned), at(0));
        PaidFor { key: Some(key(name)), id, description: None, bytes: 7, created }
    }

    #[test]
    fn what_is_paid_for_and_unknown_and_what_is_known_and_gone_are_told() {
        let all = [
            (key("there"), known(Some("-a"), 0, true)),
            (key("gone"), known(Some("-b"), 0, true)),
            (key("new"), known(Some("-c"), 90, true)),
            (key("unpublished"), known(Some("-d"), 0, false)),
            (key("intended"), known(None, 0, false)),
            (key("short"), known(Some("-e"), 0, true)),
        ];
        let mut comparison = Comparison::new("x", all.into());
        comparison.take(paid("there", Some("-a")));
        // A second upload of the same content, which nobody knows of: it is paid for each month.
        comparison.take(paid("there", Some("-second")));
        comparison.take(paid("unpublished", Some("-d")));
        comparison.take(PaidFor { bytes: 6, ..paid("short", Some("-e")) });
        comparison.take(PaidFor { key: Key::new("glacier/y/bundles/1").ok(), ..paid("other", Some("-f")) });
        comparison.take(inventoried("-g".to_owned(), "holiday.tar".to_owned(), 1, at(0)));
        let found = comparison.finish(Some(at(100)));
        assert_eq!(found.unknown, [paid("there", Some("-second"))]);
        assert_eq!((found.gone, found.unpublished), (vec![key("gone")], vec![key("unpublished")]));
        assert_eq!((found.differing, found.too_new, found.foreign, found.archives), (vec![key("short")], 1, 2, 3));
    }

    #[test]
    fn a_listing_is_of_now() {
        let mut comparison = Comparison::new("x", [(key("gone"), known(None, 99, true))].into());
        comparison.take(paid("unknown", None));
        let found = comparison.finish(None);
        assert_eq!((found.gone, found.unknown.len(), found.too_new), (vec![key("gone")], 1, 0));
    }
}
