//! Gives a finished file or folder its final name.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{ObjectError, ObjectResult};

/// The folder that `path` lies in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// That folder, opened before anything gets its name: a folder that may be written to and not be read is told while nothing has
/// happened, and not after all of it has.
#[derive(Debug)]
pub(super) struct Place {
    folder: File,
    what: String,
}

impl Place {
    /// The place of `path`.
    ///
    /// # Errors
    /// If there is no such folder, or it may not be read.
    pub(super) fn of(path: &Path) -> ObjectResult<Self> {
        let parent = parent(path);
        let folder = File::open(parent).map_err(|error| ObjectError::target("open", parent.display(), error))?;
        Ok(Self { folder, what: path.display().to_string() })
    }

    /// Makes the name durable.
    ///
    /// # Errors
    /// [`ObjectError::Volatile`].
    pub(super) fn keep(self) -> ObjectResult<()> {
        match self.folder.sync_all() {
            // Some network file systems have nothing to do here and say so with this error.
            Err(error) if error.kind() != ErrorKind::InvalidInput => {
                Err(ObjectError::Volatile { what: self.what, source: error.into() })
            }
            _ => Ok(()),
        }
    }
}
