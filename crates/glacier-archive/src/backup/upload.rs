//! Stores contents as archives, each once.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use backup_core::StoreError;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::pipeline::{ObjectWriter, UploadBudget};
use backup_core::run::Run;
use backup_core::store::{PutMode, PutOptions, SharedStore};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::BackupSettings;
use crate::bundle::Bundle;
use crate::catalogue::{Archive, KnownFile, Place};
use crate::detail::{FailedFile, ROLE_ARCHIVE, ROLE_BUNDLE};
use crate::entry::Entry;
use crate::error::{GlacierError, GlacierResult};
use crate::key;
use crate::part_size::part_bytes_for;
use crate::scan::{self, Found, ReadFault};
use crate::state::State;

/// Pieces of a file on their way from the disk to the upload.
const PIECES: usize = 4;

/// Bytes of a part of a bundle, all of which is in memory anyway: requests are what bundles are there to save.
const BUNDLE_PART_BYTES: usize = 16 * 1024 * 1024;

/// Stores contents, and remembers which ones are stored.
pub(super) struct Uploader<'a> {
    pub(super) store: SharedStore,
    pub(super) state: &'a State,
    pub(super) settings: &'a BackupSettings,
    pub(super) run: &'a Run,
    budget: UploadBudget,
    contents: Mutex<HashMap<(Sha256Digest, u64), Place>>,
}

/// Files that were archived, and those that could not be.
#[derive(Debug, Default)]
pub(super) struct Archived {
    pub(super) files: Vec<KnownFile>,
    pub(super) failed: Vec<FailedFile>,
    /// Objects written, and their bytes.
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

impl Archived {
    pub(super) fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.failed.extend(other.failed);
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

impl<'a> Uploader<'a> {
    pub(super) fn new(
        store: SharedStore,
        state: &'a State,
        settings: &'a BackupSettings,
        run: &'a Run,
        known: impl Iterator<Item = KnownFile>,
    ) -> Self {
        let content = |file: KnownFile| Some(((file.entry.sha256, file.entry.bytes), file.place?));
        let contents = Mutex::new(known.filter_map(content).collect());
        Self { store, state, settings, run, budget: UploadBudget::default(), contents }
    }

    fn stored(&self, entry: &Entry) -> Option<Place> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.get(&(entry.sha256, entry.bytes)).cloned()
    }

    /// Notes files whose contents are stored.
    fn note(&self, archive: Option<&Archive>, files: &[KnownFile]) -> GlacierResult<()> {
        self.state.catalogue().add(archive, files)?;
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        for file in files {
            if let Some(place) = &file.place {
                contents.entry((file.entry.sha256, file.entry.bytes)).or_insert_with(|| place.clone());
            }
        }
        Ok(())
    }

    /// Reads a file of an archived name and size that looks different: whether it has the archived content. If not, the backup
    /// has what was archived all the same.
    pub(super) async fn compare(&self, found: Found, known: KnownFile) -> GlacierResult<Archived> {
        self.run.stop_if_cancelled()?;
        let folder = self.settings.folder();
        let read = blocking(move || {
            twice(&folder, &found, |folder, found| scan::read(folder, found, |_| Ok(())))
                .map_err(|fault| failed(&found, &fault))
        });
        let mut archived = Archived::default();
        match read.await? {
            Err(None) => {}
            Err(Some(failed)) => {
                archived.failed.push(failed);
                archived.files.push(known);
            }
            Ok((found, entry)) if entry.sha256 != known.entry.sha256 => {
                archived.failed.push(super::plan::changed(&found, &known));
                archived.files.push(known);
            }
            Ok((found, entry)) => {
                let known = KnownFile { entry, stamp: Some(found.stamp), ..known };
                self.note(None, std::slice::from_ref(&known))?;
                archived.files.push(known);
            }
        }
        Ok(archived)
    }

    /// Notes empty files, of which no archive is made.
    pub(super) fn empty(&self, files: Vec<Found>) -> GlacierResult<Archived> {
        let entry = |found: &Found| Entry {
            name: found.name.clone(),
            bytes: 0,
            sha256: Sha256Digest::of(b""),
            mode: found.mode,
            modified: found.modified,
        };
        let files: Vec<KnownFile> = files.iter().map(|found| of(entry(found), found, None)).collect();
        self.note(None, &files)?;
        Ok(Archived { files, ..Archived::default() })
    }

