//! Which objects are deleted with the backups that retention does not keep: pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use super::names::is_infrastructure;
use super::unreadable::{NEIGHBOURHOOD_SEGMENTS, neighbourhood};
use crate::catalogue::Entry;
use crate::error::FormatError;
use crate::key::Key;
use crate::manifest::{External, MANIFEST_NAME, Manifest, Outcome};
use crate::retention::{Candidate, RetentionPlan};
use crate::source;

/// What will be removed, backup by backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PrunePlan {
    /// The backups that go.
    pub removals: Vec<Removal>,
    /// Bytes freed in all; parts shared among the removed count once.
    pub freed_bytes: u64,
    /// Manifests that stay; what they refer to is already left out of the removals.
    #[serde(skip)]
    pub(super) known: BTreeSet<Key>,
}

/// One backup that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// Its manifest.
    pub manifest: Key,
    /// Its identity.
    pub id: Uuid,
    /// Objects that go with it, with their bytes.
    pub parts: BTreeMap<Key, u64>,
    /// Objects of it that stay because kept backups refer to them too, or because no backup of its source has any there.
    pub shared: BTreeSet<Key>,
    /// What goes with it outside the location; without what kept backups own too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<External>,
    /// Manifests of the backups it needs.
    pub needs: Vec<Key>,
    /// Whether an earlier run began to remove what is external.
    #[serde(skip)]
    pub(super) begun: bool,
}

/// The usable ones of `entries`, for [`crate::retention::plan`]: the manifest's key as id, [`source::group`] as group.
#[must_use]
pub fn candidates(entries: &[Entry]) -> Vec<Candidate> {
    let keys = keys_by_id(entries);
    usable(entries)
        .map(|(key, manifest)| Candidate {
            good: manifest.outcome == Outcome::Good,
            complete: manifest.complete != Some(false),
            tags: manifest.tags.clone(),
            needs: manifest.parent.map(|parent| name_of(&keys, parent)).into_iter().collect(),
            ..Candidate::new(key.as_str(), source::group(manifest), manifest.created_at, manifest.sequence)
        })
        .collect()
}

impl PrunePlan {
    /// What goes by `retention`, whose ids are those of [`candidates`]. `entries` must be everything of the scope within
    /// which backups share parts.
    ///
    /// # Errors
    /// [`FormatError::Newer`] or [`FormatError::Requires`] if a newer version made one of them: what it refers to cannot be
    /// known.
    pub fn new(entries: &[Entry], retention: &RetentionPlan) -> Result<Self, FormatError> {
        for entry in entries {
            if let Err(error) = &entry.manifest
                && error.is_newer()
            {
                return Err(error.clone());
            }
        }
        let deleted: HashSet<&str> = retention.deleted().collect();
        let keys = keys_by_id(entries);
        let goes = |key: &Key| deleted.contains(key.as_str());
        let mut planned: HashSet<&Key> = HashSet::new();
        for (_, manifest) in usable(entries).filter(|(key, _)| goes(key)) {
            planned.extend(manifest.parts.iter().map(|part| &part.key));
        }
        let mut staying: HashSet<&Key> = HashSet::new();
        for (_, manifest) in usable(entries).filter(|(key, _)| !goes(key)) {
            staying.extend(manifest.parts.iter().map(|part| &part.key).filter(|key| planned.contains(key)));
        }
        let kept = usable(entries).filter(|(key, _)| !goes(key)).flat_map(|(_, manifest)| &manifest.external);
        let kept: HashSet<String> = kept.map(ToString::to_string).collect();
        let removals: Vec<Removal> = usable(entries)
            .filter(|(key, _)| goes(key))
            .map(|(key, manifest)| Removal::new(key, manifest, &staying, &kept, &keys))
            .collect();
        let known = entries.iter().map(|entry| entry.key.clone()).filter(|key| !goes(key)).collect();
        let freed_bytes = freed_bytes(&removals);
        Ok(Self { removals, freed_bytes, known })
    }
}

impl Removal {
    fn new(
        key: &Key,
        manifest: &Manifest,
        staying: &HashSet<&Key>,
        kept: &HashSet<String>,
        keys: &HashMap<Uuid, &Key>,
    ) -> Self {
        let (mut parts, mut shared) = (BTreeMap::new(), BTreeSet::new());
        for part in &manifest.parts {
            if staying.contains(&part.key) || !is_own(key, &part.key) {
                shared.insert(part.key.clone());
            } else {
                // Several slices of one object add up.
                *parts.entry(part.key.clone()).or_insert(0) += part.stored_bytes;
            }
        }
        let needs = manifest.parent.and_then(|parent| keys.get(&parent)).map(|key| (*key).clone());
        let external = manifest.external.iter().filter(|external| !kept.contains(&external.to_string())).cloned();
        Self {
            manifest: key.clone(),
            id: manifest.id,
            parts,
            shared,
            external: external.collect(),
            needs: needs.into_iter().collect(),
            begun: false,
        }
    }
}

/// Whether an object can go with a backup: it lies where those of its source are, or the manifest is named for it. What else a
/// manifest or a tombstone lists would let whoever can write to a location, and not delete from it, have others' backups deleted.
pub(super) fn is_own(manifest: &Key, object: &Key) -> bool {
    let folder = neighbourhood(manifest);
    let is_beside = folder.matches('/').count() == NEIGHBOURHOOD_SEGMENTS && object.as_str().starts_with(folder);
    let of_name = manifest.name().strip_suffix(MANIFEST_NAME).and_then(|name| name.strip_suffix('.'));
    (is_beside || of_name == Some(object.as_str())) && !is_infrastructure(object)
}

/// Bytes of the parts of all `removals`, each object once.
pub(super) fn freed_bytes<'a>(removals: impl IntoIterator<Item = &'a Removal>) -> u64 {
    let mut sizes: HashMap<&Key, u64> = HashMap::new();
    for (key, bytes) in removals.into_iter().flat_map(|removal| &removal.parts) {
        let size = sizes.entry(key).or_default();
        *size = (*size).max(*bytes);
    }
    sizes.values().sum()
}

fn usable(entries: &[Entry]) -> impl Iterator<Item = (&Key, &Manifest)> {
    entries.iter().filter_map(|entry| Some((&entry.key, entry.manifest.as_ref().ok()?)))
}

fn keys_by_id(entries: &[Entry]) -> HashMap<Uuid, &Key> {
    usable(entries).map(|(key, manifest)| (manifest.id, key)).collect()
}

/// The id retention knows the backup by; that of no candidate if it is not there.
fn name_of(keys: &HashMap<Uuid, &Key>, id: Uuid) -> String {
    keys.get(&id).map_or_else(|| id.to_string(), ToString::to_string)
}
