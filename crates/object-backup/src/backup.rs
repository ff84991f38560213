//! Backs a source up: one tarball, streamed, and its manifest last.

use std::sync::Arc;
use std::time::Duration;

use backup_core::catalogue;
use backup_core::digest::Sha256Digest;
use backup_core::manifest::{Codec, FORMAT, Kind, Manifest, Outcome, Part, Tool};
use backup_core::pipeline::{ObjectWriter, Stored, UploadBudget};
use backup_core::probe;
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreRead, StoreWrite};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backup_key::{self, BackupKey, DEFAULT_NAME};
use crate::detail::{AppDetail, AppManifest, FailedType, ROLE_ARCHIVE, TypeDetail};
use crate::encode::{Encoded, encode};
use crate::error::{ObjectError, ObjectResult};
use crate::gzip;
use crate::plan::{self, Wanted};
use crate::run::Run;
use crate::source::Source;
use crate::type_key::TypeKey;

/// Blocks encoded ahead of the compressors: reading and compressing overlap, and memory stays bounded.
const BLOCKS_AHEAD: usize = 4;

/// Size of the parts of an upload. Ten thousand of them are 156 GiB of compressed records.
const PART_BYTES: usize = 16 * 1024 * 1024;

/// Upload buffers of a run: three parts on their way and one being filled.
const UPLOAD_BYTES: usize = 4 * PART_BYTES;

/// How long a write may still take when the run is cancelled. Dropped at once, an upload the store is just making would
/// have no name by which to give it up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to back up, and how.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// What the backup is called: the folder it lies in, and what retention keeps apart.
    pub name: String,
    /// The types; all there are if empty.
    pub types: Vec<Wanted>,
    /// Leaves out types that cannot be read. The backup is then partial and never counts as the last good one.
    pub allow_partial: bool,
    /// Publishes even if types that had records have none any more.
    pub allow_empty: bool,
    /// Does nothing if the newest good backup is younger.
    pub min_age: Option<SignedDuration>,
    /// Labels; retention can keep by them.
    pub tags: Vec<String>,
}

impl BackupOptions {
    /// Everything, as [`DEFAULT_NAME`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            types: Vec::new(),
            allow_partial: false,
            allow_empty: false,
            min_age: None,
            tags: Vec::new(),
        }
    }
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What a backup will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupPlan {
    /// What it is called.
    pub name: String,
    /// The types, in order.
    pub types: Vec<TypeKey>,
    /// The newest good backup there is.
    pub newest: Option<BackupKey>,
    /// Set if that one is young enough for this time: how many seconds old it is.
    pub skipped_age_s: Option<i64>,
}

/// What a backup wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where it is.
    pub key: BackupKey,
    /// Its identity.
    pub id: Uuid,
    /// Position among the backups of its name.
    pub sequence: u64,
    /// Whether it is whole.
    pub outcome: Outcome,
    /// Records and bytes of each type, in the tarball's order.
    pub types: Vec<TypeDetail>,
    /// Types left out, and why.
    pub failed: Vec<FailedType>,
    /// Records of all types.
    pub records: u64,
    /// Bytes before compression.
    pub content_bytes: u64,
    /// Bytes of the tarball.
    pub stored_bytes: u64,
    /// Digest of the tarball.
    pub stored_sha256: Sha256Digest,
    /// Set if the hint at the newest backup could not be moved; the backup is whole all the same.
    pub warning: Option<String>,
}

impl Written {
    /// What was done, a line each, as gludb kept it in `backup_log`.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.types.iter().map(|found| format!("{} => {} records backed up", found.key, found.records)).collect();
        lines.extend(self.failed.iter().map(|failed| format!("{} left out: {}", failed.key, failed.what)));
        lines.push(format!("Sent {} [size={} bytes]", self.key, self.stored_bytes));
        lines.push("Backup completed".to_owned());
        lines
    }
}

/// A backup, or why there was none to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum BackupReport {
    /// It was written.
    Written(Box<Written>),
    /// The newest one is young enough.
    Skipped {
        /// The newest one.
        newest: BackupKey,
        /// How old it is, in seconds.
        age_s: i64,
    },
}

/// Says what [`backup`] would do. Reads the names of the types, and writes nothing.
///
/// # Errors
/// As [`backup`].
pub async fn plan_backup(
    store: &dyn StoreRead,
    source: Arc<dyn Source>,
    options: &BackupOptions,
    now: Timestamp,
) -> ObjectResult<BackupPlan> {
    let newest = newest(store, &options.name).await?;
    let skipped = skipped(newest.as_ref(), options, now);
    let wanted = options.types.clone();
    let listed = tokio::task::spawn_blocking(move || {
        plan::select(source.open(&CancellationToken::new())?.types()?.as_deref(), &wanted)
    });
    let types = listed.await.map_err(|error| ObjectError::panicked(&error))??;
    let skipped_age_s = skipped.as_ref().map(|(_, age)| age.as_secs());
    Ok(BackupPlan { name: options.name.clone(), types, newest: newest.map(|newest| newest.key), skipped_age_s })
}