    /// Archives small files together. They are read once, and are in memory meanwhile.
    pub(super) async fn bundle(&self, group: Vec<Found>) -> GlacierResult<Archived> {
        self.run.stop_if_cancelled()?;
        let folder = self.settings.folder();
        let read = blocking(move || {
            let read = |found: Found| (twice(&folder, &found, scan::read_whole), found);
            group.into_iter().map(read).collect::<Vec<_>>()
        });
        let mut archived = Archived::default();
        let (mut fresh, mut known): (Vec<(Entry, Bytes)>, Vec<KnownFile>) = Default::default();
        let mut waiting: Vec<(Entry, Found)> = Vec::new();
        let mut seen = HashSet::new();
        for (read, found) in read.await? {
            match read {
                Err(fault) => archived.failed.extend(failed(&found, &fault)),
                Ok((found, (entry, content))) => match self.stored(&entry) {
                    Some(place) => known.push(of(entry, &found, Some(place))),
                    None => {
                        if seen.insert((entry.sha256, entry.bytes)) {
                            fresh.push((entry.clone(), content));
                        }
                        waiting.push((entry, found));
                    }
                },
            }
        }
        self.note(None, &known)?;
        archived.files.extend(known);
        if !fresh.is_empty() {
            self.store_bundle(fresh, waiting, &mut archived).await?;
        }
        Ok(archived)
    }

    async fn store_bundle(
        &self,
        fresh: Vec<(Entry, Bytes)>,
        waiting: Vec<(Entry, Found)>,
        archived: &mut Archived,
    ) -> GlacierResult<()> {
        let bundle = blocking(move || Bundle::build(fresh)).await?.map_err(GlacierError::internal)?;
        let key = key::bundle(&self.settings.name, &bundle.sha256)?;
        let offsets: HashMap<_, u64> =
            bundle.members.iter().map(|member| ((member.entry.sha256, member.entry.bytes), member.offset)).collect();
        let place = |entry: &Entry| {
            offsets.get(&(entry.sha256, entry.bytes)).map(|offset| Place { archive: key.clone(), offset: *offset })
        };
        let files: Vec<KnownFile> =
            waiting.into_iter().map(|(entry, found)| of(entry.clone(), &found, place(&entry))).collect();
        let archive = self.archive(&key, ROLE_BUNDLE, bundle.bytes, bundle.sha256);
        // The intent: whoever finds it asks whether the object is there before reading any of this again.
        self.state.catalogue().add(Some(&archive), &files)?;
        self.run.step("glacier.bundle", key.as_str());
        if !exists(&self.store, &key, bundle.bytes).await? {
            let mut writer = self.writer(&key, bundle.bytes, &format!("{} files", files.len()), BUNDLE_PART_BYTES);
            let sent = self.run.or_cancelled(async {
                for segment in bundle.segments {
                    writer.write(segment).await?;
                }
                Ok::<_, GlacierError>(())
            });
            if let Err(error) = sent.await {
                // The first error is the one to tell.
                drop(writer.abort().await);
                return Err(error);
            }
            if created(writer.finish().await.map(drop))? {
                archived.objects += 1;
                archived.bytes += bundle.bytes;
            }
        }
        self.state.catalogue().stored(&key, self.run.clock.now())?;
        self.note(None, &files)?;
        archived.files.extend(files);
        Ok(())
    }

    /// Archives a file by itself: it is read to know its digest, and again as it is stored.
    pub(super) async fn file(&self, found: Found) -> GlacierResult<Archived> {
        self.run.stop_if_cancelled()?;
        let mut archived = Archived::default();
        let mut found = found;
        for attempt in 1..=2 {
            match self.file_once(&found, &mut archived).await? {
                Ok(()) => break,
                // Once more, as it is now.
                Err(ReadFault::Changed) if attempt == 1 => found = again(&self.settings.folder(), &found),
                Err(fault) => {
                    archived.failed.extend(failed(&found, &fault));
                    break;
                }
            }
        }
        Ok(archived)
    }

    async fn file_once(&self, found: &Found, archived: &mut Archived) -> GlacierResult<Result<(), ReadFault>> {
        let (folder, file) = (self.settings.folder(), found.clone());
        let entry = match blocking(move || scan::read(&folder, &file, |_| Ok(()))).await? {
            Ok(entry) => entry,
            Err(fault) => return Ok(Err(fault)),
        };
        if let Some(place) = self.stored(&entry) {
            let known = of(entry, found, Some(place));
            self.note(None, std::slice::from_ref(&known))?;
            archived.files.push(known);
            return Ok(Ok(()));
        }
        let key = key::archive(&self.settings.name, &entry.sha256)?;
        let archive = self.archive(&key, ROLE_ARCHIVE, entry.bytes, entry.sha256);
        let known = of(entry.clone(), found, Some(Place { archive: key.clone(), offset: 0 }));
        self.state.catalogue().add(Some(&archive), std::slice::from_ref(&known))?;
        self.run.step("glacier.archive", &entry.name);
        if !exists(&self.store, &key, entry.bytes).await? {
            match self.store_file(&key, found, &entry).await? {
                // The intent stays: another file of the same content may be on its way, and the next run asks for it.
                Err(fault) => return Ok(Err(fault)),
                Ok(false) => {}
                Ok(true) => {
                    archived.objects += 1;
                    archived.bytes += entry.bytes;
                }
            }
        }
        self.state.catalogue().stored(&key, self.run.clock.now())?;
        self.note(None, std::slice::from_ref(&known))?;
        archived.files.push(known);
        Ok(Ok(()))
    }

