//! Executes a plan: tombstones, one more look, manifests, parts, tombstones; resumes what was interrupted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::deletion::Deletion;
use super::names::{self, FORMAT, Tombstone};
use super::plan::freed_bytes;
use super::references::References;
use super::{PruneOutcome, PrunePlan, Removal};
use crate::clock::Clock;
use crate::error::{CoreError, FormatError, StoreError};
use crate::key::Key;
use crate::manifest::Tool;
use crate::progress::Progress;
use crate::store::{PutMode, PutOptions, Store, StoreRead};

/// Removes what `plan` says, and completes removals that earlier runs began below `scope` (empty, or ending in `/`).
/// `scope` is that of the entries the plan was made from.
///
/// Objects that cannot be deleted are in the outcome, not an error; running again goes on with them.
///
/// # Errors
/// What the store says when it cannot be looked at: then no manifest and no part was deleted. [`FormatError::Newer`] if
/// a manifest of a newer format appeared.
pub async fn apply(
    store: &dyn Store,
    plan: &PrunePlan,
    scope: &str,
    clock: &dyn Clock,
    progress: &dyn Progress,
) -> Result<PruneOutcome, CoreError> {
    let mut deletion = Deletion { store, progress, outcome: PruneOutcome::default() };
    progress.step("prune.mark", &format!("{} backups", plan.removals.len()));
    let marked = mark(&mut deletion, plan, clock).await;

    progress.step("prune.look", scope);
    let going: HashSet<&Key> = marked.iter().map(|removal| &removal.manifest).collect();
    let planned: HashSet<&Key> =
        plan.removals.iter().flat_map(|removal| removal.parts.keys().chain([&removal.manifest])).collect();
    let matters = |key: &Key| planned.contains(key);
    let mut references = References::collect(store, scope, &plan.known, &going, matters, progress).await?;
    let earlier = interrupted(&mut deletion, &references.tombstones, &going).await?;
    if !earlier.is_empty() {
        // What the known ones refer to was only compared with what the plan removes.
        let begun: HashSet<&Key> = earlier.iter().flat_map(|removal| removal.parts.keys()).collect();
        let matters = |key: &Key| planned.contains(key) || begun.contains(key);
        references = References::collect(store, scope, &BTreeSet::new(), &going, matters, progress).await?;
    }
    // A backup whose mark failed stays, and so does what it refers to.
    let unmarked = plan.removals.iter().filter(|removal| !going.contains(&removal.manifest));
    for removal in unmarked {
        references.keys.extend(removal.parts.keys().cloned());
        references.keys.extend(removal.needs.iter().cloned());
    }

    let going = withdraw(&mut deletion, marked, &mut references).await;
    progress.step("prune.manifests", &format!("{} backups", going.len()));
    let mut gone = delete_manifests(&mut deletion, going, &mut references).await;
    gone.extend(earlier);
    progress.step("prune.parts", &format!("{} backups", gone.len()));
    delete_parts(&mut deletion, &gone, &references).await?;
    Ok(deletion.outcome)
}

/// Writes the tombstones; returns the removals that have one.
async fn mark<'a>(deletion: &mut Deletion<'_>, plan: &'a PrunePlan, clock: &dyn Clock) -> Vec<&'a Removal> {
    let mut marked = Vec::with_capacity(plan.removals.len());
    for removal in &plan.removals {
        let tombstone = Tombstone {
            format: FORMAT,
            manifest: removal.manifest.clone(),
            deleted_at: clock.now(),
            writer: Tool::current().writer,
            parts: removal.parts.keys().cloned().collect(),
        };
        match put_tombstone(deletion.store, &tombstone).await {
            Ok(()) => marked.push(removal),
            Err(error) => deletion.fail(&removal.manifest, &Arc::new(error)),
        }
    }
    marked
}

