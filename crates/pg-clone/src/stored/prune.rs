//! Which dumps are deleted and which are kept, and deleting leftovers of interrupted runs.
//!
//! Dumps of different databases never decide about each other. Single-file dumps of django-pgclone stay unless asked for;
//! then the rules hold for them by themselves, because nothing proves that they can be restored, and so they neither
//! count as the last good dump nor push one of ours out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use backup_core::catalogue::{self, Entry};
use backup_core::error::{FormatError, StoreError};
use backup_core::failure::Remedy;
use backup_core::key::Key;
use backup_core::prune::{self as core, GRACE, HeldBack, IncompletePlan, PruneOutcome};
use backup_core::retention::{self, Action, Candidate, Decision, Policy};
use backup_core::source::Identity;
use backup_core::store::{SharedStore, Store, StoreRead};
use backup_core::tags;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tracing::Instrument;

use crate::error::{PgError, PgResult};
use crate::run::Run;
use crate::setters::setters;
use crate::stored::completeness::settle;
use crate::stored::key::{DumpKey, KeyForm, ROOT};
use crate::stored::legacy::{self, LegacyDump};
use crate::stored::list::{self, Filter};
use crate::stored::sizes::Sizes;
use crate::stored::tags_now::{TagsNow, name_of};

/// Segment of a key that is the folder of a dump: `pg/shop/….dump/…`.
const FOLDER_DEPTH: usize = 3;

/// What is to be pruned.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PruneOptions {
    /// Which dumps are decided about; all, unless something narrows them.
    pub filter: Filter,
    /// What to keep; without a policy only what interrupted runs left is cleared away.
    pub policy: Option<Policy>,
    /// Whether the policy also holds for single-file dumps of django-pgclone.
    pub include_legacy: bool,
    /// How long something without a manifest must have been left alone before it counts as abandoned.
    pub grace: SignedDuration,
}

setters! {
    PruneOptions {
        plain filter: Filter,
        flag include_legacy: bool,
        plain grace: SignedDuration,
    }
}

impl PruneOptions {
    /// Prunes all databases by `policy`.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy: Some(policy), ..Self::incomplete() }
    }

    /// Clears away what interrupted runs left, and nothing else.
    #[must_use]
    pub fn incomplete() -> Self {
        Self { filter: Filter::default(), policy: None, include_legacy: false, grace: GRACE }
    }

    fn wants(&self, row: &Pruned) -> bool {
        self.filter.takes(&row.database, &row.config, row.cluster.as_ref())
    }
}

/// What a prune would do: what `--dry-run` prints, and what [`Prune::run`] does.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct PrunePlan {
    /// What is decided about each dump, the newest last; empty without a policy.
    pub dumps: Vec<Pruned>,
    /// Dumps nothing is decided about, which stay.
    pub untouched: Vec<Untouched>,
    /// What rules would delete and what stays all the same, since a manifest beside it cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<HeldBack>,
    /// What interrupted runs left.
    pub incomplete: Vec<Incomplete>,
    /// Uploads begun and neither completed nor aborted.
    pub uploads: u64,
    /// Bytes that would be freed; what unfinished uploads hold, no store tells.
    pub freed_bytes: u64,
    /// What the user should know and that stops nothing.
    pub warnings: Vec<String>,
    #[serde(skip)]
    removals: core::PrunePlan,
    #[serde(skip)]
    single_files: Vec<(Key, u64)>,
    /// Those that go and whose tags were changed after they were made.
    #[serde(skip)]
    retagged: Vec<DumpKey>,
    #[serde(skip)]
    leftovers: IncompletePlan,
}

/// What is decided about a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pruned {
    /// Its key.
    pub key: String,
    /// The database.
    pub database: String,
    /// The configuration it was made with.
    pub config: String,
    /// The cluster it is of; absent where the dump does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Identity>,
    /// When the source was as the dump has it.
    pub time: Timestamp,
    /// Bytes of all that it needs, wherever they lie.
    pub stored_bytes: u64,
    /// Whether everything that was asked for could be read.
    pub good: bool,
    /// Whether nothing was left out on request either.
    pub complete: bool,
    /// Keep or delete.
    pub action: Action,
    /// Why.
    pub reasons: Vec<String>,
    /// Whether it is dated after now: a clock is wrong, or somebody tampers.
    pub future: bool,
}

/// A dump nothing is decided about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Untouched {
    /// Its key.
    pub key: String,
    /// Why it stays.
    pub why: String,
}

/// What is left of a dump that was never published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Incomplete {
    /// The key it would have had.
    pub key: String,
    /// Its objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the newest of them was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
}

impl PrunePlan {
    /// Dumps that go.
    pub fn deleted(&self) -> impl Iterator<Item = &Pruned> {
        self.dumps.iter().filter(|dump| dump.action == Action::Delete)
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deleted().next().is_none() && self.leftovers.is_empty()
    }
}

