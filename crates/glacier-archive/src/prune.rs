//! Deletes backups, and the archives that no other backup has: one by its key, or those that no rule keeps.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::catalogue::{self, Entry};
use backup_core::key::Key;
use backup_core::prune::{PruneDecisions, PrunePlan, PruneReport, apply, candidates, clear, folder_layout, incomplete};
use backup_core::retention::{self, Action, Decision, Policy};
use backup_core::run::Run;
use backup_core::store::SharedStore;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::class::Class;
use crate::detail::GlacierDetail;
use crate::error::{GlacierError, GlacierResult};
use crate::gone;
use crate::key::{self, BackupKey};
use crate::money::Usd;
use crate::price::PriceBook;
use crate::state::State;
use crate::stored;

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
}

/// An archive as manifests have it.
struct Stored {
    class: Option<Class>,
    first: Timestamp,
}

impl Deletion {
    /// Decides at this time about the backups called `name`. Reads only.
    ///
    /// # Errors
    /// [`GlacierError::NoBackup`]; for a policy without a rule, and for what a newer version published; what the store says.
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
                let left = incomplete(&**store, &scope, folder_layout(BACKUP_DEPTH, ""), now, grace);
                decisions.incomplete = run.or_cancelled(async { Ok::<_, GlacierError>(left.await?) }).await?;
            }
        }
        decisions.removals = PrunePlan::new(&entries, &decisions.retention)?;
        let fees = fees(&decisions.removals, &stored(&entries), prices, now);
        Ok(Self { store: store.clone(), name: name.to_owned(), run: run.clone(), decisions, fees })
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

    /// Deletes it, and forgets the archives that are gone. What could not be deleted is in the report; the same again goes on
    /// with it. Needs the lock.
    ///
    /// # Errors
    /// What the store says when it cannot be looked at; as of the catalogue.
    pub async fn run(self, state: &State) -> GlacierResult<PruneReport> {
        let (store, run, scope) = (&self.store, &self.run, key::backups(&self.name));
        run.stop_if_cancelled()?;
        let mut report = PruneReport::default();
        report.backups = apply(&**store, &self.decisions.removals, &scope, &[], run).await?;
        if !self.decisions.incomplete.is_empty() {
            report.incomplete = clear(&**store, &self.decisions.incomplete, &scope, &*run.progress).await?;
        }
        run.step("glacier.forget", &self.name);
        // Also what an interrupted run deleted, and not what something published meanwhile has kept.
        gone::forget(store, state, &self.name, run).await?;
        stored::store(store, state.catalogue(), &self.name, run.clock.now()).await?;
        Ok(report)
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
        for (part, class) in manifest.parts.iter().zip(detail.classes) {
            let known = all.entry(part.key.clone()).or_insert(Stored { class, first: manifest.created_at });
            known.first = known.first.min(manifest.created_at);
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
        let Some(Stored { class: Some(class), first }) = stored.get(key) else { continue };
        let fee = prices.early_deletion(*class, bytes, *first, now);
        fees.early += u64::from(fee > Usd::ZERO);
        fees.fee += fee;
    }
    let shared: BTreeSet<&Key> =
        plan.removals.iter().flat_map(|removal| &removal.shared).filter(|key| key::is_payload(key)).collect();
    fees.shared = shared.len() as u64;
    fees
}