/// Backs `source` up into `store`. Nothing is visible before everything is stored; the source is not changed.
///
/// # Errors
/// Why the source cannot be read or the store not be written; [`ObjectError::Record`] for a record that could not be
/// restored; [`ObjectError::Changed`], [`ObjectError::Emptied`]; [`backup_core::StoreError::NotInitialized`] if nobody made
/// the location. Then nothing was published.
pub async fn backup(
    store: SharedStore,
    source: Arc<dyn Source>,
    options: &BackupOptions,
    run: &Run,
) -> ObjectResult<BackupReport> {
    let folder = backup_key::folder(&options.name)?;
    probe::require(&*store).await?;
    let newest = newest(&*store, &options.name).await?;
    let started = run.clock.now();
    if let Some((newest, age)) = skipped(newest.as_ref(), options, started) {
        return Ok(BackupReport::Skipped { newest, age_s: age.as_secs() });
    }
    let pointer = backup_key::pointer(&options.name)?;
    let sequence = catalogue::next_sequence(&*store, &folder, &pointer).await?;
    let time = after(newest.as_ref().map(|newest| newest.time), started);
    let key = BackupKey::new(&options.name, time)?;
    let (encoded, stored) = write(&store, source.clone(), options, newest.as_ref(), &key, run).await?;
    let manifest = manifest(&key, &*source, options, started, sequence, encoded, stored)?;
    let manifest_key = key.manifest()?;
    run.progress.step("app.manifest", manifest_key.as_str());
    let detail =
        serde_json::to_value(&manifest.detail).map_err(|error| ObjectError::Panicked { what: error.to_string() })?;
    let published = catalogue::publish(&*store, &manifest_key, &manifest.clone().with_detail(detail), &pointer).await?;
    run.progress.step("app.published", manifest_key.as_str());
    let warning = published.pointer_fault.map(|error| error.to_string());
    Ok(BackupReport::Written(Box::new(Written {
        key,
        id: manifest.id,
        sequence,
        outcome: manifest.outcome,
        records: manifest.detail.types.iter().map(|detail| detail.records).sum(),
        content_bytes: manifest.content_bytes(),
        stored_bytes: stored.bytes,
        stored_sha256: stored.sha256,
        types: manifest.detail.types,
        failed: manifest.detail.failed,
        warning,
    })))
}

/// A time after that of all others, even if the clock stepped back or stands still; in whole microseconds, as names are.
fn after(newest: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let micros = now.as_microsecond().max(newest.map_or(i64::MIN, |newest| newest.as_microsecond() + 1));
    Timestamp::from_microsecond(micros).unwrap_or(now)
}

/// The newest good backup.
struct Newest {
    key: BackupKey,
    time: Timestamp,
    detail: AppDetail,
}

async fn newest(store: &dyn StoreRead, name: &str) -> ObjectResult<Option<Newest>> {
    let (folder, pointer) = (backup_key::folder(name)?, backup_key::pointer(name)?);
    let Some((key, manifest)) = catalogue::newest(store, &folder, &pointer, Manifest::is_complete).await? else {
        return Ok(None);
    };
    let time = manifest.created_at;
    let Some(backup) = BackupKey::of_manifest(&key) else { return Ok(None) };
    let manifest = crate::list::typed(&key, manifest)?;
    Ok(Some(Newest { key: backup, time, detail: manifest.detail }))
}

fn skipped(newest: Option<&Newest>, options: &BackupOptions, now: Timestamp) -> Option<(BackupKey, SignedDuration)> {
    let newest = newest?;
    Some((newest.key.clone(), plan::too_young(newest.time, now, options.min_age?)?))
}

/// Compresses the blocks and writes them, until they end or the run is cancelled.
async fn upload(blocks: mpsc::Receiver<Vec<u8>>, writer: &mut ObjectWriter, run: &Run) -> ObjectResult<()> {
    let mut members = Box::pin(gzip::members(blocks));
    loop {
        let member = tokio::select! {
            biased;
            () = run.cancel.cancelled() => return Err(ObjectError::Interrupted),
            member = members.next() => member,
        };
        let Some(member) = member else { return Ok(()) };
        let member = member.map_err(|error| ObjectError::source("compress", "the records", error))?;
        let patience = async {
            run.cancel.cancelled().await;
            tokio::time::sleep(PATIENCE).await;
        };
        tokio::select! {
            biased;
            written = writer.write(member.into()) => written?,
            () = patience => return Err(ObjectError::Interrupted),
        }
    }
}

