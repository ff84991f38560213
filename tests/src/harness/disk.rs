//! A disk that is soon full.

use std::fs;
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