/// What a prune did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// Dumps that are gone, and what earlier, interrupted prunes began.
    pub removed: Vec<String>,
    /// Dumps that stay although planned to go: something published meanwhile needs them.
    pub kept_back: Vec<String>,
    /// Objects deleted.
    pub objects: u64,
    /// Unfinished uploads given up.
    pub uploads: u64,
    /// Bytes freed.
    pub freed_bytes: u64,
    /// What could not be deleted, and why; running the same again goes on with it.
    pub failures: BTreeMap<String, String>,
    /// Whether one of them is for want of room, which running the same again does not make.
    #[serde(skip)]
    pub is_full: bool,
    /// What to do if one of them is for want of a right, which running the same again does not give.
    #[serde(skip)]
    pub denied: Option<Remedy>,
}

impl PruneReport {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}

/// A prune that is planned and not yet run. It owns what it was planned with, so that what goes is what [`Prune::plan`]
/// shows.
#[derive(Debug)]
pub struct Prune {
    store: SharedStore,
    run: Run,
    plan: PrunePlan,
}

impl Prune {
    /// Decides what goes, by the run's clock; changes nothing.
    ///
    /// # Errors
    /// [`crate::PgError::Retention`] for a policy that keeps nothing or makes no sense; [`crate::PgError::Usage`] for a filter
    /// that takes nothing although there are dumps; [`crate::PgError::Format`] if a
    /// newer version wrote dumps here, since what they need cannot be known; what the store says.
    pub async fn prepare(store: &SharedStore, options: &PruneOptions, run: &Run) -> PgResult<Self> {
        let plan = run.or_cancelled(Box::pin(plan(&**store, options, run.clock.now()))).await?;
        Ok(Self { store: Arc::clone(store), run: run.clone(), plan })
    }

    /// What would go, and what stays and why.
    #[must_use]
    pub fn plan(&self) -> &PrunePlan {
        &self.plan
    }

    /// Deletes what the plan says. It is not dropped half-way when the run is cancelled: each step is quick, and what is begun
    /// is better finished than found later.
    ///
    /// Objects that cannot be deleted are in the report, not an error; running the same again goes on with them.
    ///
    /// # Errors
    /// What the store says when it cannot be looked at; [`crate::PgError::Format`] if a newer version wrote a dump meanwhile.
    pub async fn run(self) -> PgResult<PruneReport> {
        let span = tracing::info_span!("prune", dumps = self.plan.deleted().count());
        Box::pin(apply(&*self.store, &self.plan, &self.run).instrument(span)).await
    }
}

async fn plan(store: &dyn Store, options: &PruneOptions, now: Timestamp) -> PgResult<PrunePlan> {
    let mut plan = PrunePlan {
        dumps: Vec::new(),
        untouched: Vec::new(),
        held_back: Vec::new(),
        incomplete: Vec::new(),
        uploads: 0,
        freed_bytes: 0,
        warnings: Vec::new(),
        removals: core::PrunePlan::default(),
        single_files: Vec::new(),
        retagged: Vec::new(),
        leftovers: IncompletePlan::default(),
    };
    if let Some(policy) = &options.policy {
        plan_dumps(store, options, policy, now, &mut plan).await?;
    }
    let layout = core::folder_layout(FOLDER_DEPTH, ".dump");
    let mut leftovers = core::incomplete(store, &scope(), layout, now, options.grace).await?;
    leftovers.abandoned.retain(|abandoned| options.wants_key(&abandoned.manifest));
    leftovers.uploads.retain(|upload| options.wants_upload(&upload.key));
    plan.incomplete = leftovers.abandoned.iter().map(incomplete).collect();
    plan.uploads = leftovers.uploads.len() as u64;
    plan.freed_bytes += leftovers.freed_bytes();
    plan.warnings.extend(leftovers.warning());
    plan.leftovers = leftovers;
    refuse_a_miss(store, options, &plan).await?;
    Ok(plan)
}

/// A name that nothing has would otherwise prune nothing, every night and without a word.
async fn refuse_a_miss(store: &dyn Store, options: &PruneOptions, plan: &PrunePlan) -> PgResult<()> {
    if !plan.dumps.is_empty() || !plan.untouched.is_empty() || !plan.leftovers.is_empty() {
        return Ok(());
    }
    let mut filter = options.filter.clone();
    if options.policy.is_none() {
        // Leftovers say of which database they are, and nothing else.
        (filter.config, filter.cluster) = (None, None);
    }
    match list::miss(store, &filter).await? {
        Some(miss) => {
            Err(PgError::Usage { what: miss.what, help: format!("{}; nothing was deleted", miss.there).into() })
        }
        None => Ok(()),
    }
}