    async fn store_file(&self, key: &Key, found: &Found, entry: &Entry) -> GlacierResult<Result<bool, ReadFault>> {
        let mut writer = self.writer(key, entry.bytes, &entry.name, PutOptions::new(PutMode::Create).part_bytes);
        let (send, mut pieces) = mpsc::channel::<Bytes>(PIECES);
        let (folder, file) = (self.settings.folder(), found.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let closed = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
            scan::read(&folder, &file, |bytes| send.blocking_send(Bytes::copy_from_slice(bytes)).map_err(closed))
        });
        let sent = self.run.or_cancelled(async {
            while let Some(piece) = pieces.recv().await {
                writer.write(piece).await?;
            }
            Ok::<_, GlacierError>(())
        });
        let sent = sent.await;
        drop(pieces);
        let read = reading.await.map_err(GlacierError::internal)?;
        if let Err(error) = sent {
            // The first error is the one to tell.
            drop(writer.abort().await);
            return Err(error);
        }
        match read {
            Ok(read) if read.sha256 == entry.sha256 => Ok(Ok(created(writer.finish().await.map(drop))?)),
            Ok(_) => {
                writer.abort().await?;
                Ok(Err(ReadFault::Changed))
            }
            Err(fault) => {
                writer.abort().await?;
                Ok(Err(fault))
            }
        }
    }

    fn archive(&self, key: &Key, role: &str, bytes: u64, sha256: Sha256Digest) -> Archive {
        let class = self.settings.class;
        Archive { key: key.clone(), role: role.to_owned(), bytes, sha256, class, stored: None }
    }

    /// With parts of at least `least` bytes.
    fn writer(&self, key: &Key, bytes: u64, what: &str, least: usize) -> ObjectWriter {
        // Of a vault, parts are powers of two of mebibytes, and S3 takes such parts too.
        let part_bytes = part_bytes_for(bytes, least as u64).ok().and_then(|bytes| usize::try_from(bytes).ok());
        let options = PutOptions::new(PutMode::Create)
            .storage_class(self.settings.class.map(|class| class.as_str().to_owned()))
            .metadata("lastgood-content", what)
            .part_bytes(part_bytes.unwrap_or(least));
        let store: Arc<dyn backup_core::store::StoreWrite> = self.store.clone();
        ObjectWriter::new(store, key.clone(), options, self.budget.clone()).with_expected_bytes(bytes)
    }
}

/// Whether the archive is there already. Its name is the digest of its content.
///
/// # Errors
/// [`GlacierError::Damaged`] if something else has its name; what the store says.
pub(super) async fn exists(store: &SharedStore, key: &Key, bytes: u64) -> GlacierResult<bool> {
    match store.head(key).await {
        Ok(found) if found.bytes == bytes => Ok(true),
        Ok(found) => Err(GlacierError::damaged(key, format!("it has {} bytes instead of {bytes}", found.bytes))),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether this was it that created the object: what another created meanwhile under the same digest is the same.
fn created(result: Result<(), StoreError>) -> GlacierResult<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(StoreError::AlreadyExists { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn of(entry: Entry, found: &Found, place: Option<Place>) -> KnownFile {
    KnownFile { entry, stamp: Some(found.stamp), place }
}

/// Why the file is not in the backup; nothing if it is none of the folder any more.
fn failed(found: &Found, fault: &ReadFault) -> Option<FailedFile> {
    let is_there = !matches!(fault, ReadFault::Gone);
    is_there.then(|| FailedFile { name: found.name.clone(), what: fault.to_string() })
}

/// The file as it lies there now; as it was if it cannot be looked at, which reading it will tell.
fn again(folder: &Path, found: &Found) -> Found {
    let looked = std::fs::symlink_metadata(folder.join(&found.name));
    looked.map_or_else(|_| found.clone(), |metadata| scan::found(found.name.clone(), &metadata))
}

/// Reads a file, and once more if it changed meanwhile.
fn twice<T>(
    folder: &Path,
    found: &Found,
    read: impl Fn(&Path, &Found) -> Result<T, ReadFault>,
) -> Result<(Found, T), ReadFault> {
    match read(folder, found) {
        Err(ReadFault::Changed) => {
            let now = again(folder, found);
            read(folder, &now).map(|value| (now, value))
        }
        once => once.map(|value| (found.clone(), value)),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> GlacierResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(GlacierError::internal)
}
