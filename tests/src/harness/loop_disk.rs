//! A mounted file system of its own, on a loop device.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Failure, RowResult};
use crate::ensure;

/// XFS refuses less than 300 MB. The file is sparse.
const BYTES: u64 = 320 << 20;

/// A mounted file system, thawed, unmounted and detached on drop.
#[derive(Debug)]
pub struct LoopDisk {
    at: PathBuf,
    device: String,
}

impl LoopDisk {
    /// A new one of this kind, such as `ext4`, in files of `folder`.
    ///
    /// # Errors
    /// [`Failure::Skipped`] where there are no loop devices, or the kind is not known.
    pub fn new(folder: &Path, kind: &str) -> RowResult<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(Failure::Skipped("loop devices need root".to_owned()));
        }
        let (image, at) = (folder.join(format!("{kind}.img")), folder.join(kind));
        std::fs::File::create(&image)?.set_len(BYTES)?;
        std::fs::create_dir_all(&at)?;
        if !run(&format!("/sbin/mkfs.{kind}"), &["-q", &image.display().to_string()]) {
            return Err(Failure::Skipped(format!("mkfs.{kind} is missing")));
        }
        let output = Command::new("losetup").args(["-f", "--show"]).arg(&image).output()?;
        if !output.status.success() {
            return Err(Failure::Skipped("there are no loop devices".to_owned()));
        }
        let disk = Self { at, device: String::from_utf8_lossy(&output.stdout).trim().to_owned() };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Its loop device.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Where it is mounted, as programs are told.
    #[must_use]
    pub fn path(&self) -> String {
        self.at.display().to_string()
    }

    /// Mounts it.
    ///
    /// # Errors
    /// If that fails.
    pub fn mount(&self) -> RowResult {
        ensure!(run("timeout", &["20", "mount", &self.device, &self.path()]), "`{}` cannot be mounted", self.device);
        Ok(())
    }

    /// A program that writes to it and ends.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn writer(&self) -> RowResult<Child> {
        let file = format!("of={}", self.at.join("written").display());
        let mut writer = Command::new("dd");
        writer.args(["if=/dev/zero", "bs=4k", "count=1", "conv=fsync", &file]).stderr(Stdio::null());
        Ok(writer.spawn()?)
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        // Each may fail: it may not be frozen, or be unmounted already.
        let _thawed = run("fsfreeze", &["-u", &self.path()]);
        let _unmounted = run("umount", &[&self.path()]) || run("umount", &["-l", &self.path()]);
        let _detached = run("losetup", &["-d", &self.device]);
    }
}

/// Runs a program that says nothing; whether it ended well.
#[must_use]
pub fn run(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
