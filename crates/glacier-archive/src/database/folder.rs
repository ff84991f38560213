//! A fetched dump as a folder that the dumping program restores from: the same objects under their names of before.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::location::{Init, Location};
use backup_core::run::Run;
use backup_core::store::SharedStore;

use crate::error::{GlacierError, GlacierResult};
use crate::find::Backup;
use crate::key::LAYOUTS;
use crate::state::State;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Makes the folder, if everything is fetched that it needs; nothing if not, or if the backup has no database. Fetched
/// contents get a second name in it, so that they take no room twice. Needs the lock.
///
/// # Errors
/// [`GlacierError::Folder`].
pub async fn assemble(state: &State, backup: &Backup, run: &Run) -> GlacierResult<Option<PathBuf>> {
    let is_fetched = |file: &crate::listing::Listed| state.has_local(&file.entry.sha256, file.entry.bytes);
    if backup.database.is_empty() || !backup.database.iter().all(is_fetched) {
        return Ok(None);
    }
    let folder = state.database(&backup.key.time);
    run.step("glacier.assemble", &folder.display().to_string());
    make_folder(&folder)?;
    let location = Location::File(folder.clone());
    location.init(&Init { clock: &*run.clock, ..Init::new(&LAYOUTS) }).await?;
    for file in &backup.database {
        let (from, to) = (state.local_file(&file.entry.sha256), folder.join(&file.entry.name));
        make_folder(to.parent().unwrap_or(&folder))?;
        give_name(&from, &to, file.entry.bytes).map_err(|error| GlacierError::folder("write", &to, error))?;
    }
    Ok(Some(folder))
}

/// The second name of a file, or a copy of it where that is not possible.
fn give_name(from: &Path, to: &Path, bytes: u64) -> io::Result<()> {
    if std::fs::symlink_metadata(to).is_ok_and(|found| found.is_file() && found.len() == bytes) {
        return Ok(());
    }
    match std::fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Half of a copy.
            std::fs::remove_file(to)?;
            std::fs::copy(from, to).map(drop)
        }
        // File systems without links, such as exFAT.
        Err(_) => std::fs::copy(from, to).map(drop),
        Ok(()) => Ok(()),
    }
}

fn make_folder(folder: &Path) -> GlacierResult<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| GlacierError::folder("create", folder, error))
}

/// The folder as a location, once it is complete.
///
/// # Errors
/// [`GlacierError::NotReady`] if not everything was fetched; [`GlacierError::Folder`].
pub async fn opened(state: &State, backup: &Backup, run: &Run) -> GlacierResult<SharedStore> {
    match assemble(state, backup, run).await? {
        Some(folder) => Ok(Location::File(folder).open().await?),
        None => Err(GlacierError::NotReady {
            what: "the database is not fetched".to_owned(),
            help: "fetch the backup, then restore it".to_owned(),
        }),
    }
}

/// Removes what was fetched of the dump and has changed since, so that it is fetched again; returns its names. For a restore
/// that found damage: until then nobody reads what lies there. Needs the lock.
///
/// # Errors
/// [`GlacierError::Folder`].
pub fn drop_damaged(state: &State, backup: &Backup) -> GlacierResult<Vec<String>> {
    let folder = state.database(&backup.key.time);
    let mut dropped = Vec::new();
    for file in &backup.database {
        let entry = &file.entry;
        let mut is_damaged = false;
        // Two names of one file, or a copy where there is no such thing.
        for path in [state.local_file(&entry.sha256), folder.join(&entry.name)] {
            let found = match digest_of(&path) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(GlacierError::folder("read", &path, error)),
            };
            if found != entry.sha256 {
                std::fs::remove_file(&path).map_err(|error| GlacierError::folder("remove", &path, error))?;
                is_damaged = true;
            }
        }
        if is_damaged {
            dropped.push(entry.name.clone());
        }
    }
    Ok(dropped)
}

fn digest_of(path: &Path) -> io::Result<Sha256Digest> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path)?;
    let (mut hasher, mut buffer) = (Sha256Hasher::default(), vec![0; BUFFER_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Removes the folder and what was fetched for it, once it was restored.
///
/// # Errors
/// [`GlacierError::Folder`].
pub fn clear(state: &State, backup: &Backup) -> GlacierResult<()> {
    let gone = |path: &Path, removed: io::Result<()>| match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GlacierError::folder("remove", path, error)),
        _ => Ok(()),
    };
    let folder = state.database(&backup.key.time);
    gone(&folder, std::fs::remove_dir_all(&folder))?;
    for file in &backup.database {
        let path = state.local_file(&file.entry.sha256);
        gone(&path, std::fs::remove_file(&path))?;
    }
    Ok(())
}
