//! Executes a plan: tombstones, one more look, manifests, parts, tombstones; resumes what was interrupted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use uuid::Uuid;

use super::deletion::Deletion;
use super::external::{Left, Outside, Remover, removable_by};
use super::names::{self, Tombstone};
use super::parts::delete_parts;
use super::plan::is_own;
use super::references::References;
use super::room;
use super::tombstone::{put_mark, tombstone};
use super::{PruneOutcome, PrunePlan, Removal};
use crate::catalogue::{CONCURRENCY, unreadable};
use crate::error::{CoreError, FormatError, StoreError};
use crate::key::Key;
use crate::run::Run;
use crate::store::{Store, StoreRead};

/// Removes what `plan` says, and completes removals that earlier runs began below `scope` (empty, or ending in `/`).
/// `scope` is that of the entries the plan was made from; `removers` remove what backups own outside the location.
///
/// Objects that cannot be deleted are in the outcome, not an error; running again goes on with them.
///
/// # Errors
/// What the store says when it cannot be looked at, [`CoreError::NoRemover`], and [`FormatError::Newer`] or
/// [`FormatError::Requires`] if a newer version published something: then nothing was deleted.
pub async fn apply(
    store: &dyn Store,
    plan: &PrunePlan,
    scope: &str,
    removers: &[&dyn Remover],
    run: &Run,
) -> Result<PruneOutcome, CoreError> {
    plan.removable_by(removers)?;
    let mut deletion = Deletion { store, progress: &*run.progress, outcome: PruneOutcome::default() };
    let mut waiting: Vec<&Removal> = plan.removals.iter().collect();
    loop {
        let of = waiting.len();
        let full;
        (waiting, full) = pass(&mut deletion, plan, waiting, scope, removers, run).await?;
        let Some(full) = full else { break };
        if waiting.len() == of {
            // None could be marked, so that nothing went that would make room.
            match room::make(&mut deletion, plan, &waiting, scope, run).await? {
                Some(gone) => {
                    waiting.remove(gone);
                }
                None => {
                    let full = Arc::new(full);
                    waiting.iter().for_each(|removal| deletion.fail(&removal.manifest, &full));
                    break;
                }
            }
        }
    }
    deletion.ended()
}

/// Removes those of `removals` that there is room to mark. Those that wait for room are returned, and what said so.
async fn pass<'a>(
    deletion: &mut Deletion<'_>,
    plan: &PrunePlan,
    removals: Vec<&'a Removal>,
    scope: &str,
    removers: &[&dyn Remover],
    run: &Run,
) -> Result<(Vec<&'a Removal>, Option<StoreError>), CoreError> {
    let (store, progress) = (deletion.store, deletion.progress);
    progress.step("prune.mark", &format!("{} backups", removals.len()));
    let (marked, full) = mark(deletion, &removals, run).await;

    progress.step("prune.look", scope);
    let going: HashSet<&Key> = marked.iter().map(|removal| &removal.manifest).collect();
    let planned: HashSet<&Key> =
        removals.iter().flat_map(|removal| removal.parts.keys().chain([&removal.manifest])).collect();
    let matters = |key: &Key| planned.contains(key);
    let mut references = References::collect(store, scope, &plan.known, &going, matters, progress).await?;
    let mut earlier = interrupted(deletion, &references.tombstones, &going).await?;
    earlier.iter().try_for_each(|removal| removable_by(removal, removers))?;
    if !earlier.is_empty() {
        // What the known ones refer to was only compared with what the plan removes.
        let begun: HashSet<&Key> = earlier.iter().flat_map(|removal| removal.parts.keys()).collect();
        let matters = |key: &Key| planned.contains(key) || begun.contains(key);
        references = References::collect(store, scope, &BTreeSet::new(), &going, matters, progress).await?;
        // Finished once everything beside them can be read again.
        earlier.retain(|removal| !references.may_need(&removal.manifest));
    }
    // A backup whose mark failed stays, and so does what it refers to.
    let (_, unmarked): (Vec<&Removal>, Vec<&Removal>) =
        removals.into_iter().partition(|removal| going.contains(&removal.manifest));
    for removal in &unmarked {
        references.keys.extend(removal.parts.keys().cloned());
        references.keys.extend(removal.needs.iter().cloned());
        references.external.extend(removal.external.iter().map(ToString::to_string));
    }

    let mut going = withdraw(deletion, marked, &mut references).await;
    // Nothing that is published needs these any more, and something of them may be gone: they are finished.
    let (begun, gone_before): (Vec<Removal>, Vec<Removal>) =
        earlier.into_iter().partition(|removal| !removal.external.is_empty());
    going.extend(&begun);
    progress.step("prune.manifests", &format!("{} backups", going.len()));
    let outside = Outside::new(removers, run, &going);
    let mut gone = delete_manifests(deletion, going, &mut references, outside).await;
    gone.extend(gone_before);
    // A manifest that a power failure brought back must not have lost its parts.
    let gone = stay_gone(deletion, gone).await;
    progress.step("prune.parts", &format!("{} backups", gone.len()));
    delete_parts(deletion, &gone, &references).await?;
    let failed: HashSet<&Key> = deletion.outcome.failures.iter().map(|failure| &failure.key).collect();
    let waiting = unmarked.into_iter().filter(|removal| full.is_some() && !failed.contains(&removal.manifest));
    Ok((waiting.collect(), full))
}

