//! Gives a finished file or folder its final name.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use crate::error::{ObjectError, ObjectResult};

/// The folder that `path` lies in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a disk or a container's volume is mounted at `path`: such a folder cannot be given another name. What cannot be asked is
/// found out when the folder is to be moved.
pub(super) fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    // Bind mounts have the device of the folder around them, and old kernels do not tell them apart.
    let is_root = statx(CWD, path, AtFlags::empty(), StatxFlags::TYPE)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    is_root || device(path) != device(parent(path))
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

    /// The folder `folder` itself, into which files are put one by one.
    ///
    /// # Errors
    /// If it may not be read.
    pub(super) fn inside(folder: &Path) -> ObjectResult<Self> {
        let what = folder.display().to_string();
        let folder = File::open(folder).map_err(|error| ObjectError::target("open", &what, error))?;
        Ok(Self { folder, what })
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
