//! One run: what it makes, and how all of that is removed.

use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use backup_core::run::Run;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::options::TransferOptions;
use crate::error::{Ec2Error, Ec2Result};
use crate::host::HostError;
use crate::model::{Region, Tags, VolumeId};
use crate::ports::Cloud;
use crate::temporary::{self, Beacon, Leftover, Thing};

/// One run.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) id: String,
    pub(super) cloud: &'a dyn Cloud,
    pub(super) options: &'a TransferOptions,
    pub(super) run: &'a Run,
    beacon: Beacon,
    regions: Vec<Region>,
    made: Mutex<BTreeSet<(Region, Thing)>>,
    number: AtomicU32,
}

impl<'a> Session<'a> {
    pub(super) fn begin(
        cloud: &'a dyn Cloud,
        options: &'a TransferOptions,
        regions: Vec<Region>,
        run: &'a Run,
    ) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            cloud,
            options,
            run,
            beacon: Beacon::start(regions.iter().map(|region| cloud.machines(region)).collect()),
            regions,
            made: Mutex::default(),
            number: AtomicU32::new(0),
        }
    }

    /// Tags of what this run makes.
    pub(super) fn tags(&self) -> Tags {
        temporary::tags(&self.id)
    }

    /// A client token that no other request of any run has.
    pub(super) fn token(&self) -> String {
        format!("{}-{}", self.id, self.number.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes what was made.
    pub(super) fn note(&self, region: &Region, thing: Thing) {
        match &thing {
            Thing::Instance(id) => self.beacon.add(region, id),
            Thing::Volume(id) => self.beacon.add(region, id),
            Thing::SecurityGroup(id) => self.beacon.add(region, id),
            Thing::KeyPair(_) => {}
        }
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert((region.clone(), thing));
    }

    fn forget(&self, one: &Leftover) {
        match &one.thing {
            Thing::Instance(id) => self.beacon.forget(&one.region, id.as_str()),
            Thing::Volume(id) => self.beacon.forget(&one.region, id.as_str()),
            Thing::SecurityGroup(id) => self.beacon.forget(&one.region, id),
            Thing::KeyPair(_) => {}
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.remove(&(one.region.clone(), one.thing.clone()));
    }

    fn leftover(&self, region: &Region, thing: Thing) -> Leftover {
        Leftover { region: region.clone(), thing, run: self.id.clone(), beat: String::new() }
    }

    /// The same run for clearing up, which goes on when the run was cancelled.
    fn clearing(&self) -> Run {
        Run { cancel: CancellationToken::new(), ..self.run.clone() }
    }

    /// Removes volumes of this run.
    pub(super) async fn discard(&self, region: &Region, volumes: &[&VolumeId]) -> Ec2Result<()> {
        let things: Vec<Leftover> =
            volumes.iter().map(|id| self.leftover(region, Thing::Volume((*id).clone()))).collect();
        for one in &things {
            self.forget(one);
        }
        temporary::remove(self.cloud, region, &things, &self.clearing()).await
    }

    /// Removes what this run has made, except the volumes `kept`, and says what could not be removed.
    pub(super) async fn remove(&self, kept: &BTreeSet<VolumeId>) -> Vec<String> {
        let mut left = Vec::new();
        for region in &self.regions {
            if let Err(error) = self.remove_in(region, kept).await {
                left.push(format!("{region}: {error}"));
            }
        }
        left
    }

    async fn remove_in(&self, region: &Region, kept: &BTreeSet<VolumeId>) -> Ec2Result<()> {
        let run = self.clearing();
        let mut things = temporary::of_region(self.cloud, region, Some(&self.id), &run).await?;
        // What was made a moment ago may not be listed yet.
        let made: Vec<(Region, Thing)> =
            self.made.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let unlisted = made.into_iter().filter(|(own, _)| own == region);
        for one in unlisted.map(|(_, thing)| self.leftover(region, thing)) {
            if !things.iter().any(|other| other.thing == one.thing) {
                things.push(one);
            }
        }
        things.retain(|one| !matches!(&one.thing, Thing::Volume(id) if kept.contains(id)));
        for one in &things {
            self.forget(one);
        }
        temporary::remove(self.cloud, region, &things, &run).await
    }
}

/// The key of this run for its instances, in a folder that goes with it.
#[derive(Debug)]
pub(super) struct Keys {
    folder: PathBuf,
    pub(super) public: String,
}

impl Keys {
    pub(super) async fn make(session: &Session<'_>) -> Ec2Result<Self> {
        let folder = std::env::temp_dir().join(temporary::name(&session.id));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|source| failed("create", &folder, source))?;
        let mut keys = Self { folder, public: String::new() };
        let path = keys.private();
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", "lastgood", "-f"]).arg(&path).stdin(Stdio::null());
        let made = command.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
        if !made.is_ok_and(|status| status.success()) {
            let (host, tool) = ("this machine".to_owned(), "ssh-keygen".to_owned());
            return Err(HostError::Tool { host, tool }.into());
        }
        let public = path.with_extension("pub");
        keys.public = std::fs::read_to_string(&public).map_err(|source| failed("read", &public, source))?;
        Ok(keys)
    }

    /// Where the private key is.
    pub(super) fn private(&self) -> PathBuf {
        self.folder.join("key")
    }

    /// Writes the host keys of `address`, and says where.
    pub(super) fn known(&self, name: &str, address: &str, host_keys: &[String]) -> Ec2Result<PathBuf> {
        let path = self.folder.join(format!("known-{name}"));
        let lines: Vec<String> = host_keys.iter().map(|key| format!("{address} {key}\n")).collect();
        std::fs::write(&path, lines.concat()).map_err(|source| failed("write", &path, source))?;
        Ok(path)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // If it stays, whoever removes what a dead run left removes it.
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> Ec2Error {
    Ec2Error::Io { action, path: path.display().to_string(), source }
}
