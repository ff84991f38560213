//! A disk that is soon full.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Failure, RowResult};

/// A small file system in memory, unmounted on drop.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of `mebibytes` at `at`, which is made.
    ///
    /// # Errors
    /// [`Failure::Skipped`] where mounting is not allowed.
    pub fn mount(at: &Path, mebibytes: u32) -> RowResult<Self> {
        fs::create_dir_all(at)?;
        mount(at, &["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=700"), "tmpfs"])?;
        Ok(Self(at.to_owned()))
    }

    /// Gives it another size.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn resize(&self, mebibytes: u32) -> RowResult {
        mount(&self.0, &["-o", &format!("remount,size={mebibytes}m")])
    }

    /// Lets it have no more files than it has.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn without_inodes(&self) -> RowResult {
        let found = rustix::fs::statvfs(&self.0)?;
        mount(&self.0, &["-o", &format!("remount,nr_inodes={}", found.f_files - found.f_ffree)])
    }

    /// Fills it to the last byte, with a file of `name`.
    ///
    /// # Errors
    /// If that fails otherwise than for want of room.
    pub fn fill(&self, name: &str) -> RowResult {
        let mut file = fs::File::create(self.0.join(name))?;
        let mut bytes = vec![0xa5_u8; 1024 * 1024];
        while !bytes.is_empty() {
            match file.write(&bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => bytes.truncate(bytes.len() / 2),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(file.sync_all()?)
    }

    /// Lets nobody write to it any more.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn read_only(&self) -> RowResult {
        mount(&self.0, &["-o", "remount,ro"])
    }
}

fn mount(at: &Path, options: &[&str]) -> RowResult {
    match Command::new("mount").args(options).arg(at).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Failure::Skipped(format!("a small disk cannot be mounted, which needs root: {why}")))
        }
        Err(error) => Err(Failure::Skipped(format!("`mount` cannot be run: {error}"))),
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that was just killed may still hold a file.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
