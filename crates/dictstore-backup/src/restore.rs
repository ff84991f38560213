//! Restores: plan, read and hash every file, and only then build the store.

use std::future::Future;

use backup_core::failure::Setting;
use backup_core::key::Key;
use backup_core::location::Location;
use backup_core::pipeline::{read_all, read_part};
use backup_core::remedy;
use backup_core::run::Run;
use backup_core::store::{Bytes, SharedStore, StoreRead};
use tracing::{Instrument as _, info_span};

use crate::detail::BackupKind;
use crate::entry::{Entry, State};
use crate::error::{DictError, DictResult};
use crate::format::{Format, delta, full, pickle};
use crate::list;
use crate::load::{Loader, Note, Semantics};
use crate::options::RestoreOptions;
use crate::origin;
use crate::plan::{self, PlanFault, RestorePlan, RestoreTo};
use crate::store::DictStore;
use crate::unclear::unclear_error;

/// Largest file read. A gigabyte of memory for the file, and several for what is in it, is what restoring it takes.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// A restored store, and what there is to say about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Restored {
    /// The store. Its changes count from here, and backups of it go on with the chain it came from.
    pub store: DictStore,
    /// What was done.
    pub plan: RestorePlan,
    /// What could not be brought back, or only differently.
    pub notes: Vec<Note>,
    /// Records written and deleted by each delta, as DictDB's `apply_delta` counts.
    pub affected: Vec<u64>,
}

/// A restore that is planned and not yet run. It owns what it was planned with, so that what runs is what
/// [`Restore::plan`] shows.
#[derive(Debug)]
pub struct Restore {
    store: SharedStore,
    options: RestoreOptions,
    run: Run,
    entries: Vec<Entry>,
    plan: RestorePlan,
}

impl Restore {
    /// Plans a restore. Reads names and manifests only.
    ///
    /// # Errors
    /// [`DictError::NoBackup`], [`DictError::Gap`]; [`DictError::Source`] if several stores have backups and none is named;
    /// what the store says.
    pub async fn prepare(store: &SharedStore, options: &RestoreOptions, run: &Run) -> DictResult<Self> {
        let entries = Box::pin(run.or_cancelled(entries(&**store, options))).await?;
        let plan = planned(&**store, &entries, options)?;
        Ok(Self { store: store.clone(), options: options.clone(), run: run.clone(), entries, plan })
    }

    /// What will be read, in order.
    #[must_use]
    pub fn plan(&self) -> &RestorePlan {
        &self.plan
    }

    /// Reads and hashes every file, and only then builds the store. A file of DictDB that turns out to be half-written is
    /// left out, since nothing vouched for it; the plan in the answer says so.
    ///
    /// # Errors
    /// [`DictError::Damaged`] or [`backup_core::StoreError::Damaged`] for a file that is not what was backed up;
    /// [`DictError::Gap`], [`DictError::Interrupted`].
    pub async fn run(self) -> DictResult<Restored> {
        Box::pin(self.read().instrument(info_span!("dict.restore"))).await
    }

