//! Reads what is ready into the local folder: each content by its range, there only after its digest was checked.

mod ranges;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use backup_core::digest::Sha256Hasher;
use backup_core::failure::{Class, Failure as _};
use backup_core::key::Key;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use backup_core::{CoreError, StoreError};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde::Serialize;
use tempfile::NamedTempFile;

use self::ranges::{Content, Span, spans};
use crate::cold::ColdStore;
use crate::database;
use crate::error::{GlacierError, GlacierResult};
use crate::find::Backup;
use crate::key::BackupKey;
use crate::lifecycle::{Event, Phase, Retrieval, Status};
use crate::pattern::Only;
use crate::poll;
use crate::standing::FileStanding;
use crate::state::State;
use crate::watch;

/// Begins the name of a file that is being fetched.
pub(crate) const FETCHING: &str = ".fetch-";

/// Attempts to read a range whose bytes have the wrong digest: the line may have changed them.
const ATTEMPTS: u32 = 2;

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Of which backup.
    pub key: BackupKey,
    /// Contents that were read now.
    pub contents: u64,
    /// Bytes that were read for them.
    pub bytes: u64,
    /// Files that are not ready, by status.
    pub missing: BTreeMap<Status, u64>,
    /// When the last of what was requested is expected to be ready.
    pub expected: Option<Timestamp>,
    /// Where the dump of the database lies, a location of its own, once all of it was fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<PathBuf>,
    /// Archives that could not be read, and why.
    pub failed: Vec<FailedFetch>,
}

impl Fetched {
    /// Whether everything that is meant is local, or in its folder.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.failed.is_empty()
    }
}

/// An archive that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedFetch {
    /// Which.
    pub key: Key,
    /// Why.
    pub what: String,
    /// Whether it is not what was archived; otherwise it may be read another time.
    pub damaged: bool,
}

impl FailedFetch {
    /// The archive could not be read for this reason.
    #[must_use]
    pub fn of(key: Key, error: &GlacierError) -> Self {
        Self { key, what: error.to_string(), damaged: error.class() == Class::Integrity }
    }
}

/// Fetches what is ready of the files that are meant and not in `folder`. What fails for one archive fails for no other, and
/// its retrieval is not forgotten. Needs the lock.
///
/// # Errors
/// What the store says when it is asked what is ready; [`GlacierError::Folder`]; as of the catalogue.
pub async fn fetch(
    (store, cold): (&SharedStore, &dyn ColdStore),
    state: &State,
    backup: &Backup,
    only: &Only,
    folder: Option<&Path>,
    run: &Run,
) -> GlacierResult<Fetched> {
    clear_leftovers(&state.local())?;
    let standing = watch::watch_once(cold, state, backup, only, folder, true, run).await?;
    let is_missing = |status: &Status| matches!(status, Status::Available | Status::Pending);
    let mut fetched = Fetched {
        key: backup.key.clone(),
        contents: 0,
        bytes: 0,
        missing: standing.counts.into_iter().filter(|(status, _)| is_missing(status)).collect(),
        expected: standing.expected,
        database: None,
        failed: Vec::new(),
    };
    let retrievals = state.catalogue().retrievals()?;
    for (key, contents) in ready(&standing.files) {
        run.stop_if_cancelled()?;
        let known = retrievals.get(&key).cloned().unwrap_or_default();
        match archive(store, state, &key, contents, known, run).await {
            Ok((contents, bytes)) => {
                fetched.contents += contents;
                fetched.bytes += bytes;
            }
            Err(GlacierError::Interrupted) => return Err(GlacierError::Interrupted),
            Err(error) if is_of_this_machine(&error) => return Err(error),
            Err(error) => fetched.failed.push(FailedFetch::of(key, &error)),
        }
    }
    if only.takes_database() {
        fetched.database = database::assemble(state, backup, run).await?;
    }
    Ok(fetched)
}

/// Removes what runs that died began to fetch: whoever has the lock is the only one that fetches.
pub(crate) fn clear_leftovers(folder: &Path) -> GlacierResult<()> {
    let entries = std::fs::read_dir(folder).map_err(|error| GlacierError::folder("read", folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| GlacierError::folder("read", folder, error))?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(FETCHING.as_bytes())) {
            std::fs::remove_file(&path).map_err(|error| GlacierError::folder("remove", &path, error))?;
        }
    }
    Ok(())
}

/// What is to be read of each archive that is ready.
fn ready(files: &[FileStanding]) -> BTreeMap<Key, Vec<Content>> {
    let mut archives: BTreeMap<Key, Vec<Content>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.status == Status::Ready) {
        let Some(key) = &file.archive else { continue };
        let (offset, entry) = (file.listed.offset, &file.listed.entry);
        archives.entry(key.clone()).or_default().push(Content { offset, bytes: entry.bytes, sha256: entry.sha256 });
    }
    archives
}

