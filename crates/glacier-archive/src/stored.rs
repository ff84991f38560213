//! The catalogue as it is stored beside the backups, where it can be read at once: a machine that lost its own goes on with it.
//!
//! Manifests say the same of everything that is published. This says more: what a run archived that ended before its manifest,
//! which retrievals were asked for, and the digests of mebibytes.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::pipeline::{ObjectWriter, UploadBudget, read_all};
use backup_core::store::{PutMode, PutOptions, SharedStore};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Archive, Catalogue, KnownFile};
use crate::error::{GlacierError, GlacierResult};
use crate::key;
use crate::lifecycle::Retrieval;
use crate::state::State;
use crate::vaulted::Vaulted;

/// The format this version writes, and the newest it reads.
const FORMAT: u32 = 1;

/// Largest object that is read: ten million files.
const BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Largest text in it; more is no catalogue of ours, but something that was made to fill memory.
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Compression: rows are text of few words, and a higher level saves little.
const LEVEL: u32 = 3;

/// The file that says which stored catalogue this machine has taken over.
const MARK: &str = "catalogue.tag";

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Row {
    Catalogue { format: u32, name: String, stored: Timestamp },
    Archive(Archive),
    File(KnownFile),
    Retrieval { archive: Key, state: Retrieval },
    Vaulted { archive: Key, state: Vaulted },
    Leaves { archive: Key, digests: Vec<Sha256Digest> },
    End { rows: u64 },
}

/// A stored catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// When it was stored.
    pub at: Timestamp,
    /// The archives.
    pub archives: Vec<Archive>,
    /// The files.
    pub files: Vec<KnownFile>,
    /// What became of retrievals.
    pub retrievals: Vec<(Key, Retrieval)>,
    /// What a vault calls archives.
    pub vaulted: Vec<(Key, Vaulted)>,
    /// The digests of mebibytes.
    pub leaves: Vec<(Key, Vec<Sha256Digest>)>,
}

/// Stores the catalogue of the backups called `name`, in the place of the one before.
///
/// # Errors
/// As of the catalogue; what the store says.
pub async fn store(store: &SharedStore, catalogue: &dyn Catalogue, name: &str, now: Timestamp) -> GlacierResult<()> {
    let bytes = written(catalogue, name, now)?;
    let options = PutOptions::new(PutMode::Replace);
    let writer = ObjectWriter::new(store.clone(), key::catalogue(name)?, options, UploadBudget::default());
    let mut writer = writer.with_expected_bytes(bytes.len() as u64);
    writer.write(bytes.into()).await?;
    writer.finish().await?;
    Ok(())
}

/// [`store`], and remembers that this machine knows what is stored now. Needs the lock, and the turn.
///
/// # Errors
/// As of [`store`].
pub async fn keep(store: &SharedStore, state: &State, name: &str, now: Timestamp) -> GlacierResult<()> {
    self::store(store, state.catalogue(), name, now).await?;
    if let Ok(found) = store.head(&key::catalogue(name)?).await
        && let Some(tag) = found.tag
    {
        // Best effort: without it the next run reads what it knows.
        drop(std::fs::write(state.folder().join(MARK), tag.0));
    }
    Ok(())
}

/// Whether the stored catalogue is newer than every archive and every retrieval of this one, so that a run without news need not
/// store it again. Whatever cannot be told counts as no.
pub async fn is_current(store: &SharedStore, catalogue: &dyn Catalogue, name: &str) -> bool {
    let Ok(key) = key::catalogue(name) else { return false };
    let (Ok(archives), Ok(retrievals)) = (catalogue.archives(), catalogue.retrievals()) else { return false };
    let newest =
        archives.iter().filter_map(|archive| archive.stored).chain(retrievals.values().map(|known| known.since)).max();
    match store.head(&key).await {
        Ok(found) => newest.is_none_or(|newest| found.modified > newest),
        Err(_) => false,
    }
}