/// Writes the tombstones and then makes all of them durable at once; returns the removals that have one, and what said that
/// there is no room for more.
async fn mark<'a>(
    deletion: &mut Deletion<'_>,
    removals: &[&'a Removal],
    run: &Run,
) -> (Vec<&'a Removal>, Option<StoreError>) {
    let store = deletion.store;
    let mut marked = Vec::with_capacity(removals.len());
    let mut full = None;
    // The newest first: what others build on is older, and does not go before them if there is no room for all.
    let newest_first: Vec<&Removal> = removals.iter().rev().copied().collect();
    for several in newest_first.chunks(CONCURRENCY) {
        let puts = several.iter().map(|removal| async move { put_mark(store, &tombstone(removal, run, false)).await });
        for (removal, put) in several.iter().copied().zip(join_all(puts).await) {
            match put {
                // Of those at once others may have been faster than a newer one. They wait with it, their mark in place.
                Ok(()) if full.is_none() => marked.push(removal),
                Ok(()) => {}
                Err(error) if error.is_full() => full = full.or(Some(error)),
                Err(error) => deletion.fail(&removal.manifest, &Arc::new(error)),
            }
        }
        if full.is_some() {
            break;
        }
    }
    deletion.progress.step("prune.marked", &format!("{} backups", marked.len()));
    let tombstones = marked.iter().filter_map(|removal| names::tombstone_key(&removal.manifest).ok());
    match deletion.make_durable(&tombstones.collect::<Vec<_>>()).await {
        Ok(()) => (marked, full),
        // Some file systems find out only now.
        Err(error) if error.is_full() => (Vec::new(), Some(error)),
        Err(error) => {
            let error = Arc::new(error);
            marked.iter().for_each(|removal| deletion.fail(&removal.manifest, &error));
            (Vec::new(), full)
        }
    }
}

/// Removals that earlier runs began and that must be finished: their manifest is gone and their tombstone is not, or
/// something external may be gone.
async fn interrupted(
    deletion: &mut Deletion<'_>,
    tombstones: &[Key],
    going: &HashSet<&Key>,
) -> Result<Vec<Removal>, CoreError> {
    let mut interrupted = Vec::new();
    let ours: HashSet<Key> = going.iter().filter_map(|manifest| names::tombstone_key(manifest).ok()).collect();
    // One that stands beside a manifest of its own name is met twice.
    let tombstones: BTreeSet<&Key> = tombstones.iter().filter(|key| !ours.contains(*key)).collect();
    for key in tombstones {
        let tombstone: Tombstone = match names::read(deletion.store, key).await {
            Ok(tombstone) => tombstone,
            Err(CoreError::Store(error)) if error.is_not_found() => continue,
            Err(CoreError::Store(error)) => {
                let error = unreadable(key, error)?;
                deletion.progress.warn(format!("{error}; the deletion that it is of is not finished"));
                continue;
            }
            Err(error) => return Err(error),
        };
        if names::tombstone_key(&tombstone.manifest)? != *key {
            let what = format!("it is the tombstone of `{}`", tombstone.manifest);
            return Err(FormatError::Invalid { key: key.to_string(), what }.into());
        }
        // It lists nothing: the mark of a claim, which another prune is about to write, or of which nothing is left to do.
        if tombstone.lists_nothing() {
            continue;
        }
        // With its manifest and all it owns it is a backup still, and retention decides about it anew.
        let is_whole = !tombstone.removing && exists(deletion.store, &tombstone.manifest).await?;
        if is_whole {
            continue;
        }
        // Sizes were in the manifest, which is gone.
        let own = tombstone.parts.into_iter().filter(|part| is_own(&tombstone.manifest, part));
        interrupted.push(Removal {
            parts: own.map(|part| (part, 0)).collect(),
            manifest: tombstone.manifest,
            id: Uuid::nil(),
            shared: BTreeSet::new(),
            external: tombstone.external,
            needs: Vec::new(),
            begun: true,
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
    let mut staying: Vec<&Removal> = going.values().copied().filter(|removal| references.wants(removal)).collect();
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
    references.keep(removal);
    deletion.outcome.kept_back.push(removal.manifest.clone());
}

/// Deletes manifests, what is external before each and dependents before what they need; returns the removals whose
/// manifest is gone.
async fn delete_manifests(
    deletion: &mut Deletion<'_>,
    going: Vec<&Removal>,
    references: &mut References,
    mut outside: Outside<'_>,
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
        let mut keys = Vec::new();
        let mut left: HashSet<Key> = HashSet::new();
        for removal in go {
            match outside.remove(deletion, removal, references).await {
                Left::Nothing => {
                    keys.push(removal.manifest.clone());
                    continue;
                }
                Left::Whole => deletion.outcome.kept_back.push(removal.manifest.clone()),
                Left::Some => {}
            }
            references.keep(removal);
            left.insert(removal.manifest.clone());
        }
        left.extend(deletion.delete(&keys).await);
        for removal in layer {
            waiting.remove(&removal.manifest);
            if !left.contains(&removal.manifest) && !held.contains(&removal.manifest) {
                gone.push(removal.clone());
                continue;
            }
            held.extend(removal.needs.iter().cloned());
            references.keep(removal);
        }
        stay.into_iter().for_each(|removal| keep_back(deletion, removal, references));
    }
    gone
}

/// Makes durable that the manifests are gone, all of them at once; returns the removals of which it is known. The others are
/// failures, which the next run goes on with.
async fn stay_gone(deletion: &mut Deletion<'_>, gone: Vec<Removal>) -> Vec<Removal> {
    let manifests: Vec<Key> = gone.iter().map(|removal| removal.manifest.clone()).collect();
    match deletion.make_durable(&manifests).await {
        Ok(()) => gone,
        Err(error) => {
            let error = Arc::new(error);
            manifests.iter().for_each(|manifest| deletion.fail(manifest, &error));
            Vec::new()
        }
    }
}
