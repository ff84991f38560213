//! Machines on this machine: network namespaces with a cable between them, each with an `sshd`, a home, an `/etc/ssh` and a
//! `/dev` of its own, whose disks are loop devices. What the fake of EC2 starts then can be logged in to.

mod disk;
mod machine;
mod program;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use self::disk::LoopDisk;
use self::machine::Machine;
use self::program::run;
use crate::ec2_fake::content::Content;
use crate::ec2_fake::hardware::{Disk, Hardware};

/// What has to be installed.
const PROGRAMS: [&str; 8] = ["ip", "losetup", "unshare", "mkfs.ext4", "rsync", "ssh-keygen", "/usr/sbin/sshd", "blkid"];

/// Networks tried before giving up: `10.214.0.0/24` and so on.
const NETWORKS: u8 = 200;

/// Machines and disks, until it is dropped.
#[derive(Debug)]
pub struct Namespaces {
    folder: TempDir,
    network: u8,
    /// Where every machine has a folder of its own.
    records: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    machines: BTreeMap<String, Machine>,
    disks: BTreeMap<String, LoopDisk>,
    number: u8,
}

impl Namespaces {
    /// A network without machines. Each machine has its own folder at `records`.
    ///
    /// # Errors
    /// What is missing here: root, programs, network namespaces.
    pub fn new(records: &Path) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces need root".to_owned());
        }
        if let Some(missing) = PROGRAMS.iter().find(|program| !run("sh", &["-c", &format!("command -v {program}")])) {
            return Err(format!("`{missing}` is missing"));
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let begin = u8::try_from(std::process::id() % u32::from(NETWORKS)).unwrap_or(0);
        let is_made = |network: &u8| run("ip", &["link", "add", &bridge(*network), "type", "bridge"]);
        let network = (0..NETWORKS).map(|at| begin.wrapping_add(at) % NETWORKS).find(is_made);
        let network = network.ok_or("no network can be made")?;
        let made = Self { folder, network, records: records.to_owned(), state: Mutex::default() };
        let (bridge, own) = (bridge(network), made.address(1));
        if !(run("ip", &["addr", "add", &format!("{own}/24"), "dev", &bridge])
            && run("ip", &["link", "set", &bridge, "up"]))
        {
            return Err("the network has no address".to_owned());
        }
        Ok(made)
    }

    fn address(&self, number: u8) -> String {
        format!("10.214.{}.{number}", self.network)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A configuration for `ssh` by which the machine is reached as its owner would: with a key that is let in, and its
    /// host key known.
    ///
    /// # Errors
    /// If there is no such machine.
    pub fn ssh_config(&self, instances: &[&str]) -> Result<PathBuf, String> {
        let state = self.state();
        let mut text = String::new();
        for instance in instances {
            let machine = state.machines.get(*instance).ok_or("there is no such machine")?;
            text.push_str(&machine.ssh_config(self.folder.path())?);
        }
        let path = self.folder.path().join("ssh_config");
        std::fs::write(&path, text).map_err(|error| error.to_string())?;
        Ok(path)
    }

    /// What is in the folder of records of a machine, and the lines of its `authorized_keys`.
    #[must_use]
    pub fn left_on(&self, instance: &str) -> Option<(Vec<String>, Vec<String>)> {
        self.state().machines.get(instance).map(Machine::left)
    }

    /// Has `change` write to a file system that `make` makes on a disk of `gib` GiB, and returns what is on the disk then.
    ///
    /// # Errors
    /// What cannot be done.
    pub fn filled(
        &self,
        gib: u64,
        make: &[&str],
        change: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> Result<Content, String> {
        let name = format!("made-{}", uuid::Uuid::now_v7());
        let disk = Disk { id: &name, size: gib, content: &Content::default() };
        LoopDisk::new(self.folder.path(), &disk)?.fill(make, change)
    }

    /// Has `look` read what is on a volume with this content: where it is mounted, and its image.
    ///
    /// # Errors
    /// What cannot be done.
    pub fn looked_at<T>(&self, gib: u64, content: &Content, look: impl FnOnce(&Path, &str) -> T) -> Result<T, String> {
        let name = format!("seen-{}", uuid::Uuid::now_v7());
        LoopDisk::new(self.folder.path(), &Disk { id: &name, size: gib, content })?.look(look)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let mut state = self.state();
        state.machines.clear();
        state.disks.clear();
        drop(state);
        run("ip", &["link", "del", &bridge(self.network)]);
    }
}

impl Hardware for Namespaces {
    fn boot(&self, instance: &str, public_key: Option<&str>) -> Result<String, String> {
        let mut state = self.state();
        state.number =
            state.number.checked_add(1).filter(|number| *number < 250).ok_or("there are too many machines")?;
        let address = self.address(state.number + 1);
        let name = format!("lg{}n{}", self.network, state.number);
        let folder = self.folder.path().join(instance);
        let machine = Machine::boot(&name, &bridge(self.network), &address, folder, &self.records, public_key)?;
        state.machines.insert(instance.to_owned(), machine);
        Ok(address)
    }

    fn console(&self, instance: &str) -> Option<String> {
        self.state().machines.get(instance).map(Machine::console)
    }

    fn halt(&self, instance: &str) {
        let mut state = self.state();
        state.machines.remove(instance);
        for disk in state.disks.values_mut().filter(|disk| disk.is_on(instance)) {
            disk.detach();
        }
    }

    fn attach(&self, volume: &Disk<'_>, instance: &str, device: &str) -> Result<(), String> {
        let mut state = self.state();
        let State { machines, disks, .. } = &mut *state;
        let Some(machine) = machines.get(instance) else { return Ok(()) };
        if !disks.contains_key(volume.id) {
            disks.insert(volume.id.to_owned(), LoopDisk::new(self.folder.path(), volume)?);
        }
        let disk = disks.get_mut(volume.id).ok_or("there is no such disk")?;
        // As Xen does: `/dev/sdf` is `/dev/xvdf` on the machine.
        let name = device.trim_start_matches("/dev/").replacen("sd", "xvd", 1);
        disk.attach(instance, &machine.devices().join(name))
    }

    fn detach(&self, volume: &str) -> bool {
        self.state().disks.get_mut(volume).is_none_or(LoopDisk::detach)
    }

    fn content(&self, volume: &str) -> Option<Content> {
        self.state().disks.get(volume)?.content().ok()
    }

    fn forget(&self, volume: &str) {
        self.state().disks.remove(volume);
    }
}

fn bridge(network: u8) -> String {
    format!("lgbr{network}")
}
