//! The folder in which this machine keeps its catalogue and what was fetched.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_core::digest::Sha256Digest;
use backup_core::local_file;

use crate::catalogue::Catalogue;
use crate::error::{GlacierError, GlacierResult};

/// The folder, open. Whoever changes something holds its lock: two processes that both saw an archive as available would
/// both pay for it.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    catalogue: Arc<dyn Catalogue>,
    lock: Option<File>,
}

impl State {
    /// Opens the folder for reading, and makes it if it is missing; its catalogue is of the backups called `name` in
    /// `location`, as that describes itself.
    ///
    /// # Errors
    /// [`GlacierError::Folder`]; as of the catalogue.
    #[cfg(feature = "sqlite")]
    pub fn open(folder: &Path, name: &str, location: &str) -> GlacierResult<Self> {
        make_folder(folder)?;
        let owner = format!("`{name}` in `{location}`");
        let catalogue = crate::adapters::sqlite::SqliteCatalogue::open(&folder.join("catalogue.sqlite"), &owner)?;
        Self::with(folder, Arc::new(catalogue))
    }

    /// The same with a catalogue that is kept elsewhere.
    ///
    /// # Errors
    /// [`GlacierError::Folder`].
    pub fn with(folder: &Path, catalogue: Arc<dyn Catalogue>) -> GlacierResult<Self> {
        make_folder(folder)?;
        make_folder(&folder.join("local"))?;
        Ok(Self { folder: folder.to_owned(), catalogue, lock: None })
    }

    /// Takes the lock, which the system gives back when the process ends, however it ends.
    ///
    /// # Errors
    /// [`GlacierError::Held`] if another process has it; [`GlacierError::Folder`].
    pub fn locked(mut self) -> GlacierResult<Self> {
        let path = self.folder.join("lock");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let opened = local_file::open(&options, &path);
        let file = opened.map_err(|error| GlacierError::folder("open", &path, error))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(GlacierError::Held { folder: self.folder.display().to_string() });
            }
            Err(error) => return Err(GlacierError::folder("lock", &path, std::io::Error::from(error))),
        }
        self.lock = Some(file);
        Ok(self)
    }

    /// The catalogue.
    #[must_use]
    pub fn catalogue(&self) -> &dyn Catalogue {
        &*self.catalogue
    }

    /// The same, for what outlives a borrow: a store that notes in it what it has stored.
    #[must_use]
    pub fn shared_catalogue(&self) -> Arc<dyn Catalogue> {
        self.catalogue.clone()
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of what was fetched: each content once, named by its digest, there only after that was checked.
    #[must_use]
    pub fn local(&self) -> PathBuf {
        self.folder.join("local")
    }

    /// Where the content of this digest is once it was fetched.
    #[must_use]
    pub fn local_file(&self, sha256: &Sha256Digest) -> PathBuf {
        self.folder.join("local").join(sha256.to_string())
    }

    /// Where the dump of the backup of this time is made a location again.
    #[must_use]
    pub fn database(&self, time: &str) -> PathBuf {
        self.folder.join("database").join(time)
    }

    /// The vault that archives go to, as far as this machine knows: also when no backup tells it any more.
    #[must_use]
    pub fn vault(&self) -> Option<String> {
        let vault = std::fs::read_to_string(self.folder.join("vault")).ok()?;
        Some(vault).filter(|vault| !vault.is_empty())
    }

    /// Remembers the vault that archives go to. Needs the lock.
    ///
    /// # Errors
    /// [`GlacierError::Folder`].
    pub fn keep_vault(&self, vault: &str) -> GlacierResult<()> {
        if self.vault().as_deref() == Some(vault) {
            return Ok(());
        }
        let path = self.folder.join("vault");
        std::fs::write(&path, vault).map_err(|error| GlacierError::folder("write", &path, error))
    }

    /// Whether a content of this size was fetched.
    #[must_use]
    pub fn has_local(&self, sha256: &Sha256Digest, bytes: u64) -> bool {
        std::fs::symlink_metadata(self.local_file(sha256)).is_ok_and(|found| found.is_file() && found.len() == bytes)
    }
}

/// Makes a folder that only its owner can enter.
fn make_folder(folder: &Path) -> GlacierResult<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| GlacierError::folder("create", folder, error))
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_changes_something() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        let open = || State::open(&folder, "x", "mem:").unwrap();
        let held = open().locked().unwrap();
        assert!(matches!(open().locked(), Err(GlacierError::Held { .. })));
        assert!(open().catalogue().files().unwrap().is_empty(), "readers do not wait");
        drop(held);
        open().locked().unwrap();
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