/// Reads an archive's contents. Returns how many, and how many bytes were read for them.
async fn archive(
    store: &SharedStore,
    state: &State,
    key: &Key,
    contents: Vec<Content>,
    known: Retrieval,
    run: &Run,
) -> GlacierResult<(u64, u64)> {
    let now = || run.clock.now();
    run.step("glacier.fetch", key.as_str());
    let known = match known.at(now()).phase {
        // Other files of it are wanted than before.
        Phase::Local => poll::observe(state, key, &known, &Event::Lost, now())?,
        _ => known,
    };
    let open = poll::observe(state, key, &known, &Event::Opened, now())?;
    let read = read_all(store, state, key, contents, run).await;
    let event = match &read {
        Ok(_) => Event::Verified,
        Err(error) if is_cold(error) => Event::Absent,
        Err(GlacierError::Interrupted) => return read,
        Err(error) => Event::Broken { reason: error.to_string() },
    };
    poll::observe(state, key, &open, &event, now())?;
    read.map_err(|error| if is_cold(&error) { expired(key) } else { error })
}

async fn read_all(
    store: &SharedStore,
    state: &State,
    key: &Key,
    contents: Vec<Content>,
    run: &Run,
) -> GlacierResult<(u64, u64)> {
    let (mut count, mut bytes) = (0, 0);
    for span in spans(contents) {
        let mut attempt = 1;
        loop {
            match run.or_cancelled(read_span(store, state, key, &span)).await {
                Ok(()) => break,
                Err(GlacierError::Damaged { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
        count += span.contents.len() as u64;
        bytes += span.range.end - span.range.start;
    }
    Ok((count, bytes))
}

/// Reads one range, and puts each content of it in its place once its digest was checked.
async fn read_span(store: &SharedStore, state: &State, key: &Key, span: &Span) -> GlacierResult<()> {
    let mut body = store.get(key, Some(span.range.clone())).await?;
    let mut at = span.range.start;
    let mut contents = span.contents.iter();
    let mut open = contents.next().map(|content| Writing::begin(state, *content)).transpose()?;
    while let Some(chunk) = body.try_next().await? {
        let mut chunk = &chunk[..];
        while let Some(writing) = open.as_mut() {
            // What is between two contents is zeros.
            let gap = usize::try_from(writing.content.offset.saturating_sub(at)).unwrap_or(usize::MAX).min(chunk.len());
            chunk = &chunk[gap..];
            at += gap as u64;
            let taken = writing.take(chunk).map_err(|error| GlacierError::folder("write", &state.local(), error))?;
            chunk = &chunk[taken..];
            at += taken as u64;
            if !writing.is_full() {
                break;
            }
            if let Some(full) = open.take() {
                full.keep(state, key)?;
            }
            open = contents.next().map(|content| Writing::begin(state, *content)).transpose()?;
        }
    }
    match open {
        None => Ok(()),
        Some(short) => Err(GlacierError::damaged(key, format!("it ends {} bytes too early", short.left()))),
    }
}

/// A content on its way to the disk.
struct Writing {
    content: Content,
    file: NamedTempFile,
    hasher: Sha256Hasher,
    bytes: u64,
}

impl Writing {
    fn begin(state: &State, content: Content) -> GlacierResult<Self> {
        let folder = state.local();
        let file = NamedTempFile::with_prefix_in(FETCHING, &folder);
        let file = file.map_err(|error| GlacierError::folder("write", &folder, error))?;
        Ok(Self { content, file, hasher: Sha256Hasher::default(), bytes: 0 })
    }

    fn left(&self) -> u64 {
        self.content.bytes - self.bytes
    }

    fn is_full(&self) -> bool {
        self.left() == 0
    }

    /// Takes what belongs to it from the beginning of `chunk`; tells how much that was.
    fn take(&mut self, chunk: &[u8]) -> std::io::Result<usize> {
        let taken = usize::try_from(self.left()).unwrap_or(usize::MAX).min(chunk.len());
        self.hasher.update(&chunk[..taken]);
        self.file.write_all(&chunk[..taken])?;
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn keep(self, state: &State, key: &Key) -> GlacierResult<()> {
        let found = self.hasher.finish();
        let wanted = self.content.sha256;
        if found != wanted {
            let why = format!("the SHA-256 at byte {} is {found} instead of {wanted}", self.content.offset);
            return Err(GlacierError::damaged(key, why));
        }
        let path = state.local_file(&wanted);
        let failed = |error: std::io::Error| GlacierError::folder("write", &path, error);
        self.file.as_file().sync_all().map_err(failed)?;
        self.file.persist(&path).map_err(|error| failed(error.error))?;
        let folder = std::fs::File::open(state.local()).map_err(failed)?;
        folder.sync_all().map_err(failed)
    }
}

/// Whether nothing more can be fetched, whatever archive it is of.
fn is_of_this_machine(error: &GlacierError) -> bool {
    matches!(
        error,
        GlacierError::Folder { .. }
            | GlacierError::Catalogue { .. }
            | GlacierError::CatalogueInUse { .. }
            | GlacierError::DamagedCatalogue { .. }
            | GlacierError::NoRoom { .. }
    )
}

/// Whether the store refused the archive because nothing can be read of it: the copy has expired meanwhile.
fn is_cold(error: &GlacierError) -> bool {
    matches!(error, GlacierError::Core(CoreError::Store(StoreError::Archived { .. })))
}

fn expired(key: &Key) -> GlacierError {
    GlacierError::Expired { key: key.to_string() }
}
