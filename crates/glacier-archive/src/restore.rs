//! Puts fetched files into their folder. What is there already stays.

pub(crate) mod beneath;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::run::Run;
use jiff::Timestamp;
use serde::Serialize;

use self::beneath::Target;
use crate::catalogue::KnownFile;
use crate::detail::FailedFile;
use crate::entry::Entry;
use crate::error::{GlacierError, GlacierResult};
use crate::find::Backup;
use crate::key::BackupKey;
use crate::lifecycle::Status;
use crate::listing::Listed;
use crate::pattern::{Excluded, Only, Parts};
use crate::scan::{self, Found};
use crate::standing::{self, Known};
use crate::state::State;

/// Bytes copied at a time.
const BUFFER_BYTES: usize = 1024 * 1024;

/// What is restored, and where.
#[derive(Clone, Copy, Debug)]
pub struct RestoreSettings<'a> {
    /// Which of the backup's files.
    pub only: &'a Only,
    /// The folder, which must be there.
    pub folder: &'a Path,
    /// Whether a file of the same name and another content is set aside, and the archived one put in its place.
    pub repair: bool,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Of which backup.
    pub key: BackupKey,
    /// Files that were put into the folder.
    pub placed: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are there with the content of the backup.
    pub existing: u64,
    /// Files that are there with another content, and stay.
    pub differing: Vec<String>,
    /// Files that were there with another content, under the names that they have now.
    pub set_aside: Vec<String>,
    /// Files that are not fetched yet, by status.
    pub missing: BTreeMap<Status, u64>,
    /// Files that could not be put there, and why.
    pub failed: Vec<FailedFile>,
}

impl Restored {
    /// Whether every file that is meant is in the folder now, with the content of the backup.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.failed.is_empty() && self.differing.is_empty()
    }
}

/// Restores what was fetched. Contents are hashed again as they are copied; a file gets its name when it is whole. Needs the
/// lock.
///
/// # Errors
/// [`GlacierError::Folder`] if the folder is not there; as of the catalogue.
pub async fn restore(
    state: &State,
    backup: &Backup,
    settings: &RestoreSettings<'_>,
    run: &Run,
) -> GlacierResult<Restored> {
    clear_leftovers(settings.folder)?;
    let known: BTreeMap<String, KnownFile> =
        state.catalogue().files()?.into_iter().map(|file| (file.entry.name.clone(), file)).collect();
    let retrievals = state.catalogue().retrievals()?;
    let now = run.clock.now();
    let around = Known { state, files: &known, retrievals: &retrievals, folder: None, now };
    let mut restored = Restored {
        key: backup.key.clone(),
        placed: 0,
        bytes: 0,
        existing: 0,
        differing: Vec::new(),
        set_aside: Vec::new(),
        missing: BTreeMap::new(),
        failed: Vec::new(),
    };
    for standing in standing::files(backup, &settings.only.but(Parts::Files), &around) {
        run.stop_if_cancelled()?;
        run.step("glacier.place", &standing.name);
        let job = Job {
            folder: settings.folder.to_owned(),
            repair: settings.repair,
            local: state.local_file(&standing.listed.entry.sha256),
            is_local: standing.status == Status::Local,
            known: known.get(&standing.name).cloned(),
            now,
            file: standing.listed.clone(),
        };
        let outcome = tokio::task::spawn_blocking(move || job.run()).await.map_err(GlacierError::internal)?;
        restored.take(state, known.get(&standing.name), &standing.listed, standing.status, outcome)?;
    }
    clear(state, backup, &restored)?;
    Ok(restored)
}

