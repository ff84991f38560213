//! Deletes leftovers of interrupted runs: objects of backups without a manifest, and unfinished uploads.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use futures_util::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::PruneOutcome;
use super::apply::exists;
use super::claim::claim;
use super::deletion::Deletion;
use super::names::{self, CLAIM_BYTES_MAX};
use super::references::References;
use crate::catalogue::{CONCURRENCY, unreadable};
use crate::document;
use crate::error::{CoreError, StoreError};
use crate::key::Key;
use crate::manifest::MANIFEST_NAME;
use crate::probe::{self, MARKER_KEY};
use crate::progress::{Progress, Silent};
use crate::store::{ObjectMeta, Store, StoreRead, UnfinishedUpload};

/// How long something must have been left alone before it counts as abandoned. Longer than any single upload or pause of
/// a run that is still alive.
pub const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// How long a claim stands at least, whatever the grace: a writer that was taken for dead and is alive must find it when
/// it wants to publish, or it would publish a backup whose objects are gone.
const CLAIM_HELD_MIN: SignedDuration = GRACE;

/// What interrupted runs left.
#[derive(Debug, Default)]
pub struct IncompletePlan {
    /// Objects of backups without a manifest.
    pub abandoned: Vec<Abandoned>,
    /// Uploads neither completed nor aborted.
    pub uploads: Vec<UnfinishedUpload>,
    /// Tombstones of removals that were interrupted before anything went, of backups that are kept now.
    pub stale: Vec<Key>,
    /// Set if the store cannot list unfinished uploads: what it says. They stay, and may cost money.
    pub uploads_unknown: Option<String>,
    now: Timestamp,
    grace: SignedDuration,
}

/// What is left of a backup that was never published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Abandoned {
    /// Where its manifest would be.
    pub manifest: Key,
    /// Its objects, with their bytes.
    pub objects: BTreeMap<Key, u64>,
    /// When the newest of them was written.
    pub newest: Option<Timestamp>,
    /// When an earlier run claimed it, if one did.
    pub claimed_at: Option<Timestamp>,
}

impl IncompletePlan {
    /// Bytes of the abandoned objects; what unfinished uploads hold, no store tells.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.abandoned.iter().flat_map(|abandoned| abandoned.objects.values()).sum()
    }

    /// A warning if unfinished uploads are not known.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let why = self.uploads_unknown.as_ref()?;
        Some(format!(
            "unfinished uploads of interrupted runs cannot be found and may cost money: {why}; let a lifecycle rule of the bucket \
             abort them"
        ))
    }

    /// Whether there is nothing to clear away.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.abandoned.is_empty() && self.uploads.is_empty() && self.stale.is_empty()
    }
}

/// The manifest's key for objects inside a backup folder that is the `depth`th segment and whose name ends in `suffix`:
/// for `pg/shop/….dump/data/p00000.pack`, depth 3 and `.dump`.
pub fn folder_layout(depth: usize, suffix: &str) -> impl Fn(&Key) -> Option<Key> + '_ {
    move |key| {
        let (slash, _) = key.as_str().match_indices('/').nth(depth.checked_sub(1)?)?;
        let folder = &key.as_str()[..slash];
        folder.ends_with(suffix).then(|| Key::new(format!("{folder}/{MANIFEST_NAME}")).ok()).flatten()
    }
}

