//! Takes over what GlacierOnRails archived: its archives are found among the jobs of the vault, requested if somebody pays for
//! it, downloaded and checked by their tree hash. Files are unpacked into their folder, and the dump of the database
//! becomes a file that `pg_restore` reads.
//!
//! Each call goes on where the last one ended: jobs are found by the archive that they retrieve, so that none is paid twice.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use backup_core::digest::Sha256Digest;
use backup_core::run::Run;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::adapters::postgres::gem::{GemArchive, GemBackup};
use crate::adapters::vault::{JobState, Vault, VaultArchive, VaultJob};
use crate::class::Tier;
use crate::detail::FailedFile;
use crate::error::{GlacierError, GlacierResult};
use crate::lifecycle::Status;
use crate::listing::check_path;
use crate::restore::beneath::{self, Target};

/// Permissions of a file that is placed; the gem noted none.
const MODE: u32 = 0o644;

/// What is taken over.
#[derive(Clone, Copy, Debug)]
pub struct Adoption<'a> {
    /// Which backup.
    pub backup: &'a GemBackup,
    /// The vault that it is in.
    pub vault: &'a Vault,
    /// Where what was downloaded is kept.
    pub folder: &'a Path,
    /// Where files are unpacked to; absent: only the database is taken over.
    pub files: Option<&'a Path>,
    /// The tier by which archives are requested; absent: none is.
    pub tier: Option<Tier>,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// The number of the backup.
    pub backup: i64,
    /// How many archives have each status.
    pub counts: BTreeMap<Status, u64>,
    /// Archives that were requested now.
    pub requested: u64,
    /// Archives that were downloaded now, and their bytes.
    pub fetched: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were unpacked into their folder now.
    pub placed: u64,
    /// The dump of the database, once it was downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump: Option<PathBuf>,
    /// What could not be taken over, and why.
    pub failed: Vec<FailedFile>,
}

impl Adopted {
    /// Whether nothing is left to be done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.counts.keys().all(|status| *status >= Status::Local)
    }
}

/// Goes on as far as it gets.
///
/// # Errors
/// What the service says when it is asked for its jobs; [`GlacierError::Folder`].
pub async fn adopt(adoption: &Adoption<'_>, run: &Run) -> GlacierResult<Adopted> {
    let mut done = Adopted { backup: adoption.backup.id, ..Adopted::default() };
    make_folder(adoption.folder)?;
    run.step("glacier.adopt", &adoption.backup.id.to_string());
    let jobs = adoption.vault.jobs().await?;
    if let Some(dump) = &adoption.backup.database {
        let status = one(adoption, dump, &jobs, &mut done, run).await?;
        if status == Status::Local {
            done.dump = Some(local(adoption.folder, dump));
        }
        *done.counts.entry(status).or_default() += 1;
    }
    let Some(folder) = adoption.files else { return Ok(done) };
    for file in &adoption.backup.files {
        run.stop_if_cancelled()?;
        let status = file_status(adoption, file, folder, &jobs, &mut done, run).await?;
        *done.counts.entry(status).or_default() += 1;
    }
    Ok(done)
}

/// A file is left alone if its folder has it, and unpacked as soon as it is there.
async fn file_status(
    adoption: &Adoption<'_>,
    file: &GemArchive,
    folder: &Path,
    jobs: &[VaultJob],
    done: &mut Adopted,
    run: &Run,
) -> GlacierResult<Status> {
    if check_path(&file.filename).is_err() || file.filename.contains('/') {
        done.failed.push(failed(file, "its name is no name of a file"));
        return Ok(Status::Available);
    }
    if std::fs::symlink_metadata(folder.join(&file.filename)).is_ok() {
        return Ok(Status::Exists);
    }
    let status = one(adoption, file, jobs, done, run).await?;
    if status != Status::Local {
        return Ok(status);
    }
    run.step("glacier.adopt_file", &file.filename);
    let (packed, folder, name) = (local(adoption.folder, file), folder.to_owned(), file.filename.clone());
    let unpacked = tokio::task::spawn_blocking(move || unpack(&packed, &folder, &name));
    match unpacked.await.map_err(GlacierError::internal)? {
        Ok(()) => {
            done.placed += 1;
            Ok(Status::Exists)
        }
        Err(error) => {
            done.failed.push(failed(file, &error.to_string()));
            Ok(Status::Local)
        }
    }
}

