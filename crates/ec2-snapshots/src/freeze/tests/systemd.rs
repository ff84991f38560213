//! The watchdog as a unit of systemd, which is what hosts in EC2 have: systemd is booted as the first process of namespaces
//! of its own, with none of this machine's units.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says why")]

use std::process::{Child, Output};
use std::time::Instant;

use super::disk::{ends_within, gone_within, record_of};
use super::*;
use crate::host::adapters::SshOptions;

const SYSTEMD: &str = "/lib/systemd/systemd";
const SOON: Duration = Duration::from_secs(8);

/// Boots it. `SYSTEMD_UNIT_PATH` keeps every unit of this machine away: one of them empties `/tmp` at boot.
const BOOT: &str = r#"
set -e
mkdir -p /run/lastgood "$1/records"
mount --bind /run/lastgood "$1/records"
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/lastgood /run/units /run/systemd/system
mount --bind "$1/records" /run/lastgood
for unit in lastgood-test sysinit basic shutdown; do
  printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$unit" >"/run/units/$unit.target"
done
exec env -i container=lastgood SYSTEMD_UNIT_PATH=/run/units:/run/systemd/transient PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  "$2" --system --unit=lastgood-test.target
"#;

/// What `ssh` would do on another host: its last argument is the command.
const ENTER: &str = "#!/bin/sh\nfor last; do :; done\nexec nsenter -t PID -p -m -i -u -C sh -c \"$last\"\n";

/// A machine whose first process is systemd. It ends with all its processes.
#[derive(Debug)]
struct Booted {
    unshare: Child,
    /// Of systemd, as this machine counts.
    pid: u32,
    folder: tempfile::TempDir,
}

impl Booted {
    /// None where it cannot be booted, and then it says why.
    fn new() -> Option<Self> {
        if !std::path::Path::new(SYSTEMD).exists() {
            eprintln!("not run: there is no systemd");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut unshare = std::process::Command::new("unshare")
            .args(["--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup", "--kill-child", "sh", "-c", BOOT, "sh"])
            .arg(folder.path())
            .arg(SYSTEMD)
            .stdin(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let begin = Instant::now();
        while begin.elapsed() < SOON {
            let child = std::fs::read_to_string(&children).ok().and_then(|text| text.trim().parse().ok());
            if let Some(pid) = child {
                let is_booted = inside(pid, "systemctl is-system-running");
                if String::from_utf8_lossy(&is_booted.stdout).trim() == "running" {
                    return Some(Self { unshare, pid, folder });
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        unshare.kill().unwrap();
        unshare.wait().unwrap();
        eprintln!("not run: systemd does not boot in namespaces here");
        None
    }

    fn run(&self, command: &str) -> Output {
        inside(self.pid, command)
    }

    /// A shell there, of a session that is no child of systemd's, like one of `sshd`.
    fn shell(&self) -> Arc<Here> {
        let path = self.folder.path().join("ssh");
        std::fs::write(&path, ENTER.replace("PID", &self.pid.to_string())).unwrap();
        let command = ["sh".to_owned(), path.display().to_string()].into();
        let process = Process::ssh("booted", SshOptions { command, sudo: false });
        Arc::new(Here { process, at: None, only_at_the_end: false })
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // `--kill-child` ends systemd, and the end of a first process ends all others.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

fn inside(pid: u32, command: &str) -> Output {
    let target = pid.to_string();
    let mut enter = std::process::Command::new("nsenter");
    enter.args(["-t", &target, "-p", "-m", "-i", "-u", "-C", "sh", "-c", command]);
    enter.stdin(std::process::Stdio::null()).output().unwrap()
}

fn unit_of(disk: &LoopDisk) -> String {
    let record = record_of(&disk.path()).unwrap();
    let id = record.file_name().unwrap().to_str().unwrap().strip_prefix("freeze-").unwrap().to_owned();
    format!("lastgood-thaw-{id}.service")
}

#[tokio::test(flavor = "multi_thread")]
async fn under_systemd_the_watchdog_is_a_unit_that_outlives_the_session() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("ext4") else { return };
    let Some(booted) = Booted::new() else { return };
    let held = Held::freeze(booted.shell(), &asked(&[&disk], 60, Hooks::default()).await).await.unwrap();
    let unit = unit_of(&disk);
    assert!(booted.run(&format!("systemctl is-active {unit}")).status.success(), "{unit} is not active");
    let watchdog = std::fs::read_to_string(record_of(&disk.path()).unwrap().join("armed")).unwrap();
    let group = booted.run(&format!("cat /proc/{}/cgroup", watchdog.trim())).stdout;
    let group = String::from_utf8(group).unwrap();
    assert!(group.contains(&unit), "the watchdog is in {group}");

    let mut writer = disk.writer();
    assert!(!ends_within(&mut writer, Duration::from_millis(300)), "it was not frozen");
    // The end of a session: everything in it is killed at once, whatever it has started.
    let record = std::fs::read_to_string(record_of(&disk.path()).unwrap().join("record")).unwrap();
    let program = record.lines().find_map(|line| line.strip_prefix("pid ")?.split(' ').next()).unwrap().to_owned();
    assert!(booted.run(&format!("kill -9 -- -{program} || kill -9 {program}")).status.success());
    assert!(ends_within(&mut writer, SOON), "it stayed frozen");
    assert!(gone_within(&disk.path(), SOON), "its record is left");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_systemd_nothing_is_left_of_a_freeze_that_ended_well() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("xfs") else { return };
    let Some(booted) = Booted::new() else { return };
    let held = Held::freeze(booted.shell(), &asked(&[&disk], 60, Hooks::default()).await).await.unwrap();
    let unit = unit_of(&disk);
    assert!(held.thaw().await.unwrap().held);
    assert!(disk.writes_within(SOON) && gone_within(&disk.path(), SOON));
    let begin = Instant::now();
    while booted.run(&format!("systemctl is-active {unit}")).status.success() {
        assert!(begin.elapsed() < SOON, "{unit} still runs");
        std::thread::sleep(Duration::from_millis(100));
    }
}