    async fn read(self) -> DictResult<Restored> {
        let Self { store, options, run, mut entries, mut plan } = self;
        loop {
            let mut torn = None;
            let mut contents = Vec::with_capacity(plan.entries.len());
            for at in &plan.entries {
                run.step("dict.read", &entries[*at].name.to_string());
                match run.or_cancelled(content(&*store, &entries[*at], options.semantics)).await {
                    Ok(content) => contents.push(content),
                    // Nothing vouched for it: what DictDB left half-written is skipped with a word.
                    Err(DictError::Damaged { what, .. }) if entries[*at].state == State::Foreign => {
                        torn = Some((*at, what));
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            let Some((at, what)) = torn else {
                run.stop_if_cancelled()?;
                return build(&entries, plan, contents, options.semantics);
            };
            let file = entries[at].name.to_string();
            entries[at].state = State::Torn(what.clone());
            plan = match planned(&*store, &entries, &options) {
                // There is one, and that it cannot be read is what helps.
                Err(DictError::NoBackup { .. }) => return Err(DictError::Damaged { file, what }),
                plan => plan?,
            };
        }
    }
}

/// The backups of the one store that is meant.
async fn entries(store: &dyn StoreRead, options: &RestoreOptions) -> DictResult<Vec<Entry>> {
    let entries = list::list(store).await?;
    let meant = origin::meant(&entries, &options.to, options.source.as_deref());
    let meant = meant.map_err(|unclear| unclear_error(store, unclear, options.source.as_deref()))?;
    Ok(origin::of(entries, &meant))
}

fn planned(store: &dyn StoreRead, entries: &[Entry], options: &RestoreOptions) -> DictResult<RestorePlan> {
    let to = &options.to;
    let plan = match plan::plan(entries, to) {
        Err(PlanFault::Gap { whole: Some(whole), unreadable: true, .. }) if options.allow_older => {
            plan::plan(entries, &RestoreTo::File(whole))
        }
        plan => plan,
    };
    plan.map_err(|fault| match fault {
        PlanFault::Nothing => DictError::NoBackup { which: to.to_string(), location: store.describe() },
        PlanFault::Gap { wanted, what, whole: Some(whole), unreadable: true } => {
            let help = remedy![
                format!("nothing was restored. Make it readable, or restore the last one before it, `{whole}`, with "),
                Setting::UpTo.with(whole),
                " or with ",
                Setting::AllowOlder
            ];
            DictError::NewerUnreadable { wanted, what, help }
        }
        PlanFault::Gap { wanted, what, whole, .. } => {
            let help = match whole {
                Some(whole) => remedy![
                    format!(
                        "nothing was restored. The last restorable backup before it is `{whole}`: restore it with "
                    ),
                    Setting::UpTo.with(whole)
                ],
                None => "nothing was restored, and no backup before it can be restored".into(),
            };
            DictError::Gap { wanted, what, help }
        }
    })
}

/// What a file holds.
#[derive(Debug)]
pub(crate) enum Content {
    Full(Vec<full::LoadedTable>),
    Delta(Vec<delta::LoadedChanges>),
}

pub(crate) async fn content(store: &dyn StoreRead, entry: &Entry, semantics: Semantics) -> DictResult<Content> {
    let file = entry.name.to_string();
    let bytes = read(store, entry).await?;
    decode(&file, &bytes, entry.name.kind, entry.name.format, semantics)
}

fn decode(file: &str, bytes: &[u8], kind: BackupKind, format: Format, semantics: Semantics) -> DictResult<Content> {
    match (kind, format) {
        (BackupKind::Delta, _) => Ok(Content::Delta(delta::decode(file, bytes)?)),
        (BackupKind::Full, Format::Json) => Ok(Content::Full(full::decode(file, bytes)?)),
        (BackupKind::Full, Format::Pickle) => {
            Ok(Content::Full(pickle::decode(file, bytes, semantics == Semantics::DictDb)?))
        }
    }
}

/// The file's bytes, checked against its manifest if it has one, or out of it if that holds them.
pub(crate) async fn read(store: &dyn StoreRead, entry: &Entry) -> DictResult<Bytes> {
    if let Some(content) = entry.content() {
        return Ok(content);
    }
    read_file(store, entry).await
}

/// As [`read`], never from the manifest.
pub(crate) async fn read_file(store: &dyn StoreRead, entry: &Entry) -> DictResult<Bytes> {
    let key = entry.name.key()?;
    let Some(part) = entry.manifest.as_ref().and_then(|manifest| manifest.parts.first()) else {
        return Ok(read_all(store, &key, FILE_BYTES_MAX).await?);
    };
    Ok(read_part(store, part, FILE_BYTES_MAX).await?)
}

fn build(entries: &[Entry], plan: RestorePlan, contents: Vec<Content>, semantics: Semantics) -> DictResult<Restored> {
    let mut loader = None;
    let mut affected = Vec::new();
    for (at, content) in plan.entries.iter().zip(contents) {
        let entry = &entries[*at];
        let (file, detail) = (entry.name.to_string(), entry.manifest.as_ref().map(|manifest| &manifest.detail));
        match (content, &mut loader) {
            (Content::Full(tables), _) => loader = Some(Loader::full(&file, tables, detail, semantics)?),
            (Content::Delta(changes), Some(loader)) => affected.push(loader.delta(&file, changes, detail)?),
            (Content::Delta(_), None) => {}
        }
    }
    let Some(loader) = loader else {
        return Err(DictError::NoBackup { which: "in full".to_owned(), location: "the plan".to_owned() });
    };
    let base = plan.entries.last().and_then(|at| entries[*at].manifest.as_ref()).map(|manifest| manifest.id);
    let (store, notes) = loader.finish(base);
    Ok(Restored { store, plan, notes, affected })
}

/// Loads files by name, as DictDB's `load` and `apply_delta` do: a full backup, then deltas, whatever lies beside them.
///
/// # Errors
/// As [`Restore::run`].
pub async fn load_files(
    store: &dyn StoreRead,
    full: &str,
    deltas: &[&str],
    semantics: Semantics,
) -> DictResult<Restored> {
    let format = if full.to_ascii_lowercase().ends_with(".pickle") { Format::Pickle } else { Format::Json };
    let bytes = read_all(store, &Key::new(full)?, FILE_BYTES_MAX).await?;
    let Content::Full(tables) = decode(full, &bytes, BackupKind::Full, format, semantics)? else {
        return Err(DictError::Damaged { file: full.to_owned(), what: "it is not a full backup".to_owned() });
    };
    let mut loader = Loader::full(full, tables, None, semantics)?;
    let mut affected = Vec::new();
    for file in deltas {
        let bytes = read_all(store, &Key::new(*file)?, FILE_BYTES_MAX).await?;
        affected.push(loader.delta(file, delta::decode(file, &bytes)?, None)?);
    }
    let files = std::iter::once(full).chain(deltas.iter().copied()).map(str::to_owned).collect();
    let plan =
        RestorePlan { files, time: None, source: None, verified: false, left_out: Vec::new(), entries: Vec::new() };
    let (store, notes) = loader.finish(None);
    Ok(Restored { store, plan, notes, affected })
}

/// Restores the backups in `location`: a folder, or `s3://…` with the feature `s3`. If several stores have backups there,
/// [`Restore`] can be told which is meant, and this refuses. May be called from anywhere; inside an asynchronous
/// runtime use [`Restore`].
///
/// # Errors
/// As [`Restore::run`].
pub fn restore(location: &str, to: RestoreTo) -> DictResult<DictStore> {
    let location: Location = location.parse()?;
    let restored = blocking(async move {
        let store = location.open().await?;
        Restore::prepare(&store, &RestoreOptions::new(to), &Run::silent()).await?.run().await
    })?;
    Ok(restored.store)
}

/// Runs `work` to its end on a runtime of its own, wherever the caller runs: within another runtime on a thread besides.
/// Without need there is none, since what is restored stays in the memory of the thread that made it, and that of the first
/// thread grows faster than that of others.
pub(crate) fn blocking<T: Send + 'static>(work: impl Future<Output = DictResult<T>> + Send + 'static) -> DictResult<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return on_this_thread(work);
    }
    let thread = std::thread::Builder::new().name("lastgood-dict-restore".to_owned()).spawn(|| on_this_thread(work));
    match thread.map_err(no_thread)?.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn on_this_thread<T>(work: impl Future<Output = DictResult<T>>) -> DictResult<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(no_thread)?.block_on(work)
}

pub(crate) fn no_thread(source: std::io::Error) -> DictError {
    DictError::Io { action: "start", path: "a thread".to_owned(), source }
}
