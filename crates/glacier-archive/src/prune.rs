//! Deletes backups, and the archives that no other backup has: one by its key, or those that no rule keeps.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::catalogue::{self, Entry};
use backup_core::key::Key;
use backup_core::manifest::MANIFEST_NAME;
use backup_core::prune::{
    PruneDecisions, PrunePlan, PruneReport, apply, candidates, clear, folder_layout, hold_back, incomplete,
};
use backup_core::retention::{self, Action, Decision, Policy};
use backup_core::run::Run;
use backup_core::store::SharedStore;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::class::Class;
use crate::database::objects::dump_of;
use crate::detail::GlacierDetail;
use crate::error::{GlacierError, GlacierResult};
use crate::find;
use crate::gone;
use crate::key::{self, BackupKey};
use crate::money::Usd;
use crate::price::PriceBook;
use crate::state::State;
use crate::stored;
use crate::turn::Turn;

/// A backup's folder is the fourth segment of its keys: `glacier/uploads/backups/2026-…/`.
const BACKUP_DEPTH: usize = 4;

/// Which backups go.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// This one.
    Backup(&'a BackupKey),
    /// Those that the policy does not keep, and what interrupted runs left and nobody touched for so long.
    Rules(Option<&'a Policy>, SignedDuration),
}

/// What a deletion does to archives, and what it costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fees {
    /// Archives that go.
    pub archives: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Archives that stay because other backups have them, too.
    pub shared: u64,
    /// Archives that go before the minimum of days that their class is paid for.
    pub early: u64,
    /// What the days that are left of it cost.
    pub fee: Usd,
    /// The day of the prices.
    pub prices_as_of: String,
}

/// A deletion that is planned and not yet run.
#[derive(Debug)]
pub struct Deletion {
    store: SharedStore,
    name: String,
    run: Run,
    decisions: PruneDecisions,
    fees: Fees,
    /// What a vault calls archives, as manifests say.
    ids: BTreeMap<Key, String>,
}

/// An archive as manifests have it.
struct Stored {
    class: Option<Class>,
    first: Timestamp,
    id: Option<String>,
}

impl Deletion {
    /// Decides at this time about the backups called `name`. Reads only.
    ///
    /// # Errors
    /// [`GlacierError::NoBackup`]; [`GlacierError::Usage`] for a name that nothing has although there are others; for a policy without a rule, and for what a newer version published; what the store says.
    pub async fn prepare(
        store: &SharedStore,
        name: &str,
        which: Which<'_>,
        prices: &PriceBook,
        run: &Run,
    ) -> GlacierResult<Self> {
        key::check_name(name)?;
        let (scope, now) = (key::backups(name), run.clock.now());
        let entries =
            run.or_cancelled(async { Ok::<_, GlacierError>(catalogue::list(&**store, &scope).await?) }).await?;
        let mut decisions = PruneDecisions::default();
        match which {
            Which::Backup(key) => decisions.retention.decisions = only(key, &entries, store)?,
            Which::Rules(policy, grace) => {
                if let Some(policy) = policy {
                    let mut all = candidates(&entries);
                    let is_backup = |id: &str| Key::new(id).is_ok_and(|key| BackupKey::of_manifest(&key).is_some());
                    all.retain(|candidate| is_backup(&candidate.id));
                    let plan = retention::plan(&all, policy, now).map_err(backup_core::CoreError::from)?;
                    decisions.retention = plan;
                }
                let all = key::all(name);
                let left = incomplete(&**store, &all, leftovers(name), now, grace);
                decisions.incomplete = run.or_cancelled(async { Ok::<_, GlacierError>(left.await?) }).await?;
                // A name that nothing has would otherwise prune nothing, every night and without a word.
                if decisions.retention.decisions.is_empty()
                    && decisions.incomplete.is_empty()
                    && let Some(miss) = run.or_cancelled(find::miss(&**store, name)).await?
                {
                    return Err(GlacierError::usage(miss.what, format!("{}; nothing was deleted", miss.there)));
                }
                decisions.incomplete.warning().into_iter().for_each(|warning| run.warn(warning));
            }
        }
        decisions.held_back = hold_back(&entries, &mut decisions.retention);
        decisions.removals = PrunePlan::new(&entries, &decisions.retention)?;
        let stored = stored(&entries);
        let fees = fees(&decisions.removals, &stored, prices, now);
        let ids = stored.into_iter().filter_map(|(key, stored)| Some((key, stored.id?))).collect();
        Ok(Self { store: store.clone(), name: name.to_owned(), run: run.clone(), decisions, fees, ids })
    }

