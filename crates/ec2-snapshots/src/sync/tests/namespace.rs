//! Two hosts on one machine: network namespaces with a cable between them, each with its own home, `sshd` and disk.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says why")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::host::adapters::{Process, SshOptions};
use crate::host::{RECORDS, Shell};

/// XFS refuses less than 300 MB. The file is sparse.
const BYTES: u64 = 320 << 20;

/// A key that was there before, and has to be there afterwards.
const THEIRS: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtlcHRrZXB0a2VwdGtlcHRrZXB0a2VwdGtlcHRrZXB0 theirs";

/// A host.
#[derive(Debug)]
pub(super) struct Namespace {
    name: &'static str,
    address: &'static str,
    folder: TempDir,
    disk: PathBuf,
    device: String,
    sshd: Child,
}

/// Two hosts that see each other. The source is reached from here as the destination is: by the cable of a bridge.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) source: Namespace,
    pub(super) target: Namespace,
}

impl Pair {
    /// None where namespaces, `sshd` or loop devices cannot be had, and then it says why.
    pub(super) fn new(source: &str, target: &str) -> Option<Self> {
        let programs = ["ip", "rsync", "losetup", "unshare", "/usr/sbin/sshd", "/sbin/mkfs.ext4", "/sbin/mkfs.xfs"];
        let missing = programs.iter().find(|program| !run("sh", &["-c", &format!("command -v {program}")]));
        if let Some(missing) = missing {
            eprintln!("not run: {missing} is missing");
            return None;
        }
        if !rustix::process::geteuid().is_root() || !run("ip", &["link", "add", "lgbr0", "type", "bridge"]) {
            eprintln!("not run: network namespaces need root");
            return None;
        }
        assert!(
            run("ip", &["addr", "add", "10.213.77.1/24", "dev", "lgbr0"]) && run("ip", &["link", "set", "lgbr0", "up"])
        );
        let source = Namespace::new("lgsrc", "10.213.77.2", source);
        let target = Namespace::new("lgdst", "10.213.77.3", target);
        Some(Self { source, target })
    }

    /// Nothing temporary is left on either host.
    pub(super) fn assert_clean(&self) {
        for host in [&self.source, &self.target] {
            assert_eq!(host.authorized_keys().trim_end(), host.own_keys().trim_end());
            let left = std::fs::read_dir(host.folder.path().join("run")).unwrap().flatten();
            let left: Vec<String> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            assert!(left.is_empty(), "{left:?}");
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        run("ip", &["link", "del", "lgbr0"]);
    }
}

impl Namespace {
    fn new(name: &'static str, address: &'static str, kind: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        run("ip", &["netns", "del", name]);
        assert!(run("ip", &["netns", "add", name]));
        let (inside, outside) = (format!("{name}0"), format!("{name}1"));
        // A namespace goes some time after it was deleted, and its end of the cable with it.
        run("ip", &["link", "del", &outside]);
        assert!(run("ip", &["link", "add", &outside, "type", "veth", "peer", "name", &inside, "netns", name]));
        assert!(run("ip", &["link", "set", &outside, "master", "lgbr0", "up"]));
        for words in [
            vec!["-n", name, "addr", "add", &format!("{address}/24"), "dev", &inside],
            vec!["-n", name, "link", "set", &inside, "up"],
            vec!["-n", name, "link", "set", "lo", "up"],
        ] {
            assert!(run("ip", &words));
        }
        let (disk, device) = disk(folder.path(), kind);
        let sshd = sshd(name, folder.path());
        let host = Self { name, address, folder, disk, device, sshd };
        host.wait();
        host
    }

    fn in_home(&self, name: &str) -> PathBuf {
        self.folder.path().join("home").join(name)
    }

    pub(super) fn address(&self) -> &str {
        self.address
    }

    pub(super) fn disk(&self) -> &Path {
        &self.disk
    }

    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// How we reach it: with a key and a known host of its own.
    pub(super) fn shell(&self) -> Arc<dyn Shell> {
        let config = self.folder.path().join("client");
        let command = vec!["ssh".to_owned(), "-F".to_owned(), config.display().to_string()];
        Arc::new(Process::ssh(format!("root@{}", self.address), SshOptions { command, sudo: false }))
    }