/// Streams the tarball. It becomes visible only if the records that were there are still there.
async fn write(
    store: &SharedStore,
    source: Arc<dyn Source>,
    options: &BackupOptions,
    newest: Option<&Newest>,
    key: &BackupKey,
    run: &Run,
) -> ObjectResult<(Encoded, Stored)> {
    let put = PutOptions { part_bytes: PART_BYTES, ..PutOptions::new(PutMode::Create) };
    let writing: Arc<dyn StoreWrite> = store.clone();
    let mut writer =
        ObjectWriter::new(writing, key.object()?, put, UploadBudget::new(UPLOAD_BYTES)).with_parts_in_flight(3);
    let (sender, blocks) = mpsc::channel(BLOCKS_AHEAD);
    run.progress.step("app.read", source.kind());
    let encoder = tokio::task::spawn_blocking({
        let (wanted, allow_partial) = (options.types.clone(), options.allow_partial);
        let (progress, cancel) = (run.progress.clone(), run.cancel.clone());
        move || {
            let mut view = source.open(&cancel)?;
            let types = plan::select(view.types()?.as_deref(), &wanted)?;
            if wanted.is_empty() {
                view.left_out()?.into_iter().for_each(|what| progress.warn(what));
            }
            progress.event(backup_core::progress::Event::Total { bytes: 0, items: types.len() as u64 });
            encode(&mut *view, &types, allow_partial, sender, &*progress)
        }
    });
    let uploaded = upload(blocks, &mut writer, run).await;
    let finished = match uploaded {
        Err(error) => Err(error),
        Ok(()) if run.cancel.is_cancelled() => Err(ObjectError::Interrupted),
        // The blocks have ended, so that the encoder has too.
        Ok(()) => {
            encoder.await.map_err(|error| ObjectError::panicked(&error)).flatten().and_then(|encoded| {
                match newest.filter(|_| !options.allow_empty) {
                    Some(newest) => unless_emptied(&newest.detail, encoded, options.types.is_empty()),
                    None => Ok(encoded),
                }
            })
        }
    };
    match finished {
        Ok(encoded) => {
            run.progress.step("app.finish", &key.to_string());
            Ok((encoded, writer.finish().await?))
        }
        Err(error) => {
            // The first error is the one to tell.
            drop(writer.abort().await);
            Err(error)
        }
    }
}

fn unless_emptied(before: &AppDetail, encoded: Encoded, complete: bool) -> ObjectResult<Encoded> {
    // What could not be read is told as that.
    let readable = |was: &&TypeDetail| !encoded.failed.iter().any(|failed| failed.key == was.key);
    let types = before.types.iter().filter(readable).cloned().collect();
    match plan::emptied(&AppDetail { types, ..before.clone() }, &encoded.types, complete) {
        Some(types) => Err(ObjectError::Emptied { types }),
        None => Ok(encoded),
    }
}

fn manifest(
    key: &BackupKey,
    source: &dyn Source,
    options: &BackupOptions,
    started_at: Timestamp,
    sequence: u64,
    encoded: Encoded,
    stored: Stored,
) -> ObjectResult<AppManifest> {
    let count = |of: fn(&TypeDetail) -> u64| encoded.types.iter().map(of).sum();
    let counts = [
        ("types".to_owned(), encoded.types.len() as u64),
        ("records".to_owned(), count(|detail| detail.records)),
        ("bytes".to_owned(), count(|detail| detail.bytes)),
    ];
    Ok(Manifest {
        format: FORMAT,
        id: Uuid::now_v7(),
        kind: Kind::App,
        source: options.name.clone(),
        identity: None,
        config: "default".to_owned(),
        created_at: key.time().unwrap_or(started_at),
        started_at,
        tool: Tool::current(),
        parent: None,
        sequence,
        outcome: if encoded.failed.is_empty() { Outcome::Good } else { Outcome::Partial },
        complete: Some(true),
        parts: vec![Part {
            key: key.object()?,
            role: ROLE_ARCHIVE.to_owned(),
            content_sha256: Some(encoded.content_sha256),
            content_bytes: encoded.content_bytes,
            stored_sha256: stored.sha256,
            stored_bytes: stored.bytes,
            codec: Codec::Gzip,
            offset: None,
            length: None,
        }],
        counts: counts.into(),
        tags: options.tags.clone(),
        encryption: None,
        detail: AppDetail { source_kind: source.kind().to_owned(), types: encoded.types, failed: encoded.failed },
        unknown: serde_json::Map::new(),
    })
}