    /// What will go, and why.
    #[must_use]
    pub fn plan(&self) -> &PruneDecisions {
        &self.decisions
    }

    /// What it costs.
    #[must_use]
    pub fn fees(&self) -> &Fees {
        &self.fees
    }

    /// Deletes it, and forgets the archives that are gone; with the last backup goes what is kept for all of them. What could
    /// not be deleted is in the report; the same again goes on with it. Needs the lock.
    ///
    /// # Errors
    /// [`GlacierError::Lease`] if another machine changes these backups; what the store says when it cannot be looked at; as
    /// of the catalogue.
    pub async fn run(self, state: &State) -> GlacierResult<PruneReport> {
        self.run.stop_if_cancelled()?;
        let turn = self.turn(state).await?;
        let store = turn.guarded(&self.store);
        turn.within(Box::pin(self.carry_out(store, state))).await
    }

    /// The turn. Where there is no room for it, what others say too makes some: which backup is the newest stands in every
    /// listing, and what this machine knows is stored again once the deletion has made room.
    async fn turn(&self, state: &State) -> GlacierResult<Turn> {
        for key in [key::pointer(&self.name)?, key::catalogue(&self.name)?] {
            match Turn::take(&self.store, state, &self.name).await {
                Err(error) if error.is_full() => {}
                turn => return turn,
            }
            self.run.step("glacier.room", key.as_str());
            self.store.delete(&[key]).await?.into_iter().try_for_each(|outcome| outcome.result)?;
        }
        Turn::take(&self.store, state, &self.name).await
    }

    async fn carry_out(self, store: SharedStore, state: &State) -> GlacierResult<PruneReport> {
        let (run, name) = (&self.run, self.name.as_str());
        let mut ids = self.ids;
        let known = state.catalogue().vaulted()?.into_iter();
        ids.extend(known.filter_map(|(key, known)| Some((key, known.archive?.id))));
        let mut report = PruneReport::default();
        report.backups = apply(&*store, &self.decisions.removals, &key::backups(name), &[], run).await?;
        if !self.decisions.incomplete.is_empty() {
            report.incomplete = clear(&*store, &self.decisions.incomplete, &key::all(name), &*run.progress).await?;
        }
        run.step("glacier.forget", name);
        // Also what an interrupted run deleted, and not what something published meanwhile has kept.
        gone::forget(&store, state, name, run).await?;
        let there = gone::there(&store, name, run).await?;
        ids.retain(|key, _| key::is_payload(key) && !there.contains(key));
        gone::note(&store, name, ids, run.clock.now()).await?;
        let is_last = catalogue::list(&*store, &key::backups(name)).await?.is_empty();
        if is_last && report.failures().next().is_none() {
            clear_away(&store, state, name, &there, run).await?;
        } else {
            stored::keep(&store, state, name, run.clock.now()).await?;
        }
        Ok(report)
    }
}