/// Creates a tombstone; one that is there already, from an earlier run, is as good.
pub(super) async fn put_tombstone(store: &dyn Store, tombstone: &Tombstone) -> Result<(), StoreError> {
    let key = names::tombstone_key(&tombstone.manifest)?;
    let body = names::bytes(&key, tombstone)?;
    match store.put(&key, body, &PutOptions::new(PutMode::Create)).await {
        Ok(()) | Err(StoreError::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removals whose manifest is gone and whose tombstone is not.
async fn interrupted(
    deletion: &mut Deletion<'_>,
    tombstones: &[Key],
    going: &HashSet<&Key>,
) -> Result<Vec<Removal>, CoreError> {
    let mut interrupted = Vec::new();
    for key in tombstones {
        let tombstone: Tombstone = match names::read(deletion.store, key).await {
            Ok(tombstone) => tombstone,
            Err(CoreError::Store(error)) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        if names::tombstone_key(&tombstone.manifest)? != *key {
            let what = format!("it is the tombstone of `{}`", tombstone.manifest);
            return Err(FormatError::Invalid { key: key.to_string(), what }.into());
        }
        // With its manifest it is a backup still, and retention decides about it anew.
        if going.contains(&tombstone.manifest) || exists(deletion.store, &tombstone.manifest).await? {
            continue;
        }
        interrupted.push(Removal {
            manifest: tombstone.manifest,
            id: Uuid::nil(),
            // Sizes were in the manifest, which is gone.
            parts: tombstone.parts.into_iter().map(|part| (part, 0)).collect(),
            shared: BTreeSet::new(),
            needs: Vec::new(),
        });
    }
    Ok(interrupted)
}

pub(super) async fn exists(store: &dyn StoreRead, key: &Key) -> Result<bool, StoreError> {
    match store.head(key).await {
        Ok(_) => Ok(true),
        // Whatever a link leads to, it stands where the object was.
        Err(error) if error.is_not_an_object() => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes back what something published or reserved meanwhile builds on, and what that needs.
async fn withdraw<'a>(
    deletion: &mut Deletion<'_>,
    marked: Vec<&'a Removal>,
    references: &mut References,
) -> Vec<&'a Removal> {
    let mut going: BTreeMap<&Key, &Removal> = marked.into_iter().map(|removal| (&removal.manifest, removal)).collect();
    let wanted =
        |removal: &Removal| references.keys.contains(&removal.manifest) || references.parents.contains(&removal.id);
    let mut staying: Vec<&Removal> = going.values().copied().filter(|removal| wanted(removal)).collect();
    let mut tombstones = Vec::new();
    while let Some(removal) = staying.pop() {
        if going.remove(&removal.manifest).is_none() {
            continue;
        }
        keep_back(deletion, removal, references);
        tombstones.extend(names::tombstone_key(&removal.manifest).ok());
        staying.extend(removal.needs.iter().filter_map(|need| going.get(need).copied()));
    }
    deletion.delete(&tombstones).await;
    going.into_values().collect()
}

/// A backup stays: what it refers to stays too.
fn keep_back(deletion: &mut Deletion<'_>, removal: &Removal, references: &mut References) {
    references.keys.extend(removal.parts.keys().cloned());
    deletion.outcome.kept_back.push(removal.manifest.clone());
}

/// Deletes manifests, dependents before what they need; returns the removals whose manifest is gone.
async fn delete_manifests(
    deletion: &mut Deletion<'_>,
    going: Vec<&Removal>,
    references: &mut References,
) -> Vec<Removal> {
    let mut waiting: BTreeMap<&Key, &Removal> = going.into_iter().map(|removal| (&removal.manifest, removal)).collect();
    let mut held: HashSet<Key> = HashSet::new();
    let mut gone = Vec::new();
    while !waiting.is_empty() {
        let mut dependents: HashMap<&Key, usize> = HashMap::new();
        for need in waiting.values().flat_map(|removal| &removal.needs) {
            *dependents.entry(need).or_default() += 1;
        }
        let mut layer: Vec<&Removal> =
            waiting.values().copied().filter(|removal| !dependents.contains_key(&removal.manifest)).collect();
        if layer.is_empty() {
            // They need each other: no order is better than another.
            layer = waiting.values().copied().collect();
        }
        let (stay, go): (Vec<&Removal>, Vec<&Removal>) =
            layer.iter().copied().partition(|removal| held.contains(&removal.manifest));
        let keys: Vec<Key> = go.iter().map(|removal| removal.manifest.clone()).collect();
        let left = deletion.delete(&keys).await;
        for removal in layer {
            waiting.remove(&removal.manifest);
            if !left.contains(&removal.manifest) && !held.contains(&removal.manifest) {
                gone.push(removal.clone());
                continue;
            }
            held.extend(removal.needs.iter().cloned());
            references.keys.extend(removal.parts.keys().cloned());
        }
        stay.into_iter().for_each(|removal| keep_back(deletion, removal, references));
    }
    gone
}

/// Deletes the parts nothing refers to, then the tombstones of the removals of which nothing is left to do.
async fn delete_parts(deletion: &mut Deletion<'_>, gone: &[Removal], references: &References) -> Result<(), CoreError> {
    let unused = |key: &&Key| !references.keys.contains(*key) && !names::is_infrastructure(key);
    let parts: BTreeSet<&Key> = gone.iter().flat_map(|removal| removal.parts.keys()).filter(unused).collect();
    let parts: Vec<Key> = parts.into_iter().cloned().collect();
    let left = deletion.delete(&parts).await;
    let mut done = Vec::new();
    for removal in gone {
        deletion.outcome.removed.push(removal.manifest.clone());
        if !removal.parts.keys().any(|key| left.contains(key)) {
            done.push(names::uses_key(&removal.manifest)?);
            done.push(names::tombstone_key(&removal.manifest)?);
        }
    }
    let deleted: HashSet<Key> = parts.into_iter().filter(|key| !left.contains(key)).collect();
    let freed = gone.iter().map(|removal| Removal {
        parts: removal.parts.iter().filter(|(key, _)| deleted.contains(*key)).map(|(k, b)| (k.clone(), *b)).collect(),
        ..removal.clone()
    });
    deletion.outcome.freed_bytes = freed_bytes(&freed.collect::<Vec<_>>());
    deletion.delete(&done).await;
    Ok(())
}