/// What others have stored since this machine looked last: another one, or this one before it went back to an older image of
/// itself; and its tag. Nothing if there is none, or if that is known.
///
/// What is stored is read only if its tag is another than in the folder of `state`, where it is kept.
///
/// # Errors
/// What the store says. A stored catalogue that cannot be read is passed over: manifests say what is published.
pub async fn news(store: &SharedStore, state: &State, name: &str) -> GlacierResult<Option<(Stored, Option<String>)>> {
    let tag = match store.head(&key::catalogue(name)?).await {
        Ok(found) => found.tag.map(|tag| tag.0),
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if tag.is_some() && std::fs::read_to_string(state.folder().join(MARK)).ok() == tag {
        return Ok(None);
    }
    match load(store, name).await {
        Ok(stored) => Ok(stored.map(|stored| (stored, tag))),
        Err(error @ GlacierError::Damaged { .. }) => {
            tracing::warn!(%error, "the stored catalogue is passed over");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Takes over [`news`]. Needs the lock, and the turn.
///
/// # Errors
/// As of [`news`]; as of the catalogue; [`GlacierError::Folder`].
pub async fn catch_up(store: &SharedStore, state: &State, name: &str) -> GlacierResult<()> {
    let Some((stored, tag)) = news(store, state, name).await? else { return Ok(()) };
    stored.put_into(state.catalogue())?;
    let mark = state.folder().join(MARK);
    match tag {
        Some(tag) => std::fs::write(&mark, tag).map_err(|error| GlacierError::folder("write", &mark, error)),
        None => Ok(()),
    }
}

fn written(catalogue: &dyn Catalogue, name: &str, stored: Timestamp) -> GlacierResult<Vec<u8>> {
    let failed = |error: std::io::Error| GlacierError::internal(error);
    let mut out = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    let mut rows = 0;
    let mut put = |row: Row| {
        let row = if let Row::End { .. } = row { Row::End { rows } } else { row };
        rows += 1;
        serde_json::to_writer(&mut out, &row).map_err(GlacierError::internal)?;
        out.write_all(b"\n").map_err(failed)
    };
    put(Row::Catalogue { format: FORMAT, name: name.to_owned(), stored })?;
    for archive in catalogue.archives()? {
        let (key, leaves) = (archive.key.clone(), catalogue.leaves(&archive.key)?);
        put(Row::Archive(archive))?;
        if !leaves.is_empty() {
            put(Row::Leaves { archive: key, digests: leaves })?;
        }
    }
    for file in catalogue.files()? {
        put(Row::File(file))?;
    }
    for (archive, state) in catalogue.retrievals()? {
        put(Row::Retrieval { archive, state })?;
    }
    for (archive, state) in catalogue.vaulted()? {
        put(Row::Vaulted { archive, state })?;
    }
    put(Row::End { rows: 0 })?;
    out.finish().map_err(failed)
}

/// The stored catalogue; `None` if there is none.
///
/// # Errors
/// [`GlacierError::Damaged`] if it cannot be read, or is of a newer version; what the store says.
pub async fn load(store: &SharedStore, name: &str) -> GlacierResult<Option<Stored>> {
    let key = key::catalogue(name)?;
    match read_all(&**store, &key, BYTES_MAX).await {
        Ok(bytes) => read(&bytes, name).map(Some).map_err(|why| GlacierError::damaged(&key, why)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read(bytes: &[u8], wanted: &str) -> Result<Stored, String> {
    let failed = |error: std::io::Error| error.to_string();
    let text = GzDecoder::new(bytes);
    let text = BufReader::new(std::io::Read::take(text, TEXT_BYTES_MAX));
    let (mut catalogue, mut is_whole) = (Stored::default(), false);
    for (number, line) in text.lines().enumerate() {
        let line = line.map_err(failed)?;
        let row: Row = serde_json::from_str(&line).map_err(|error| format!("line {}: {error}", number + 1))?;
        match row {
            Row::Catalogue { format, .. } if format > FORMAT => {
                return Err(format!("it has format {format}, and this version reads formats up to {FORMAT}"));
            }
            Row::Catalogue { name, .. } if name != wanted => return Err(format!("it is of `{name}`")),
            Row::Catalogue { stored, .. } => catalogue.at = stored,
            Row::Archive(archive) => catalogue.archives.push(archive),
            Row::File(file) => catalogue.files.push(file),
            Row::Retrieval { archive, state } => catalogue.retrievals.push((archive, state)),
            Row::Vaulted { archive, state } => catalogue.vaulted.push((archive, state)),
            Row::Leaves { archive, digests } => catalogue.leaves.push((archive, digests)),
            Row::End { rows } => is_whole = rows == number as u64,
        }
    }
    if is_whole { Ok(catalogue) } else { Err("it ends too early".to_owned()) }
}

impl Stored {
    /// Puts what `catalogue` does not know yet into it.
    ///
    /// # Errors
    /// As of the catalogue.
    pub fn put_into(&self, catalogue: &dyn Catalogue) -> GlacierResult<()> {
        let known: BTreeSet<Key> = catalogue.archives()?.into_iter().map(|archive| archive.key).collect();
        for archive in self.archives.iter().filter(|archive| !known.contains(&archive.key)) {
            catalogue.add(Some(archive), &[])?;
        }
        let names: BTreeSet<String> = catalogue.files()?.into_iter().map(|file| file.entry.name).collect();
        let files: Vec<KnownFile> =
            self.files.iter().filter(|file| !names.contains(&file.entry.name)).cloned().collect();
        catalogue.add(None, &files)?;
        let (retrievals, vaulted) = (catalogue.retrievals()?, catalogue.vaulted()?);
        for (key, retrieval) in self.retrievals.iter().filter(|(key, _)| !retrievals.contains_key(key)) {
            catalogue.keep(key, retrieval)?;
        }
        for (key, state) in self.vaulted.iter().filter(|(key, _)| !vaulted.contains_key(key)) {
            catalogue.keep_vaulted(key, state)?;
        }
        for (key, digests) in &self.leaves {
            if catalogue.leaves(key)?.is_empty() {
                catalogue.keep_leaves(key, digests)?;
            }
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::adapters::sqlite::SqliteCatalogue;
    use crate::catalogue::Place;
    use crate::class::Class;
    use crate::entry::Entry;
    use crate::lifecycle::Event;
    use crate::vaulted::VaultArchive;

    fn filled(folder: &tempfile::TempDir) -> SqliteCatalogue {
        let catalogue = SqliteCatalogue::open(&folder.path().join("a"), "x").unwrap();
        let key = Key::new("glacier/x/bundles/1").unwrap();
        let (role, sha256) = ("bundle".to_owned(), Sha256Digest::of(b"1"));
        let stored = Some(Timestamp::UNIX_EPOCH);
        let archive = Archive { key: key.clone(), role, bytes: 7, sha256, class: Some(Class::Vault), stored };
        let place = Some(Place { archive: key.clone(), offset: 3 });
        let files = [
            KnownFile { entry: Entry::example("a\n", b"x"), stamp: None, place },
            KnownFile { entry: Entry::example("empty", b""), stamp: None, place: None },
        ];
        catalogue.add(Some(&archive), &files).unwrap();
        catalogue.keep_leaves(&key, &[sha256]).unwrap();
        let vault = VaultArchive { id: "-x".to_owned(), bytes: 7, tree_hash: sha256 };
        catalogue.keep_vaulted(&key, &Vaulted { upload: None, archive: Some(vault) }).unwrap();
        let running = Event::Running { job: Some("-j".to_owned()) };
        let retrieval = Retrieval::default().after(&running, Timestamp::UNIX_EPOCH).unwrap();
        catalogue.keep(&key, &retrieval).unwrap();
        catalogue
    }

    #[tokio::test]
    async fn a_catalogue_with_news_is_told_from_the_stored_one() {
        let (folder, key) = (tempfile::tempdir().unwrap(), Key::new("glacier/x/bundles/1").unwrap());
        let catalogue = filled(&folder);
        let memory: SharedStore = std::sync::Arc::new(backup_core::store::memory::MemoryStore::new());
        let is_current = || is_current(&memory, &catalogue, "x");
        assert!(!is_current().await, "there is none");
        let location = backup_core::location::Init::new(&key::LAYOUTS);
        backup_core::location::init_store(&memory, &location).await.unwrap();
        store(&memory, &catalogue, "x", Timestamp::UNIX_EPOCH).await.unwrap();
        assert!(is_current().await);
        let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 365 * 200);
        let finished = Event::Finished { job: None, until: None };
        let retrieval = catalogue.retrievals().unwrap()[&key].after(&finished, later).unwrap();
        catalogue.keep(&key, &retrieval).unwrap();
        assert!(!is_current().await, "a retrieval has news");
    }

    #[test]
    fn another_machine_gets_the_same_catalogue() {
        let folder = tempfile::tempdir().unwrap();
        let one = filled(&folder);
        let bytes = written(&one, "x", Timestamp::UNIX_EPOCH).unwrap();
        let other = SqliteCatalogue::open(&folder.path().join("b"), "x").unwrap();
        let stored = read(&bytes, "x").unwrap();
        stored.put_into(&other).unwrap();
        stored.put_into(&other).unwrap();
        assert_eq!(written(&other, "x", Timestamp::UNIX_EPOCH).unwrap(), bytes);
        assert_eq!(other.files().unwrap(), one.files().unwrap());
    }

    #[test]
    fn what_was_cut_or_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = written(&filled(&folder), "x", Timestamp::UNIX_EPOCH).unwrap();
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], "x").is_err(), "{end}");
        }
        assert_eq!(read(&bytes, "y").unwrap_err(), "it is of `x`");
        let text = std::io::read_to_string(GzDecoder::new(&bytes[..])).unwrap();
        let again = |text: &str| {
            let mut out = GzEncoder::new(Vec::new(), Compression::fast());
            out.write_all(text.as_bytes()).unwrap();
            read(&out.finish().unwrap(), "x")
        };
        assert!(again(&text.replace("\"format\":1", "\"format\":2")).unwrap_err().contains("format 2"));
        let without: Vec<&str> = text.lines().filter(|line| !line.contains("empty")).collect();
        assert!(again(&without.join("\n")).is_err(), "a line is missing");
    }
}