/// Deletes what is there for all backups of a name, of which none is left: pointers, and the stored catalogue, unless it knows
/// archives that the next backup goes on with. The lease stays, whose number only grows, and what is noted for machines that
/// count on what is gone.
async fn clear_away(
    store: &SharedStore,
    state: &State,
    name: &str,
    there: &BTreeSet<Key>,
    run: &Run,
) -> GlacierResult<()> {
    run.step("glacier.clear", name);
    let mut keys = vec![key::pointer(name)?];
    let [_, dumps] = key::database(name);
    let is_pointer = |key: &&Key| key.as_str().strip_prefix(&dumps).is_some_and(|below| dump_of(below).is_none());
    keys.extend(there.iter().filter(is_pointer).cloned());
    if state.catalogue().archives()?.is_empty() {
        keys.push(key::catalogue(name)?);
    } else {
        stored::keep(store, state, name, run.clock.now()).await?;
    }
    store.delete(&keys).await?.into_iter().try_for_each(|outcome| outcome.result)?;
    Ok(())
}

/// Which backup an object belongs to as long as that has no manifest. The two halves of a dump are one thing.
fn leftovers(name: &str) -> impl Fn(&Key) -> Option<Key> + use<> {
    let (backups, dumps) = (key::backups(name), key::database(name));
    move |key| {
        if key.as_str().starts_with(&backups) {
            return folder_layout(BACKUP_DEPTH, "")(key);
        }
        let below = dumps.iter().find_map(|folder| key.as_str().strip_prefix(folder.as_str()))?;
        Key::new(format!("{}{}/{MANIFEST_NAME}", dumps[1], dump_of(below)?)).ok()
    }
}

/// The decision that one backup goes and all others stay.
fn only(wanted: &BackupKey, entries: &[Entry], store: &SharedStore) -> GlacierResult<Vec<Decision>> {
    let manifest = wanted.manifest()?;
    let Some(entry) = entries.iter().find(|entry| entry.key == manifest) else {
        return Err(GlacierError::NoBackup { which: wanted.to_string(), location: store.describe() });
    };
    if let Err(error) = &entry.manifest {
        return Err(GlacierError::damaged(wanted, format!("{error}; what it refers to is not known")));
    }
    let (id, reasons) = (manifest.as_str().to_owned(), vec!["it was named".to_owned()]);
    Ok(vec![Decision { id, action: Action::Delete, reasons, future: false }])
}

/// Since when each archive is stored, at the latest, and in which class.
fn stored(entries: &[Entry]) -> BTreeMap<Key, Stored> {
    let mut all: BTreeMap<Key, Stored> = BTreeMap::new();
    for manifest in entries.iter().filter_map(|entry| entry.manifest.as_ref().ok()) {
        let Ok(detail) = serde_json::from_value::<GlacierDetail>(manifest.detail.clone()) else { continue };
        let mut ids = detail.vaulted.into_iter().map(|archive| archive.map(|archive| archive.id));
        for (part, class) in manifest.parts.iter().zip(detail.classes) {
            let (first, id) = (manifest.created_at, ids.next().flatten());
            let known = all.entry(part.key.clone()).or_insert(Stored { class, first, id: None });
            known.first = known.first.min(first);
            known.id = id.or(known.id.take());
        }
    }
    all
}

fn fees(plan: &PrunePlan, stored: &BTreeMap<Key, Stored>, prices: &PriceBook, now: Timestamp) -> Fees {
    let mut fees = Fees { prices_as_of: prices.as_of.clone(), ..Fees::default() };
    let going: BTreeMap<&Key, u64> =
        plan.removals.iter().flat_map(|removal| &removal.parts).map(|(key, bytes)| (key, *bytes)).collect();
    for (key, bytes) in going.into_iter().filter(|(key, _)| key::is_payload(key)) {
        fees.archives += 1;
        fees.bytes += bytes;
        let Some(Stored { class: Some(class), first, .. }) = stored.get(key) else { continue };
        let fee = prices.early_deletion(*class, bytes, *first, now);
        fees.early += u64::from(fee > Usd::ZERO);
        fees.fee += fee;
    }
    let shared: BTreeSet<&Key> =
        plan.removals.iter().flat_map(|removal| &removal.shared).filter(|key| key::is_payload(key)).collect();
    fees.shared = shared.len() as u64;
    fees
}
