//! Writes an export as a raw image of its volume, with holes where it has no blocks or zeros.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_core::progress::Event;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::Serialize;

use super::stored::{self, Stored};
use super::{BLOCK_BYTES, fetch};
use crate::error::{Ec2Error, Ec2Result};

/// An image is as secret as the volume.
const MODE: u32 = 0o600;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageReport {
    /// The file.
    pub image: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Blocks written.
    pub blocks: u64,
}

/// Writes the volume of an export to `path`, which must not exist; it appears there whole.
///
/// # Errors
/// [`Ec2Error::Io`] if the file exists or cannot be written; damage of the export.
pub async fn write_image(store: &SharedStore, stored: &Stored, path: &Path, run: &Run) -> Ec2Result<ImageReport> {
    let partial = partial_of(path);
    refuse_existing(path)?;
    run.step("ec2.image", &path.display().to_string());
    let bytes = stored.volume_bytes();
    let file = create(&partial, bytes).map_err(io_error("create", &partial))?;
    let written = fill(store, stored, &Arc::new(file), &partial, run).await;
    let finished = match written {
        Ok(blocks) => appear(&partial, path).map(|()| blocks).map_err(io_error("write", path)),
        Err(error) => Err(error),
    };
    // Whatever happened, nothing half written stays; that it cannot be removed is not worth hiding the first error.
    drop(std::fs::remove_file(&partial));
    let blocks = finished?;
    Ok(ImageReport { image: path.to_owned(), bytes, blocks })
}

/// Refuses what [`write_image`] refuses before it reads anything: better known before an export that takes hours.
///
/// # Errors
/// [`Ec2Error::Io`] if there is something of that name, or no folder for it.
pub fn refuse_existing(path: &Path) -> Ec2Result<()> {
    if path.symlink_metadata().is_ok() {
        let source = io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name");
        return Err(io_error("write", path)(source));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder.metadata().map(drop).map_err(io_error("look at", folder))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Ec2Error {
    let path = path.display().to_string();
    move |source| Ec2Error::Io { action, path, source }
}

/// A name that is nobody else's, beside `path`: another image may be written there at the same time.
fn partial_of(path: &Path) -> PathBuf {
    path.with_file_name(format!(".lastgood-tmp-{}", uuid::Uuid::now_v7().simple()))
}

/// Gives the file its name, unless somebody made one of that name meanwhile.
fn appear(partial: &Path, path: &Path) -> io::Result<()> {
    match renameat_with(CWD, partial, CWD, path, RenameFlags::NOREPLACE) {
        // A file system that cannot refuse to replace: `hard_link` does, where it knows links.
        Err(Errno::INVAL | Errno::NOSYS) => std::fs::hard_link(partial, path),
        renamed => Ok(renamed?),
    }
}

fn create(path: &Path, bytes: u64) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.set_len(bytes)?;
    Ok(file)
}

async fn fill(store: &SharedStore, stored: &Stored, file: &Arc<File>, path: &Path, run: &Run) -> Ec2Result<u64> {
    let mut count = 0;
    run.progress
        .event(Event::Total { bytes: stored.detail().blocks * BLOCK_BYTES as u64, items: stored.detail().blocks });
    let failed = |source| Ec2Error::Io { action: "write", path: path.display().to_string(), source };
    for first in stored.segments() {
        let segment = stored.segment(&**store, first).await?;
        let mut blocks = stored::read(store, &segment, |_, _| true);
        while let Some((indexes, block)) = blocks.try_next().await? {
            run.stop_if_cancelled()?;
            let items = indexes.len() as u64;
            let file = file.clone();
            let writing = tokio::task::spawn_blocking(move || write(&file, &indexes, &block));
            writing.await.map_err(fetch::panicked)?.map_err(failed)?;
            count += items;
            run.progress.event(Event::Advance { bytes: items * BLOCK_BYTES as u64, items });
        }
    }
    let file = file.clone();
    tokio::task::spawn_blocking(move || file.sync_all()).await.map_err(fetch::panicked)?.map_err(failed)?;
    Ok(count)
}

/// A hole reads as zeros.
fn write(file: &File, indexes: &[u32], block: &Bytes) -> io::Result<()> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    indexes.iter().try_for_each(|index| file.write_all_at(block, u64::from(*index) * BLOCK_BYTES as u64))
}