/// Downloads the archive if it is ready, and requests it if it is not and somebody pays for it.
async fn one(
    adoption: &Adoption<'_>,
    archive: &GemArchive,
    jobs: &[VaultJob],
    done: &mut Adopted,
    run: &Run,
) -> GlacierResult<Status> {
    let path = local(adoption.folder, archive);
    if path.exists() {
        return Ok(Status::Local);
    }
    let mine = |job: &&VaultJob| job.archive.as_deref() == Some(archive.archive_id.as_str());
    let of_state = |wanted: fn(&JobState) -> bool| jobs.iter().filter(mine).find(|job| wanted(&job.state));
    if let Some(job) = of_state(|state| matches!(state, JobState::Succeeded { .. })) {
        return match download(adoption.vault, job, archive, &path, run).await {
            Ok(bytes) => {
                done.fetched += 1;
                done.bytes += bytes;
                Ok(Status::Local)
            }
            Err(error @ (GlacierError::Interrupted | GlacierError::Folder { .. })) => Err(error),
            Err(error) => {
                done.failed.push(failed(archive, &error.to_string()));
                Ok(Status::Ready)
            }
        };
    }
    if of_state(|state| *state == JobState::Running).is_some() {
        return Ok(Status::Pending);
    }
    let Some(tier) = adoption.tier else { return Ok(Status::Available) };
    run.step("glacier.adopt_request", &archive.archive_id);
    // Only its id counts: how large it is, its job tells.
    let wanted = VaultArchive { id: archive.archive_id.clone(), bytes: 0, tree_hash: Sha256Digest::of(b"") };
    let description = format!("lastgood adopt {}", archive.archive_id);
    match adoption.vault.request(&wanted, None, tier, &description).await {
        Ok(_) => {
            done.requested += 1;
            Ok(Status::Pending)
        }
        Err(GlacierError::Interrupted) => Err(GlacierError::Interrupted),
        Err(error) => {
            done.failed.push(failed(archive, &error.to_string()));
            Ok(Status::Available)
        }
    }
}

/// Downloads an archive to its place, which it takes only when its tree hash was checked. Returns its bytes.
async fn download(vault: &Vault, job: &VaultJob, archive: &GemArchive, path: &Path, run: &Run) -> GlacierResult<u64> {
    let id = &archive.archive_id;
    let tree_hash =
        archive.tree_hash.ok_or_else(|| GlacierError::damaged(id, "GlacierOnRails noted no checksum of it"))?;
    let bytes = job.range.as_ref().filter(|range| range.start == 0).map(|range| range.end);
    let bytes = bytes.ok_or_else(|| GlacierError::damaged(id, "the service does not say how large it is"))?;
    run.step("glacier.adopt_fetch", id);
    let folder = path.parent().unwrap_or(path);
    let failed = |error: io::Error| GlacierError::folder("write", path, error);
    let mut file = NamedTempFile::with_prefix_in(".fetch-", folder).map_err(failed)?;
    let wanted = VaultArchive { id: id.clone(), bytes, tree_hash };
    vault.download(&job.id, &wanted, file.as_file_mut()).await?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(bytes)
}

/// Unpacks a gzipped file into its folder, where nothing may have its name. Its checksum is that of gzip.
fn unpack(packed: &Path, folder: &Path, name: &str) -> io::Result<()> {
    let source = std::fs::File::open(packed)?;
    let target = Target::open(folder, name)?;
    let temporary = beneath::temporary();
    let unpacked = target.begin(&temporary).and_then(|mut file| {
        io::copy(&mut MultiGzDecoder::new(io::BufReader::new(source)), &mut file)?;
        file.flush()?;
        target.place(&temporary, &file, MODE, Timestamp::now())
    });
    if unpacked.is_err() {
        target.give_up(&temporary);
    }
    unpacked
}

/// Where an archive is once it was downloaded. Its id may hold anything.
fn local(folder: &Path, archive: &GemArchive) -> PathBuf {
    folder.join(Sha256Digest::of(archive.archive_id.as_bytes()).to_string())
}

fn failed(archive: &GemArchive, what: &str) -> FailedFile {
    FailedFile { name: archive.filename.clone(), what: what.to_owned() }
}

fn make_folder(folder: &Path) -> GlacierResult<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| GlacierError::folder("create", folder, error))
}
