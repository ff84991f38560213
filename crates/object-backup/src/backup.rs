//! Backs a source up: one tarball, streamed, and its manifest last.

mod judge;
mod place;
mod spool;
mod write;

use std::fmt;
use std::sync::Arc;

use backup_core::catalogue;
use backup_core::digest::Sha256Digest;
use backup_core::manifest::{Codec, Kind, Manifest, Outcome};
use backup_core::probe;
use backup_core::source::{Fall, Identity};
use backup_core::store::{SharedStore, StoreRead};
use backup_core::tags;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span};
use uuid::Uuid;

use crate::detail::{AppDetail, AppManifest, FailedType, ROLE_ARCHIVE, TypeDetail};
use crate::error::{ObjectError, ObjectResult};
use crate::key::{self, BackupKey};
use crate::options::BackupOptions;
use crate::plan;
use crate::run::Run;
use crate::source::{Available, Source, View};
use crate::type_key::TypeKey;

use self::place::Place;
use self::write::{Read, Reading, write};

/// Moments tried for a key: more than runs are killed while a clock is wrong.
const MOMENTS_TRIED_MAX: usize = 100;

/// What a backup will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupPlan {
    /// What it is called.
    pub name: String,
    /// What is backed up; absent if nothing can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
    /// The types, in order.
    pub types: Vec<TypeKey>,
    /// Whether that is all there is.
    pub complete: bool,
    /// Types the source has that are left out on request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The newest complete backup of the same source.
    pub newest: Option<BackupKey>,
    /// Set if that one is young enough for this time: how many seconds old it is.
    pub skipped_age_s: Option<i64>,
}

/// What a backup wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Written {
    /// Where it is.
    pub key: BackupKey,
    /// Its identity.
    pub id: Uuid,
    /// What was backed up; absent if nothing can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
    /// Position among the backups of its name.
    pub sequence: u64,
    /// Whether everything that was asked for could be read.
    pub outcome: Outcome,
    /// Whether nothing of the source was left out on request either: only then it is ever the last good one.
    pub complete: bool,
    /// Records and bytes of each type, in the tarball's order.
    pub types: Vec<TypeDetail>,
    /// Types that could not be read, and why.
    pub failed: Vec<FailedType>,
    /// Types the source has that were left out on request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// By how much it holds less than the complete backup before, if that is worth telling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fall: Option<Fall>,
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
    fn of(key: BackupKey, manifest: AppManifest, read: Read, warning: Option<String>) -> Self {
        Self {
            key,
            id: manifest.id,
            sequence: manifest.sequence,
            outcome: manifest.outcome,
            complete: manifest.is_complete(),
            records: manifest.detail.types.iter().map(|detail| detail.records).sum(),
            content_bytes: manifest.content_bytes(),
            stored_bytes: read.stored.bytes,
            stored_sha256: read.stored.sha256,
            source: manifest.identity,
            types: manifest.detail.types,
            failed: manifest.detail.failed,
            left_out: manifest.detail.left_out,
            fall: read.fall,
            warning,
        }
    }

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
///
/// Not `non_exhaustive`: whoever reports it has to decide about a new reason.
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

