//! Files that other programs can open, but that are not on disk: an archive, a list, a password.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes behind a path that child processes can open.
///
/// On Linux an anonymous file in memory (`memfd_create(2)`), reached as `/proc/self/fd/N`, which in a child is the
/// inherited descriptor. Elsewhere a private temporary file.
#[derive(Debug)]
pub(crate) struct ArchiveFile {
    path: PathBuf,
    #[cfg(target_os = "linux")]
    _file: File,
    #[cfg(not(target_os = "linux"))]
    _file: tempfile::NamedTempFile,
}

impl ArchiveFile {
    #[cfg(target_os = "linux")]
    pub(crate) fn new(bytes: &[u8]) -> std::io::Result<Self> {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::PermissionsExt;
        // Without CLOEXEC: pg_restore, and the workers it forks, must inherit it.
        let descriptor = rustix::fs::memfd_create("lastgood-archive", rustix::fs::MemfdFlags::empty())?;
        let mut file = File::from(descriptor);
        // libpq refuses a password file that others may read.
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        Ok(Self { path: format!("/proc/self/fd/{}", file.as_raw_fd()).into(), _file: file })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new(bytes: &[u8]) -> std::io::Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        file.flush()?;
        Ok(Self { path: file.path().to_owned(), _file: file })
    }

    /// The path to give to a child.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path that a child's own children can open, too, although they may not inherit descriptors (Python's `subprocess`
    /// closes them): it leads through us, and so is good for as long as we run.
    pub(crate) fn path_for_descendants(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        return match self.path.strip_prefix("/proc/self") {
            Ok(rest) => Path::new("/proc").join(std::process::id().to_string()).join(rest),
            Err(_) => self.path.clone(),
        };
        #[cfg(not(target_os = "linux"))]
        self.path.clone()
    }
}
