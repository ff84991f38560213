//! Backs up a folder of immutable files: what is new becomes archives, and a manifest says what the folder had.

mod plan;
mod publish;
mod upload;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use backup_core::manifest::Outcome;
use backup_core::probe;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use backup_core::tags;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

pub use self::plan::{BUNDLE_BYTES, BUNDLED_BYTES_MAX, BackupPlan, BackupSettings, Work, plan, sort};
use self::upload::{Archived, Uploader, exists};
use crate::catalogue::KnownFile;
use crate::database::DatabasePart;
use crate::detail::{DatabaseDetail, FailedFile};
use crate::error::{GlacierError, GlacierResult};
use crate::gone;
use crate::key::{self, BackupKey};
use crate::pattern::Excluded;
use crate::price::PriceBook;
use crate::rebuild;
use crate::scan;
use crate::state::State;
use crate::stored;
use crate::turn::Turn;

/// Files that become archives of their own at once.
const FILES_IN_FLIGHT: usize = 4;

/// A backup that was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Its key.
    pub key: BackupKey,
    /// Whether all files are in it.
    pub outcome: Outcome,
    /// Files in it.
    pub files: u64,
    /// Bytes of their contents.
    pub bytes: u64,
    /// Files that were archived before.
    pub unchanged: u64,
    /// Objects that this run wrote.
    pub objects: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// The database in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseDetail>,
    /// Files that are not in it as they are in the folder, and why. What was archived under their names earlier is.
    pub failed: Vec<FailedFile>,
    /// Things in the folder that were left out on request; a folder counts as one.
    pub excluded: u64,
    /// Why the pointer to the newest backup could not be moved.
    pub warning: Option<String>,
}

/// Refuses a name or a tag that is none.
fn check(settings: &BackupSettings) -> GlacierResult<()> {
    key::check_name(&settings.name)?;
    match tags::fault_in(&settings.tags) {
        Some(what) => Err(GlacierError::usage(what, "nothing was written. Give the backup another tag")),
        None => Ok(()),
    }
}

/// What [`backup`] would do. Reads no file, and writes nothing.
///
/// # Errors
/// [`GlacierError::Folder`], [`GlacierError::Nothing`]; as of the catalogue; what the store says.
pub async fn plan_backup(
    store: SharedStore,
    state: &State,
    settings: &BackupSettings,
    prices: &PriceBook,
    run: &Run,
) -> GlacierResult<BackupPlan> {
    check(settings)?;
    let mut known = by_name(state.catalogue().files()?);
    if known.is_empty() {
        known = by_name(Box::pin(rebuild::read(&store, &settings.name, run)).await?.files);
    } else if let Some((stored, _)) = stored::news(&store, state, &settings.name).await? {
        for (name, file) in by_name(stored.files) {
            known.entry(name).or_insert(file);
        }
    }
    let work = look(settings, &known).await?;
    Ok(plan(settings, &work, prices))
}

/// Backs the folder up. Files that are archived already are neither read nor stored again; the manifest comes last.
///
/// # Errors
/// [`GlacierError::Folder`], [`GlacierError::Nothing`]; [`GlacierError::Lease`] if another machine changes the same backups; as
/// of the catalogue; what the store says. Then nothing was published, and what was archived is not archived again by the next
/// run.
pub async fn backup(store: SharedStore, state: &State, settings: &BackupSettings, run: &Run) -> GlacierResult<Written> {
    let turn = Turn::take(&store, state, &settings.name).await?;
    turn.within(Box::pin(backup_with(store, state, settings, None, run))).await
}

/// As [`backup`], with a database that was dumped before, so that files which its rows name are in the folder by now. Needs the
/// turn ([`Turn`]), which whoever dumps takes before.
///
/// # Errors
/// As [`backup`], without the turn; [`GlacierError::Pruned`].
pub async fn backup_with(
    store: SharedStore,
    state: &State,
    settings: &BackupSettings,
    database: Option<DatabasePart>,
    run: &Run,
) -> GlacierResult<Written> {
    check(settings)?;
    if settings.files.is_none() && database.is_none() {
        let what = "neither a folder of files nor a database is to be backed up";
        return Err(GlacierError::usage(what, "name a folder, or a database"));
    }
    let started = run.clock.now();
    probe::require(&*store).await?;
    settle(&store, state, run).await?;
    if !state.catalogue().archives()?.is_empty() {
        // What was archived elsewhere, or after the image that this machine was restored from, is not archived again.
        stored::catch_up(&store, state, &settings.name).await?;
    }
    gone::forget(&store, state, &settings.name, run).await?;
    run.step("glacier.scan", &settings.folder().display().to_string());
    // The folder is looked at while the catalogue is read.
    let scanning = scanned(settings);
    let mut known = by_name(state.catalogue().files()?);
    if known.is_empty() {
        // Another machine's, or one that lost its catalogue: nothing that is archived is archived again.
        Box::pin(rebuild::rebuild(&store, state, &settings.name, run)).await?;
        known = by_name(state.catalogue().files()?);
    }
    let work = sorted(settings, scanning.await.map_err(GlacierError::internal)??, &known)?;
    // Where nothing is new, nobody asks which contents are there.
    let has_news = work.has_news();
    let contents = if has_news { known } else { BTreeMap::new() };
    let uploader = Uploader::new(store.clone(), state, settings, run, contents.into_values());
    let (unchanged, excluded) = (work.unchanged.len() + work.suspects.len(), work.excluded);
    let archived = Box::pin(archive(&uploader, work)).await?;
    let published =
        Box::pin(publish::publish(&store, state, settings, (&archived, database.as_ref()), started, run)).await?;
    let kept = match has_news {
        false if stored::is_current(&store, state.catalogue(), &settings.name).await => Ok(()),
        _ => stored::keep(&store, state, &settings.name, run.clock.now()).await,
    };
    let unkept = kept.err().map(|error| format!("the catalogue could not be stored beside the backup: {error}"));
    Ok(Written {
        key: published.key,
        outcome: published.outcome,
        files: archived.files.len() as u64,
        bytes: archived.files.iter().map(|file| file.entry.bytes).sum(),
        unchanged: unchanged as u64,
        objects: archived.objects,
        stored_bytes: archived.bytes,
        database: database.map(|part| part.detail),
        failed: archived.failed,
        excluded,
        warning: published.warning.or(unkept),
    })
}