/// A backup that is planned and not yet run. It owns what it was planned with, the view of the source included, so that what
/// runs is what [`Backup::plan`] shows.
pub struct Backup {
    store: SharedStore,
    options: BackupOptions,
    run: Run,
    source_kind: String,
    view: Box<dyn View>,
    /// Whether the source can tell its types; somebody's program cannot.
    tells_types: bool,
    place: Place,
    skipped: Option<(BackupKey, SignedDuration)>,
    started: Timestamp,
    plan: BackupPlan,
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("source_kind", &self.source_kind)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl Backup {
    /// Opens one view of `source`, and says what would be backed up of it into `store`. Reads no records, and writes nothing.
    ///
    /// # Errors
    /// Why the source cannot be opened; [`ObjectError::Usage`] for a name that cannot be used, or a type that is not there;
    /// what the store says.
    pub async fn prepare(
        store: &SharedStore,
        source: Arc<dyn Source>,
        options: &BackupOptions,
        run: &Run,
    ) -> ObjectResult<Self> {
        Box::pin(Self::prepared(store, source, options, run)).await
    }

    async fn prepared(
        store: &SharedStore,
        source: Arc<dyn Source>,
        options: &BackupOptions,
        run: &Run,
    ) -> ObjectResult<Self> {
        key::folder(&options.name)?;
        if let Some(what) = tags::fault_in(&options.tags) {
            return Err(ObjectError::usage(what, "nothing was written. Give the backup another tag"));
        }
        let started = run.clock.now();
        run.step("app.open", source.kind());
        let source_kind = source.kind().to_owned();
        let Opened { view, identity, available } = open(source, &run.cancel).await?;
        let place = run.or_cancelled(Place::look(&**store, &options.name, identity)).await?;
        let skipped = place.skipped(options, started);
        let types = plan::select("the source", available.as_deref(), options.types.wanted())?;
        let left_out = plan::left_out(available.as_deref(), &options.types, &types);
        let plan = BackupPlan {
            name: place.name.clone(),
            source: place.identity.clone(),
            types,
            complete: left_out.is_empty(),
            left_out,
            newest: place.newest.as_ref().map(|newest| newest.key.clone()),
            skipped_age_s: skipped.as_ref().map(|(_, age)| age.as_secs()),
        };
        let (store, options, run, tells_types) = (store.clone(), options.clone(), run.clone(), available.is_some());
        Ok(Self { store, options, run, source_kind, view, tells_types, place, skipped, started, plan })
    }

    /// What would be backed up.
    #[must_use]
    pub fn plan(&self) -> &BackupPlan {
        &self.plan
    }

    /// Backs it up. Nothing is visible before everything is stored; the source is not changed.
    ///
    /// # Errors
    /// Why the source cannot be read or the store not be written; [`ObjectError::Record`] for a record that could not be
    /// restored; [`ObjectError::Changed`], [`ObjectError::Nothing`], [`ObjectError::Emptied`], [`ObjectError::Shrunk`];
    /// [`backup_core::StoreError::NotInitialized`] if nobody made the location. Then nothing was published.
    pub async fn run(self) -> ObjectResult<BackupReport> {
        Box::pin(self.publish().instrument(info_span!("app.backup"))).await
    }

    async fn publish(self) -> ObjectResult<BackupReport> {
        let Self { store, options, run, source_kind, view, place, skipped, started, plan, .. } = self;
        run.or_cancelled(async { Ok::<_, ObjectError>(probe::require(&*store).await?) }).await?;
        if let Some((newest, age)) = skipped {
            return Ok(BackupReport::Skipped { newest, age_s: age.as_secs() });
        }
        if let Some((told, remedy)) = place.first_of_its_source() {
            run.progress.advise(told, remedy);
        }
        let key = run.or_cancelled(free_key(&*store, &options.name, after(place.last, started))).await?;
        run.step("app.read", &source_kind);
        let reading = Reading { view, types: plan.types, left_out: plan.left_out };
        let read = write(&store, reading, &options, &place, &key, &run).await?;
        let manifest = manifest(&key, source_kind, &options, started, &place, &read)?;
        let manifest_key = key.manifest()?;
        run.step("app.manifest", manifest_key.as_str());
        let detail = serde_json::to_value(&manifest.detail)
            .map_err(|error| ObjectError::Panicked { what: error.to_string() })?;
        let (untyped, pointer) = (manifest.clone().with_detail(detail), key::pointer(&options.name)?);
        let published = catalogue::publish(&*store, &manifest_key, &untyped, &pointer).await?;
        run.step("app.published", manifest_key.as_str());
        let warning = published.pointer_fault.map(|error| error.to_string());
        Ok(BackupReport::Written(Box::new(Written::of(key, manifest, read, warning))))
    }

    /// Reads all records as [`Backup::run`] does and stores nothing: what it would refuse is found out. Returns the types that
    /// it would leave out. A source that cannot tell its types is not read: it is somebody's program.
    ///
    /// # Errors
    /// As [`Backup::run`], but for the store.
    pub async fn rehearse(self) -> ObjectResult<Vec<FailedType>> {
        let Self { options, run, view, tells_types, place, skipped, plan, .. } = self;
        if skipped.is_some() || !tells_types {
            return Ok(Vec::new());
        }
        let reading = Reading { view, types: plan.types, left_out: plan.left_out };
        Box::pin(write::rehearse(reading, &options, &place, &run)).await
    }
}

/// One view of a source.
struct Opened {
    view: Box<dyn View>,
    identity: Option<Identity>,
    available: Option<Vec<Available>>,
}

/// Opens a view, and asks it which source it is of and which types it has: the very one that is read, whatever a name leads
/// to later.
async fn open(source: Arc<dyn Source>, cancel: &CancellationToken) -> ObjectResult<Opened> {
    let cancel = cancel.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let mut view = source.open(&cancel)?;
        let (identity, available) = (view.identity()?, view.types()?);
        ObjectResult::Ok(Opened { view, identity, available })
    });
    opened.await.map_err(|error| ObjectError::panicked(&error))?
}

/// The key at `time`, or at the next moment of which there is none: a clock that stepped back may stand where a run that was
/// killed, a backup that is damaged now, or another source was before.
async fn free_key(store: &dyn StoreRead, name: &str, mut time: Timestamp) -> ObjectResult<BackupKey> {
    for _ in 0..MOMENTS_TRIED_MAX {
        let key = BackupKey::new(name, time)?;
        match store.head(&key.object()?).await {
            Err(error) if error.is_not_found() => return Ok(key),
            Err(error) => return Err(error.into()),
            Ok(_) => time = after(Some(time), time),
        }
    }
    // Whoever has this one is told at the end, by the store that refuses to create it twice.
    BackupKey::new(name, time)
}

/// A time after that of all others, even if the clock stepped back or stands still; in whole microseconds, as names are.
fn after(newest: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let micros = now.as_microsecond().max(newest.map_or(i64::MIN, |newest| newest.as_microsecond() + 1));
    Timestamp::from_microsecond(micros).unwrap_or(now)
}

fn manifest(
    key: &BackupKey,
    source_kind: String,
    options: &BackupOptions,
    started_at: Timestamp,
    place: &Place,
    read: &Read,
) -> ObjectResult<AppManifest> {
    let Read { encoded, left_out, stored, size, .. } = read;
    let counts = [
        ("types".to_owned(), encoded.types.len() as u64),
        ("records".to_owned(), size.rows),
        ("bytes".to_owned(), size.bytes),
    ];
    let detail = AppDetail {
        source_kind,
        types: encoded.types.clone(),
        failed: encoded.failed.clone(),
        left_out: left_out.clone(),
    };
    let whole = stored.whole(key.object()?, ROLE_ARCHIVE);
    let mut manifest = Manifest::new(Kind::App, &options.name, started_at, detail);
    manifest.identity.clone_from(&place.identity);
    manifest.created_at = key.time().unwrap_or(started_at);
    manifest.sequence = place.sequence;
    manifest.outcome = if encoded.failed.is_empty() { Outcome::Good } else { Outcome::Partial };
    manifest.complete = Some(left_out.is_empty());
    manifest.parts = vec![whole.encoded_from(encoded.content_sha256, encoded.content_bytes, Codec::Gzip)];
    manifest.counts = counts.into();
    manifest.tags.clone_from(&options.tags);
    Ok(manifest)
}