/// Finds what was left alone for longer than `grace`. `manifest_of` tells the manifest's key of the backup an object
/// belongs to, and `None` for what belongs to none, which is never touched. Reads only.
///
/// # Errors
/// What the store says.
pub async fn incomplete(
    store: &dyn Store,
    scope: &str,
    manifest_of: impl Fn(&Key) -> Option<Key> + Send + Sync,
    now: Timestamp,
    grace: SignedDuration,
) -> Result<IncompletePlan, CoreError> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    let mut listing = store.list(scope, None);
    while let Some(object) = listing.try_next().await? {
        if let Some(manifest) = manifest_of(&object.key) {
            groups.entry(manifest.clone()).or_default().take(&manifest, object);
        }
    }
    let (uploads, uploads_unknown) = uploads(store, scope, grace).await?;
    for upload in &uploads {
        if let Some(group) = manifest_of(&upload.key).and_then(|manifest| groups.get_mut(&manifest)) {
            group.newest = group.newest.max(Some(upload.started));
        }
    }
    let old = |time: Timestamp| now.duration_since(time) >= grace;
    let expired = |claimed_at: Timestamp| now.duration_since(claimed_at) >= grace.max(CLAIM_HELD_MIN);
    let (mut abandoned, mut stale) = (Vec::new(), Vec::new());
    for (manifest, group) in groups {
        let claimed_at = match (group.has_manifest, group.tombstone) {
            // Nothing is left but the word that something was to go.
            (false, Some(marked)) if group.objects.is_empty() && expired(marked) => {
                if names::lists_nothing(store, &manifest).await {
                    stale.push(names::tombstone_key(&manifest)?);
                }
                continue;
            }
            (false, _) => None,
            (true, None) if !group.may_be_claim => continue,
            (true, tombstone) => {
                // What it is cannot be known now.
                let Some(claimed_at) = claim_at(store, &manifest).await? else { continue };
                if claimed_at.is_none() {
                    // One that says that something is gone is finished, and not taken back.
                    if tombstone.is_some_and(old) && !names::is_removing(store, &manifest).await? {
                        stale.push(names::tombstone_key(&manifest)?);
                    }
                    continue;
                }
                claimed_at
            }
        };
        let due = match claimed_at {
            Some(claimed_at) => !group.objects.is_empty() || expired(claimed_at),
            None => !group.objects.is_empty() && group.newest.is_some_and(old),
        };
        // No listing shows a manifest that was published a moment ago in a store that lags, or that is a link.
        if due && (group.has_manifest || !exists(store, &manifest).await?) {
            abandoned.push(Abandoned { manifest, objects: group.objects, newest: group.newest, claimed_at });
        }
    }
    spare_referenced(store, scope, &mut abandoned).await?;
    // What was claimed and is gone waits for its claim to be old enough; what is all in use is not abandoned.
    abandoned.retain(|found| !found.objects.is_empty() || found.claimed_at.is_some_and(expired));
    let uploads = uploads.into_iter().filter(|upload| old(upload.started)).collect();
    Ok(IncompletePlan { abandoned, uploads, stale, uploads_unknown, now, grace })
}

/// Unfinished uploads below `scope`, and what the store says if it cannot list them.
async fn uploads(
    store: &dyn Store,
    scope: &str,
    grace: SignedDuration,
) -> Result<(Vec<UnfinishedUpload>, Option<String>), CoreError> {
    let mut uploads = match store.unfinished(scope).await {
        Err(error) if error.is_unsupported() => return Ok((Vec::new(), Some(error.to_string()))),
        found => found?,
    };
    if !MARKER_KEY.starts_with(scope) {
        // Every writer begins with the marker, which is in no scope.
        uploads.extend(store.unfinished(MARKER_KEY).await?);
    }
    if !uploads.is_empty()
        && let Some(marker) = probe::check(store).await?
    {
        // Some servers say of every upload that it began long ago, where no part says when it came. One that seems older than the
        // location may be of a run that has just begun. Whoever allows no grace says that there is none.
        let location_began = marker.created_at - GRACE;
        uploads.retain(|upload| grace.is_zero() || upload.started >= location_began);
    }
    Ok((uploads, None))
}

/// Leaves out objects that published or reserved backups refer to: parts of a backup that is gone may still be shared.
async fn spare_referenced(store: &dyn StoreRead, scope: &str, abandoned: &mut [Abandoned]) -> Result<(), CoreError> {
    if abandoned.is_empty() {
        return Ok(());
    }
    let objects: HashSet<&Key> = abandoned.iter().flat_map(|found| found.objects.keys()).collect();
    let matters = |key: &Key| objects.contains(key);
    let references = References::collect(store, scope, &BTreeSet::new(), &HashSet::new(), matters, &Silent).await?;
    for found in abandoned {
        let may_be_needed = references.may_need(&found.manifest);
        found.objects.retain(|key, _| !may_be_needed && !references.keys.contains(key));
    }
    Ok(())
}

/// What a listing shows of one backup.
#[derive(Debug, Default)]
struct Group {
    objects: BTreeMap<Key, u64>,
    newest: Option<Timestamp>,
    has_manifest: bool,
    /// Whether what stands in the manifest's place is as short as a claim.
    may_be_claim: bool,
    /// When the tombstone was written, if there is one.
    tombstone: Option<Timestamp>,
}

impl Group {
    fn take(&mut self, manifest: &Key, object: ObjectMeta) {
        if object.key == *manifest {
            self.has_manifest = true;
            self.may_be_claim = object.bytes <= CLAIM_BYTES_MAX as u64;
            if !self.may_be_claim {
                // Complete, so its objects need not be remembered.
                self.objects.clear();
            }
        } else if names::is_tombstone(&object.key) {
            self.tombstone = Some(object.modified);
        } else {
            self.newest = self.newest.max(Some(object.modified));
            self.objects.insert(object.key, object.bytes);
        }
    }
}