/// Publishes a backup of everything the catalogue called `name` knows, for whoever lost the manifests: its tag is `recovered`.
///
/// # Errors
/// As [`backup`].
pub async fn publish_recovered(
    store: &SharedStore,
    state: &State,
    name: &str,
    vault: Option<&str>,
    run: &Run,
) -> GlacierResult<BackupKey> {
    let turn = Turn::take(store, state, name).await?;
    turn.within(Box::pin(recovered(store, state, name, vault, run))).await
}

async fn recovered(
    store: &SharedStore,
    state: &State,
    name: &str,
    vault: Option<&str>,
    run: &Run,
) -> GlacierResult<BackupKey> {
    probe::require(&**store).await?;
    let settings = BackupSettings {
        name: name.to_owned(),
        files: Some(std::path::PathBuf::from(name)),
        excluded: Excluded::default(),
        class: None,
        vault: vault.map(str::to_owned),
        bundles: true,
        allow_empty: true,
        tags: vec!["recovered".to_owned()],
    };
    let archived = Archived { files: state.catalogue().files()?, ..Archived::default() };
    let published =
        Box::pin(publish::publish(store, state, &settings, (&archived, None), run.clock.now(), run)).await?;
    stored::keep(store, state, name, run.clock.now()).await?;
    Ok(published.key)
}

fn by_name(files: Vec<KnownFile>) -> BTreeMap<String, KnownFile> {
    files.into_iter().map(|file| (file.entry.name.clone(), file)).collect()
}

/// Looks at the folder, if one is named.
fn scanned(settings: &BackupSettings) -> tokio::task::JoinHandle<GlacierResult<scan::Scan>> {
    let (folder, excluded) = (settings.files.clone(), settings.excluded.clone());
    let scan = move || folder.map_or_else(|| Ok(scan::Scan::default()), |folder| scan::scan(&folder, &excluded));
    tokio::task::spawn_blocking(scan)
}

/// What lies in the folder, and what is to be done with it.
async fn look(settings: &BackupSettings, known: &BTreeMap<String, KnownFile>) -> GlacierResult<Work> {
    sorted(settings, scanned(settings).await.map_err(GlacierError::internal)??, known)
}

fn sorted(settings: &BackupSettings, scanned: scan::Scan, known: &BTreeMap<String, KnownFile>) -> GlacierResult<Work> {
    if let Some(folder) = settings.files.as_ref().filter(|_| scanned.files.is_empty() && !settings.allow_empty) {
        return Err(GlacierError::Nothing { folder: folder.display().to_string() });
    }
    Ok(sort(scanned, known, settings.bundles))
}

/// Asks for each archive that an earlier run was about to store whether it did.
async fn settle(store: &SharedStore, state: &State, run: &Run) -> GlacierResult<()> {
    for archive in state.catalogue().archives()?.into_iter().filter(|archive| archive.stored.is_none()) {
        run.stop_if_cancelled()?;
        if exists(store, &archive.key, archive.bytes).await? {
            state.catalogue().stored(&archive.key, run.clock.now())?;
        } else {
            state.catalogue().forget(&archive.key)?;
        }
    }
    Ok(())
}

/// Reads and stores what has to be. What fails for one file fails for no other.
async fn archive(uploader: &Uploader<'_>, work: Work) -> GlacierResult<Archived> {
    let mut archived = Archived { files: work.unchanged, failed: work.failed, ..Archived::default() };
    archived.files.extend(work.kept);
    for (found, known) in work.suspects {
        archived.merge(uploader.compare(found, known).await?);
    }
    archived.merge(uploader.empty(work.empty)?);
    for group in work.bundles {
        archived.merge(uploader.bundle(group).await?);
    }
    // After a failure none is begun, and those that were end by themselves: whoever drops them leaves half an upload.
    let (is_over, mut first) = (AtomicBool::new(false), None);
    let files = stream::iter(work.archives).map(|found| {
        let is_over = &is_over;
        async move { if is_over.load(Ordering::Relaxed) { Ok(Archived::default()) } else { uploader.file(found).await } }
    });
    let files = files.buffer_unordered(FILES_IN_FLIGHT);
    let mut files = std::pin::pin!(files);
    while let Some(one) = files.next().await {
        match one {
            Ok(one) => archived.merge(one),
            Err(error) => {
                is_over.store(true, Ordering::Relaxed);
                first.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first {
        return Err(error);
    }
    archived.files.sort_by(|one, other| one.entry.name.cmp(&other.entry.name));
    archived.failed.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(archived)
}