    fn wait(&self) {
        let config = self.folder.path().join("client").display().to_string();
        let begin = Instant::now();
        let destination = format!("root@{}", self.address);
        while !run("ssh", &["-F", &config, "-oBatchMode=yes", &destination, "true"]) {
            assert!(begin.elapsed() < Duration::from_secs(20), "sshd does not answer in {}", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(super) fn authorized_keys(&self) -> String {
        std::fs::read_to_string(self.in_home(".ssh/authorized_keys")).unwrap()
    }

    fn own_keys(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("own_keys")).unwrap()
    }

    pub(super) fn label(&self, label: &str) {
        assert!(run("e2label", &[&self.device, label]));
    }

    pub(super) fn read_label(&self) -> String {
        let words = ["-p", "-o", "value", "-s", "LABEL", &self.device];
        let output = Command::new("blkid").args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The public keys in `/etc/ssh` are no longer those of `sshd`.
    pub(super) fn forge_public_host_keys(&self) {
        let file = self.folder.path().join("etc-ssh/ssh_host_ed25519_key.pub");
        let other = std::fs::read_to_string(self.folder.path().join("client_key.pub")).unwrap();
        std::fs::write(file, other).unwrap();
    }

    /// As a door leaves it that is killed.
    pub(super) fn leave_a_dead_door(&self, id: &str) {
        let record = self.folder.path().join("run").join(format!("sync-{id}"));
        std::fs::create_dir_all(&record).unwrap();
        std::fs::write(record.join("pid"), "4194303 1\n").unwrap();
        let keys = self.in_home(".ssh/authorized_keys");
        let text = std::fs::read_to_string(&keys).unwrap();
        std::fs::write(&keys, format!("{text}restrict {THEIRS} lastgood-sync-{id}\n")).unwrap();
    }

    pub(super) fn unmount(&self) {
        // The host has a mount table of its own, with this mount in it.
        // The other host's mount table may keep the file system alive.
        run("sync", &[]);
        let path = self.disk.display().to_string();
        assert!(run(
            "ssh",
            &[
                "-F",
                &self.folder.path().join("client").display().to_string(),
                &format!("root@{}", self.address),
                "umount",
                &path
            ]
        ));
        assert!(run("umount", &[&path]));
    }

    pub(super) fn mount(&self) {
        assert!(run("mount", &[&self.device, &self.disk.display().to_string()]));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
        // Sessions that are left over are children of another `sshd`.
        let pids = Command::new("ip").args(["netns", "pids", self.name]).output().unwrap();
        for pid in String::from_utf8_lossy(&pids.stdout).split_whitespace() {
            run("kill", &["-9", pid]);
        }
        run("ip", &["netns", "del", self.name]);
        let path = self.disk.display().to_string();
        run("umount", &["-l", &path]);
        run("losetup", &["-d", &self.device]);
    }
}

fn disk(folder: &Path, kind: &str) -> (PathBuf, String) {
    let (image, disk) = (folder.join("image"), folder.join("disk"));
    std::fs::File::create(&image).unwrap().set_len(BYTES).unwrap();
    assert!(run(&format!("/sbin/mkfs.{kind}"), &["-q", &image.display().to_string()]));
    let output = Command::new("losetup").args(["-f", "--show"]).arg(&image).output().unwrap();
    let device = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    std::fs::create_dir(&disk).unwrap();
    assert!(run("mount", &[&device, &disk.display().to_string()]));
    (disk, device)
}

/// An `sshd` in the namespace, with a home and an `/etc/ssh` of its own.
fn sshd(name: &str, folder: &Path) -> Child {
    let at = |name: &str| folder.join(name).display().to_string();
    for name in ["home/.ssh", "etc-ssh", "run"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let key = |file: &str| assert!(run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &at(file)]));
    key("etc-ssh/ssh_host_ed25519_key");
    key("client_key");
    let client = std::fs::read_to_string(folder.join("client_key.pub")).unwrap();
    let keys = format!("{THEIRS}\n{client}");
    std::fs::write(folder.join("own_keys"), &keys).unwrap();
    std::fs::write(folder.join("home/.ssh/authorized_keys"), keys).unwrap();
    let public = std::fs::read_to_string(folder.join("etc-ssh/ssh_host_ed25519_key.pub")).unwrap();
    std::fs::write(folder.join("known"), format!("* {public}")).unwrap();
    let (identity, known) = (at("client_key"), at("known"));
    let text = format!(
        "Host *\n  IdentityFile {identity}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n"
    );
    std::fs::write(folder.join("client"), text).unwrap();
    let config = "HostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\n";
    std::fs::write(folder.join("etc-ssh/sshd_config"), config).unwrap();
    for folder in ["/run/sshd", RECORDS] {
        let _ = std::fs::create_dir_all(folder);
    }
    let begin = format!(
        "mount --make-rprivate / && mount --bind {} /root && mount --bind {} /etc/ssh && mount --bind {} {RECORDS} \
         && exec /usr/sbin/sshd -D -e",
        at("home"),
        at("etc-ssh"),
        at("run")
    );
    let log = std::fs::File::create(folder.join("sshd.log")).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name, "unshare", "-m", "sh", "-c", &begin]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn run(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