/// When the claim was made that stands in the manifest's place, if one does; `None` if it cannot be read.
async fn claim_at(store: &dyn StoreRead, manifest: &Key) -> Result<Option<Option<Timestamp>>, CoreError> {
    match document::read(store, manifest, CLAIM_BYTES_MAX).await {
        Ok(bytes) => Ok(Some(names::claim(&bytes).map(|claim| claim.abandoned_at))),
        Err(StoreError::NotFound { .. } | StoreError::Damaged { .. } | StoreError::NotAnObject { .. }) => {
            Ok(Some(None))
        }
        Err(error) => Ok(unreadable(manifest, error).map(|_| None)?),
    }
}

/// Removes what `plan` says, unless a manifest appeared or something published refers to it. `scope` is that of the plan.
///
/// # Errors
/// What the store says when it cannot be looked at: then no object was deleted.
pub async fn clear(
    store: &dyn Store,
    plan: &IncompletePlan,
    scope: &str,
    progress: &dyn Progress,
) -> Result<PruneOutcome, CoreError> {
    let mut deletion = Deletion { store, progress, outcome: PruneOutcome::default() };
    progress.step("prune.claim", &format!("{} incomplete backups", plan.abandoned.len()));
    let mut claimed = Vec::new();
    for several in plan.abandoned.chunks(CONCURRENCY) {
        for (abandoned, claim) in several.iter().zip(claimed_by_us(store, several, plan.now).await) {
            match claim {
                Ok(true) => claimed.push(abandoned),
                Ok(false) => deletion.outcome.kept_back.push(abandoned.manifest.clone()),
                Err(error) => deletion.fail(&abandoned.manifest, &Arc::new(error)),
            }
        }
    }
    let objects: HashSet<&Key> = claimed.iter().flat_map(|abandoned| abandoned.objects.keys()).collect();
    let matters = |key: &Key| objects.contains(key);
    let references = References::collect(store, scope, &BTreeSet::new(), &HashSet::new(), matters, progress).await?;
    progress.step("prune.abandoned", &format!("{} incomplete backups", claimed.len()));
    let mut done = Vec::new();
    for abandoned in claimed {
        if references.may_need(&abandoned.manifest) {
            deletion.outcome.kept_back.push(abandoned.manifest.clone());
            continue;
        }
        let unused: Vec<Key> =
            abandoned.objects.keys().filter(|key| !references.keys.contains(*key)).cloned().collect();
        let left = deletion.delete(&unused).await;
        let gone = unused.iter().filter(|key| !left.contains(*key));
        deletion.outcome.freed_bytes += gone.map(|key| abandoned.objects[key]).sum::<u64>();
        if !abandoned.objects.is_empty() {
            deletion.outcome.removed.push(abandoned.manifest.clone());
        }
        let since = abandoned.claimed_at.unwrap_or(plan.now);
        if left.is_empty() && plan.now.duration_since(since) >= plan.grace.max(CLAIM_HELD_MIN) {
            done.push(&abandoned.manifest);
        }
    }
    deletion.delete(&plan.stale).await;
    unclaim(&mut deletion, &done).await?;
    for upload in &plan.uploads {
        match store.abort_unfinished(upload).await {
            Ok(()) => deletion.outcome.uploads += 1,
            // It was completed, or another prune gave it up.
            Err(error) if error.is_not_found() => {}
            Err(error) => deletion.fail(&upload.key, &Arc::new(error)),
        }
    }
    deletion.ended()
}

/// Whether each is claimed, now if not by an earlier run.
async fn claimed_by_us(store: &dyn Store, several: &[Abandoned], now: Timestamp) -> Vec<Result<bool, StoreError>> {
    let unclaimed = several.iter().filter(|abandoned| abandoned.claimed_at.is_none());
    let places: Vec<_> = unclaimed.map(|abandoned| (&abandoned.manifest, &abandoned.objects)).collect();
    let mut claims = claim(store, &places, now).await.into_iter();
    let claimed = |abandoned: &Abandoned| abandoned.claimed_at.is_some();
    several
        .iter()
        .map(|abandoned| if claimed(abandoned) { Ok(true) } else { claims.next().unwrap_or(Ok(false)) })
        .collect()
}

/// Gives claims up, and their tombstones after them: one that is left without a claim is found as stale.
async fn unclaim(deletion: &mut Deletion<'_>, done: &[&Key]) -> Result<(), StoreError> {
    let claims: Vec<Key> = done.iter().map(|key| (*key).clone()).collect();
    let left = deletion.delete(&claims).await;
    let gone = claims.iter().filter(|key| !left.contains(*key));
    let tombstones = gone.map(names::tombstone_key).collect::<Result<Vec<Key>, StoreError>>()?;
    deletion.delete(&tombstones).await;
    Ok(())
}