/// Removes what runs that died left between the files.
fn clear_leftovers(folder: &Path) -> GlacierResult<()> {
    for name in scan::scan(folder, &Excluded::default())?.leftovers {
        let path = folder.join(&name);
        let cleared = Target::open(folder, &name).and_then(|target| target.clear_leftover());
        match cleared {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(GlacierError::folder("remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What became of a file.
enum Outcome {
    Exists(Found),
    Differs,
    Missing,
    Placed { found: Found, aside: Option<String> },
    Failed(String),
}

impl Restored {
    fn take(
        &mut self,
        state: &State,
        known: Option<&KnownFile>,
        file: &Listed,
        status: Status,
        outcome: Outcome,
    ) -> GlacierResult<()> {
        let entry = &file.entry;
        match outcome {
            Outcome::Exists(found) => {
                self.existing += 1;
                note(state, known, file, &found)?;
            }
            Outcome::Differs => self.differing.push(entry.name.clone()),
            Outcome::Missing => *self.missing.entry(status).or_default() += 1,
            Outcome::Placed { found, aside } => {
                self.placed += 1;
                self.bytes += entry.bytes;
                self.set_aside.extend(aside);
                note(state, known, file, &found)?;
            }
            Outcome::Failed(what) => {
                self.failed.push(FailedFile { name: entry.name.clone(), what });
            }
        }
        Ok(())
    }
}

/// The next backup recognises the file without reading it, if the catalogue knows it.
fn note(state: &State, known: Option<&KnownFile>, file: &Listed, found: &Found) -> GlacierResult<()> {
    let is_other = |known: &&KnownFile| known.entry.sha256 == file.entry.sha256 && known.stamp != Some(found.stamp);
    match known.filter(is_other) {
        None => Ok(()),
        Some(known) => state.catalogue().add(None, &[KnownFile { stamp: Some(found.stamp), ..known.clone() }]),
    }
}

/// One file to put in its place.
struct Job {
    folder: PathBuf,
    repair: bool,
    local: PathBuf,
    is_local: bool,
    known: Option<KnownFile>,
    now: Timestamp,
    file: Listed,
}

impl Job {
    fn run(self) -> Outcome {
        match self.try_run() {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    fn try_run(&self) -> io::Result<Outcome> {
        let entry = &self.file.entry;
        match std::fs::symlink_metadata(self.folder.join(&entry.name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.place(None),
            Err(error) => Err(error),
            Ok(metadata) => {
                let found = scan::found(entry.name.clone(), &metadata);
                match metadata.is_file() && self.is_same(&found)? {
                    true => Ok(Outcome::Exists(found)),
                    false if self.repair && self.is_local => {
                        let time = self.now.as_second();
                        self.place(Some(format!("{}.before-restore-{time}", last(&entry.name))))
                    }
                    false => Ok(Outcome::Differs),
                }
            }
        }
    }

    /// Whether the file there has the content of the backup: as it looked when that was archived, or by its digest.
    fn is_same(&self, found: &Found) -> io::Result<bool> {
        let Entry { bytes, sha256, .. } = self.file.entry;
        if found.bytes != bytes {
            return Ok(false);
        }
        let is_known = |known: &KnownFile| known.stamp == Some(found.stamp) && known.entry.sha256 == sha256;
        if self.known.as_ref().is_some_and(is_known) {
            return Ok(true);
        }
        let read = scan::read(&self.folder, found, |_| Ok(()));
        Ok(read.map_err(|fault| io::Error::other(fault.to_string()))?.sha256 == sha256)
    }

    fn place(&self, aside: Option<String>) -> io::Result<Outcome> {
        let entry = &self.file.entry;
        if !self.is_local {
            return Ok(Outcome::Missing);
        }
        let target = Target::open(&self.folder, &entry.name)?;
        let temporary = beneath::temporary();
        let placed = self.copy(&target, &temporary).and_then(|file| {
            let set_aside = match &aside {
                Some(aside) => target.set_aside(aside)?,
                None => false,
            };
            target.place(&temporary, &file, entry.mode, entry.modified)?;
            Ok(set_aside)
        });
        if placed.is_err() {
            target.give_up(&temporary);
        }
        let aside = aside.filter(|_| matches!(placed, Ok(true)));
        placed?;
        let metadata = std::fs::symlink_metadata(self.folder.join(&entry.name))?;
        Ok(Outcome::Placed { found: scan::found(entry.name.clone(), &metadata), aside })
    }

    /// Copies the fetched content and hashes it again: it may have lain on the disk for days.
    fn copy(&self, target: &Target, temporary: &str) -> io::Result<std::fs::File> {
        let Entry { bytes, sha256, .. } = self.file.entry;
        let mut file = target.begin(temporary)?;
        if bytes == 0 {
            return Ok(file);
        }
        let mut local = std::fs::File::open(&self.local)?;
        let mut hasher = Sha256Hasher::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = local.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            file.write_all(&buffer[..read])?;
        }
        let found: Sha256Digest = hasher.finish();
        if found == sha256 {
            return Ok(file);
        }
        // It is fetched again once it is gone.
        std::fs::remove_file(&self.local)?;
        Err(io::Error::other(format!("what was fetched has the SHA-256 {found} instead of {sha256}; fetch it again")))
    }
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Removes fetched contents once everything that was meant is in the folder.
fn clear(state: &State, backup: &Backup, restored: &Restored) -> GlacierResult<()> {
    if !restored.is_complete() {
        return Ok(());
    }
    for file in &backup.files {
        let path = state.local_file(&file.entry.sha256);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(GlacierError::folder("remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}