async fn plan_dumps(
    store: &dyn Store,
    options: &PruneOptions,
    policy: &Policy,
    now: Timestamp,
    plan: &mut PrunePlan,
) -> PgResult<()> {
    let entries = entries(store).await?;
    let mut candidates = core::candidates(&entries);
    let mut rows: HashMap<String, Pruned> = entries.iter().filter_map(row).collect();
    candidates.retain(|candidate| rows.get(&candidate.id).is_some_and(|row| options.wants(row)));
    plan.untouched.extend(entries.iter().filter_map(|entry| unusable(entry, options)));
    let tags =
        TagsNow::read(store, rows.values().filter(|row| options.wants(row)).map(|row| row.database.clone()).collect())
            .await?;
    settle_tags(&mut candidates, &tags, policy);

    let legacy = legacy::list(store).await?;
    for dump in legacy.into_iter().filter(|dump| options.wants(&legacy_row(dump))) {
        if options.include_legacy {
            candidates.push(legacy_candidate(&dump));
            rows.insert(dump.object.to_string(), legacy_row(&dump));
        } else {
            let why = "a single-file dump of django-pgclone; rules apply to those only on request".to_owned();
            plan.untouched.push(Untouched { key: dump.key.to_string(), why });
        }
    }

    let mut retention = retention::plan(&candidates, policy, now)?;
    plan.held_back = core::hold_back(&entries, &mut retention);
    let decided = retention.decisions.iter().filter_map(|decision| Some((decision, rows.remove(&decision.id)?)));
    let mut decided: Vec<(Timestamp, &Decision, Pruned)> =
        decided.map(|(decision, row)| (row.time, decision, row)).collect();
    decided.sort_by(|left, right| (left.0, &left.1.id).cmp(&(right.0, &right.1.id)));
    for (_, decision, row) in decided {
        if decision.action == Action::Delete && is_single_file(&decision.id) {
            plan.single_files.extend(Key::new(decision.id.as_str()).ok().map(|key| (key, row.stored_bytes)));
        }
        let (action, reasons, future) = (decision.action, decision.reasons.clone(), decision.future);
        plan.dumps.push(Pruned { action, reasons, future, ..row });
    }
    plan.removals = core::PrunePlan::new(&entries, &retention)?;
    let removed = plan.removals.removals.iter().filter_map(|removal| DumpKey::of_manifest(&removal.manifest));
    plan.retagged = removed.filter(|key| tags.knows(key)).collect();
    plan.removals.removable_by(&[])?;
    plan.freed_bytes = plan.removals.freed_bytes + plan.single_files.iter().map(|(_, bytes)| bytes).sum::<u64>();
    plan.warnings = retention.warnings;
    Ok(())
}

async fn apply(store: &dyn Store, plan: &PrunePlan, run: &Run) -> PgResult<PruneReport> {
    let mut report = PruneReport::default();
    // Also without removals of its own: it completes those an earlier run began.
    report.take(core::apply(store, &plan.removals, &scope(), &[], run).await?);
    forget_tags(store, &plan.retagged, &report, run).await?;
    if !plan.single_files.is_empty() {
        delete_single_files(store, &plan.single_files, &mut report).await?;
    }
    if !plan.leftovers.is_empty() {
        report.take(core::clear(store, &plan.leftovers, &scope(), &*run.progress).await?);
    }
    Ok(report)
}

/// The tags that the dumps have now decide.
fn settle_tags(candidates: &mut [Candidate], tags: &TagsNow, policy: &Policy) {
    for candidate in candidates {
        if let Some(key) = Key::new(candidate.id.as_str()).ok().and_then(|key| DumpKey::of_manifest(&key)) {
            tags.settle(candidate, &key, policy);
        }
    }
}

/// Forgets the tags of dumps that are gone. If that fails, the next change of tags still finds the document as it is.
async fn forget_tags(store: &dyn Store, gone: &[DumpKey], report: &PruneReport, run: &Run) -> PgResult<()> {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for key in gone.iter().filter(|key| report.removed.contains(&key.to_string())) {
        names.entry(&key.database).or_default().push(name_of(key));
    }
    for (database, names) in names {
        if let Err(error) = tags::forget(store, &DumpKey::database_folder(database)?, &names).await {
            run.warn(format!("the tags of deleted dumps of `{database}` are not forgotten: {error}"));
        }
    }
    Ok(())
}

async fn delete_single_files(store: &dyn Store, files: &[(Key, u64)], report: &mut PruneReport) -> PgResult<()> {
    let keys: Vec<Key> = files.iter().map(|(key, _)| key.clone()).collect();
    let sizes: HashMap<&Key, u64> = files.iter().map(|(key, bytes)| (key, *bytes)).collect();
    for outcome in store.delete(&keys).await? {
        match outcome.result {
            Ok(()) => {
                report.objects += 1;
                report.freed_bytes += sizes.get(&outcome.key).copied().unwrap_or_default();
                report.removed.push(dump_name(&outcome.key));
            }
            Err(error) => report.fail(&outcome.key, &error),
        }
    }
    Ok(())
}

