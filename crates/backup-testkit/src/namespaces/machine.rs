//! A machine: a network namespace with an `sshd`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::program::{printed, run};

/// A key that was there before, and has to be there afterwards.
const THEIRS: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtlcHRrZXB0a2VwdGtlcHRrZXB0a2VwdGtlcHRrZXB0 theirs";

/// A running machine; dropping it ends all that runs there.
#[derive(Debug)]
pub(super) struct Machine {
    name: String,
    address: String,
    folder: PathBuf,
    sshd: Child,
}

impl Machine {
    /// Starts it, and does not wait until it answers.
    pub(super) fn boot(
        name: &str,
        bridge: &str,
        address: &str,
        folder: PathBuf,
        records: &Path,
        key: Option<&str>,
    ) -> Result<Self, String> {
        network(name, bridge, address)?;
        let said = |error: std::io::Error| error.to_string();
        for name in ["home/.ssh", "etc-ssh", "run", "dev/pts", "dev/shm"] {
            std::fs::create_dir_all(folder.join(name)).map_err(said)?;
        }
        generate(&folder.join("etc-ssh/ssh_host_ed25519_key"))?;
        let keys = format!("{THEIRS}\n{}\n", key.unwrap_or_default().trim());
        std::fs::write(folder.join("home/.ssh/authorized_keys"), keys).map_err(said)?;
        let config = "HostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin prohibit-password\nMaxStartups 100\n\
                      PasswordAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\n";
        std::fs::write(folder.join("etc-ssh/sshd_config"), config).map_err(said)?;
        for folder in [Path::new("/run/sshd"), records] {
            std::fs::create_dir_all(folder).map_err(said)?;
        }
        let log = std::fs::File::create(folder.join("sshd.log")).map_err(said)?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name, "unshare", "-m", "sh", "-c", &begin(&folder, records)]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let sshd = command.spawn().map_err(said)?;
        Ok(Self { name: name.to_owned(), address: address.to_owned(), folder, sshd })
    }

    /// Where its devices are, seen from outside.
    pub(super) fn devices(&self) -> PathBuf {
        self.folder.join("dev")
    }

    fn host_key(&self) -> String {
        let key = std::fs::read_to_string(self.folder.join("etc-ssh/ssh_host_ed25519_key.pub")).unwrap_or_default();
        key.trim().to_owned()
    }

    /// As cloud-init prints it.
    pub(super) fn console(&self) -> String {
        format!(
            "[    0.000000] Linux version\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{} root@{}\r\n\
             -----END SSH HOST KEY KEYS-----\r\n",
            self.host_key(),
            self.name
        )
    }

    pub(super) fn left(&self) -> (Vec<String>, Vec<String>) {
        let entries = std::fs::read_dir(self.folder.join("run")).into_iter().flatten().flatten();
        let keys = std::fs::read_to_string(self.folder.join("home/.ssh/authorized_keys")).unwrap_or_default();
        let files = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        (files, keys.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    pub(super) fn ssh_config(&self, folder: &Path) -> Result<String, String> {
        let said = |error: std::io::Error| error.to_string();
        let (identity, known) =
            (folder.join(format!("client-{}", self.name)), folder.join(format!("known-{}", self.name)));
        if !identity.exists() {
            generate(&identity)?;
            let public = std::fs::read_to_string(folder.join(format!("client-{}.pub", self.name))).map_err(said)?;
            let keys = self.folder.join("home/.ssh/authorized_keys");
            let before = std::fs::read_to_string(&keys).map_err(said)?;
            std::fs::write(&keys, format!("{}\n{public}", before.trim_end())).map_err(said)?;
        }
        std::fs::write(&known, format!("{} {}\n", self.address, self.host_key())).map_err(said)?;
        Ok(format!(
            "Host {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n",
            self.address,
            identity.display(),
            known.display()
        ))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ended = self.sshd.kill();
        let _ended = self.sshd.wait();
        // Sessions and what they have started are children of others, and may start more meanwhile.
        for _ in 0..50 {
            let pids = printed("ip", &["netns", "pids", &self.name]).unwrap_or_default();
            if pids.is_empty() {
                break;
            }
            let words: Vec<&str> = std::iter::once("-9").chain(pids.split_whitespace()).collect();
            run("kill", &words);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        run("ip", &["netns", "del", &self.name]);
    }
}

/// The program that becomes the machine's `sshd`: it sees its own folders instead of those of this machine.
fn begin(folder: &Path, records: &Path) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        "cd {dev} && cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty . && ln -s pts/ptmx ptmx \
         && ln -s /proc/self/fd fd && cd / && mount --make-rprivate / && mount --bind /dev/pts {dev}/pts \
         && mount --rbind {dev} /dev && mount --bind {home} /root && mount --bind {ssh} /etc/ssh \
         && mount --bind {run} {records} && exec /usr/sbin/sshd -D -e",
        dev = at("dev"),
        home = at("home"),
        ssh = at("etc-ssh"),
        run = at("run"),
        records = records.display(),
    )
}

fn network(name: &str, bridge: &str, address: &str) -> Result<(), String> {
    run("ip", &["netns", "del", name]);
    let (inside, outside) = (format!("{name}i"), format!("{name}o"));
    let address = format!("{address}/24");
    for words in [
        vec!["netns", "add", name],
        vec!["link", "add", &outside, "type", "veth", "peer", "name", &inside, "netns", name],
        vec!["link", "set", &outside, "master", bridge, "up"],
        vec!["-n", name, "addr", "add", &address, "dev", &inside],
        vec!["-n", name, "link", "set", &inside, "up"],
        vec!["-n", name, "link", "set", "lo", "up"],
    ] {
        if !run("ip", &words) {
            return Err(format!("`ip {}` failed", words.join(" ")));
        }
    }
    Ok(())
}

fn generate(path: &Path) -> Result<(), String> {
    let made = run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &path.display().to_string()]);
    made.then_some(()).ok_or_else(|| "ssh-keygen failed".to_owned())
}
