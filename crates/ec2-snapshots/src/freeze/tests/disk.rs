//! File systems on loop devices, thawed and taken away whatever happens.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says why")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Small enough to be made in a moment; XFS refuses less than 300 MB. The file is sparse.
const BYTES: u64 = 320 << 20;

/// A mounted file system of its own.
#[derive(Debug)]
pub(super) struct LoopDisk {
    folder: TempDir,
    device: String,
}

impl LoopDisk {
    /// A new one of `kind`; none where it cannot be made, and then it says why.
    pub(super) fn new(kind: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("not run: loop devices need root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(BYTES).unwrap();
        let made = Command::new(format!("/sbin/mkfs.{kind}")).arg("-q").arg(&image).stdin(Stdio::null()).status();
        if made.map_or(true, |status| !status.success()) {
            eprintln!("not run: mkfs.{kind} is missing");
            return None;
        }
        let output = Command::new("losetup").args(["-f", "--show"]).arg(&image).output().unwrap();
        if !output.status.success() {
            eprintln!("not run: there are no loop devices");
            return None;
        }
        let device = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let disk = Self { folder, device };
        std::fs::create_dir(disk.at()).unwrap();
        disk.mount();
        Some(disk)
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> String {
        self.at().display().to_string()
    }

    pub(super) fn device(&self) -> &str {
        &self.device
    }

    pub(super) fn mount(&self) {
        assert!(run("timeout", &["20", "mount", &self.device, &self.path()]));
    }

    pub(super) fn unmount(&self) {
        // What was killed a moment ago holds it until it has ended, which takes a while on a busy machine.
        let is_done = (0..50).any(|at| {
            std::thread::sleep(Duration::from_millis(if at == 0 { 0 } else { 100 }));
            run("umount", &[&self.path()])
        });
        assert!(is_done);
    }

    /// A place beside the file system, not on it.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether a new writer is done within `limit`. It goes on if not, and is ended by a thaw.
    pub(super) fn writes_within(&self, limit: Duration) -> bool {
        let mut writer = self.writer();
        ends_within(&mut writer, limit)
    }

    /// Starts to write.
    pub(super) fn writer(&self) -> Child {
        let file = self.at().join("written");
        Command::new("dd")
            .args(["if=/dev/zero", "bs=4k", "count=1", "conv=fsync"])
            .arg(format!("of={}", file.display()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        // Some of these fail, whatever state the test left: nothing depends on one of them alone.
        let path = self.path();
        run("fsfreeze", &["-u", &path]);
        if !run("umount", &[&path]) {
            run("umount", &["-l", &path]);
        }
        run("losetup", &["-d", &self.device]);
    }
}

pub(super) fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

pub(super) fn run(program: &str, words: &[&str]) -> bool {
    let status =
        Command::new(program).args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The record on this machine that names `mount`.
pub(super) fn record_of(mount: &str) -> Option<PathBuf> {
    let folders = std::fs::read_dir(crate::host::RECORDS).ok()?;
    let names = |folder: &Path| std::fs::read_to_string(folder.join("record")).is_ok_and(|text| text.contains(mount));
    folders.flatten().map(|entry| entry.path()).find(|folder| names(folder))
}

pub(super) fn gone_within(mount: &str, limit: Duration) -> bool {
    let begin = Instant::now();
    while record_of(mount).is_some() {
        if begin.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}