impl PruneReport {
    fn take(&mut self, outcome: PruneOutcome) {
        self.removed.extend(outcome.removed.iter().map(dump_name));
        self.kept_back.extend(outcome.kept_back.iter().map(dump_name));
        self.objects += outcome.objects;
        self.uploads += outcome.uploads;
        self.freed_bytes += outcome.freed_bytes;
        for failure in outcome.failures {
            self.fail(&failure.key, &failure.error);
        }
    }

    fn fail(&mut self, key: &Key, error: &StoreError) {
        self.is_full |= error.is_full();
        if let StoreError::PermissionDenied { help, .. } = error {
            self.denied.get_or_insert_with(|| help.clone());
        }
        self.failures.insert(key.to_string(), error.to_string());
    }
}

impl PruneOptions {
    fn wants_key(&self, manifest: &Key) -> bool {
        DumpKey::of_manifest(manifest).is_none_or(|key| self.filter.takes_database(&key.database))
    }

    /// Whether the upload belongs to a dump of the database, or to its pointer.
    fn wants_upload(&self, key: &Key) -> bool {
        let Some(database) = &self.filter.database else { return true };
        DumpKey::database_folder(database).is_ok_and(|folder| key.as_str().starts_with(&format!("{folder}/")))
    }
}

/// Within this dumps may share parts.
fn scope() -> String {
    format!("{ROOT}/")
}

/// All manifests, without what only restore needs: a location may hold thousands.
async fn entries(store: &dyn StoreRead) -> PgResult<Vec<Entry>> {
    let scope = scope();
    let mut entries: Vec<Entry> = catalogue::stream(store, &scope)
        .map_ok(|entry| {
            let manifest = entry.manifest.map(|manifest| {
                let mut manifest = settle(manifest);
                manifest.detail = serde_json::Value::Null;
                manifest
            });
            Entry { manifest, ..entry }
        })
        .try_collect()
        .await?;
    entries.sort_by(|left, right| left.key.cmp(&right.key));
    Ok(entries)
}

fn row(entry: &Entry) -> Option<(String, Pruned)> {
    let manifest = entry.manifest.as_ref().ok()?;
    let key = DumpKey::of_manifest(&entry.key)?;
    Some((
        entry.key.to_string(),
        Pruned {
            key: key.to_string(),
            database: key.database,
            config: key.config,
            cluster: manifest.identity.clone(),
            time: manifest.created_at,
            stored_bytes: Sizes::of(manifest).stored(),
            good: entry.good().is_some(),
            complete: entry.complete().is_some(),
            action: Action::Keep,
            reasons: Vec::new(),
            future: false,
        },
    ))
}

/// A damaged manifest, or one that cannot be read: what it refers to cannot be known, so nothing of it goes.
fn unusable(entry: &Entry, options: &PruneOptions) -> Option<Untouched> {
    let fault: &FormatError = entry.manifest.as_ref().err()?;
    options.wants_key(&entry.key).then(|| Untouched { key: dump_name(&entry.key), why: fault.to_string() })
}

fn legacy_candidate(dump: &LegacyDump) -> Candidate {
    let instance = match &dump.key.form {
        KeyForm::Instance(instance) => instance.as_str(),
        _ => "",
    };
    let group = format!("single-file/{instance}/{}", dump.key.database);
    Candidate { good: dump.bytes > 0, ..Candidate::new(dump.object.as_str(), group, dump.key.timestamp, 0) }
}

fn legacy_row(dump: &LegacyDump) -> Pruned {
    Pruned {
        key: dump.key.to_string(),
        database: dump.key.database.clone(),
        config: dump.key.config.clone(),
        cluster: None,
        time: dump.key.timestamp,
        stored_bytes: dump.bytes,
        good: dump.bytes > 0,
        complete: dump.bytes > 0,
        action: Action::Keep,
        reasons: Vec::new(),
        future: false,
    }
}

fn is_single_file(id: &str) -> bool {
    Key::new(id).is_ok_and(|key| DumpKey::of_object(&key).is_some())
}

fn incomplete(abandoned: &core::Abandoned) -> Incomplete {
    Incomplete {
        key: dump_name(&abandoned.manifest),
        objects: abandoned.objects.len() as u64,
        bytes: abandoned.objects.values().sum(),
        newest: abandoned.newest,
    }
}

/// The dump's key as people write it, from that of its manifest or its one object.
fn dump_name(key: &Key) -> String {
    let dump = DumpKey::of_manifest(key).or_else(|| DumpKey::of_object(key));
    dump.map_or_else(|| key.to_string(), |dump| dump.to_string())
}

#[cfg(test)]
mod tests;
