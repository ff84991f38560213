//! Holds instances still for the snapshot verb: finds the host of an instance and the file systems on its volumes.

use backup_core::failure::Setting;
use backup_core::remedy;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backup_core::progress::SharedProgress;

use super::error::FreezeError;
use super::held::{Held, Request, Thawed, survey};
use super::hooks::Hooks;
use super::survey::Lies;
use crate::error::{Ec2Error, Ec2Result};
use crate::host::Shell;
use crate::host::adapters::{Process, SshOptions};
use crate::model::{Instance, InstanceState};
use crate::ports::{Consistency, Frozen, Quiesce};

/// Makes the shell of an instance that Systems Manager reaches.
pub type ThroughSystemsManager = dyn Fn(&Instance) -> Arc<dyn Shell> + Send + Sync;

/// How instances are reached.
#[derive(Clone)]
pub enum Reach {
    /// The instance is this machine. Files of ours that must not be frozen.
    Local(Vec<String>),
    /// Through `ssh`, by the address of the instance or one that is given.
    Ssh {
        /// Who logs in; by `ssh`'s own configuration without it.
        user: Option<String>,
        /// Another name for the host, where there is one instance.
        address: Option<String>,
        /// How `ssh` is called.
        options: SshOptions,
    },
    /// Through Systems Manager.
    SystemsManager(Arc<ThroughSystemsManager>),
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local(_) => "Local",
            Self::Ssh { .. } => "Ssh",
            Self::SystemsManager(_) => "SystemsManager",
        })
    }
}

impl Reach {
    /// The shell of `instance`.
    ///
    /// # Errors
    /// [`FreezeError::Usage`] if it has no address.
    pub fn shell(&self, instance: &Instance) -> Result<Arc<dyn Shell>, FreezeError> {
        match self {
            Self::Local(kept) => Ok(Arc::new(Process::local(kept.clone()))),
            Self::SystemsManager(make) => Ok(make(instance)),
            Self::Ssh { user, address, options } => {
                let known = address.as_ref().or(instance.public_address.as_ref()).or(instance.private_address.as_ref());
                let Some(address) = known else {
                    let id = &instance.id;
                    return Err(FreezeError::Usage {
                        what: format!("`{id}` has no address"),
                        help: remedy!["name one with ", Setting::Via.with("ssh:HOST")],
                    });
                };
                let destination = match user {
                    Some(user) => format!("{user}@{address}"),
                    None => address.clone(),
                };
                Ok(Arc::new(Process::ssh(destination, options.clone())))
            }
        }
    }
}

/// Freezes file systems of instances.
#[derive(Clone, Debug)]
pub struct Freezer {
    /// How instances are reached.
    pub reach: Reach,
    /// Mount points; those on the volumes of the instance without them, but for its root volume.
    pub mounts: Vec<String>,
    /// How long they may stay frozen.
    pub deadline: Duration,
    /// What runs around it, for [`Consistency::App`].
    pub hooks: Hooks,
    /// Who freezes, for people who find the record.
    pub by: String,
    /// Is told of a hook that failed after the freeze, which leaves the snapshots as good as they are.
    pub progress: SharedProgress,
}

impl Freezer {
    async fn request(
        &self,
        shell: &dyn Shell,
        instance: &Instance,
        level: Consistency,
    ) -> Result<Request, FreezeError> {
        let hooks = match level {
            Consistency::App if self.hooks.is_empty() => {
                let help = remedy!["name one with ", Setting::HookBefore, " or ", Setting::HookAfter];
                return Err(FreezeError::Usage { what: "`app` needs a hook".to_owned(), help });
            }
            Consistency::App => self.hooks.clone(),
            Consistency::Crash | Consistency::Fs => Hooks { limit: self.hooks.limit, ..Hooks::default() },
        };
        let mounts = if self.mounts.is_empty() { self.found(shell, instance).await? } else { self.mounts.clone() };
        let request = Request::of(shell, &mounts, self.deadline, hooks, self.by.clone()).await?;
        if !self.mounts.is_empty() {
            self.check_named(shell, instance).await?;
        }
        Ok(request)
    }

    /// Refuses mount points that were named and are on no volume of `instance`: freezing them makes no snapshot consistent.
    async fn check_named(&self, shell: &dyn Shell, instance: &Instance) -> Result<(), FreezeError> {
        let devices = instance.devices.iter();
        let volumes: Vec<(String, String)> =
            devices.map(|device| (device.volume.to_string(), device.name.clone())).collect();
        let survey = survey(shell, &self.mounts).await?;
        for asked in &survey.asked {
            let (path, host, id) = (&asked.path, shell.host(), &instance.id);
            match survey.lies(path, &volumes) {
                // Of what has no disk it is said why it cannot be frozen.
                Lies::There | Lies::Nowhere => {}
                Lies::Elsewhere => {
                    return Err(FreezeError::Usage {
                        what: format!(
                            "`{path}` on {host} is on none of the volumes of `{id}`: freezing it would make no snapshot of them \
                             consistent"
                        ),
                        help: remedy![
                            "name a mount point that is on one with ",
                            Setting::Freeze,
                            ", or leave the option out: every data volume's is frozen then"
                        ],
                    });
                }
                Lies::Unclear => self.progress.warn(format!(
                    "it cannot be seen whether `{path}` on {host} is on a volume of `{id}`: if it is not, the snapshots are no \
                     more consistent for the freeze"
                )),
            }
        }
        Ok(())
    }

    /// The mount points on the data volumes of `instance`. The root volume is never frozen.
    async fn found(&self, shell: &dyn Shell, instance: &Instance) -> Result<Vec<String>, FreezeError> {
        let data = instance.devices.iter().filter(|device| Some(&device.name) != instance.root_device.as_ref());
        let volumes: Vec<(String, String)> =
            data.map(|device| (device.volume.to_string(), device.name.clone())).collect();
        let mounts = survey(shell, &[]).await?.mounts_of_volumes(&volumes);
        if mounts.is_empty() {
            let volumes: Vec<&str> = volumes.iter().map(|(id, _)| id.as_str()).collect();
            let volumes = if volumes.is_empty() { "a data volume".to_owned() } else { volumes.join(", ") };
            return Err(FreezeError::Nothing { host: shell.host().to_owned(), volumes });
        }
        Ok(mounts)
    }
}

/// An instance that does not run writes nothing: its system unmounted everything when it stopped.
fn is_still(instance: &Instance) -> bool {
    instance.state == InstanceState::Stopped
}

#[async_trait]
impl Quiesce for Freezer {
    async fn check(&self, instance: &Instance, level: Consistency) -> Ec2Result<()> {
        if level == Consistency::Crash || is_still(instance) {
            return Ok(());
        }
        let shell = self.reach.shell(instance)?;
        self.request(&*shell, instance, level).await?;
        Ok(())
    }

    async fn freeze(&self, instance: &Instance, level: Consistency) -> Ec2Result<Box<dyn Frozen>> {
        if is_still(instance) {
            return Ok(Box::new(Stopped));
        }
        let shell = self.reach.shell(instance)?;
        let request = self.request(&*shell, instance, level).await?;
        let shell_host = shell.host().to_owned();
        let held = Held::freeze(shell, &request).await?;
        Ok(Box::new(Frost { held, level, host: shell_host, progress: self.progress.clone() }))
    }
}

#[derive(Debug)]
struct Frost {
    held: Held,
    level: Consistency,
    host: String,
    progress: SharedProgress,
}

#[async_trait]
impl Frozen for Frost {
    fn left(&self) -> Duration {
        self.held.left()
    }

    async fn thaw(self: Box<Self>) -> Ec2Result<Consistency> {
        let thawed = self.held.thaw().await;
        if let Ok(Thawed { hook_failed: true, .. }) = thawed {
            let host = &self.host;
            self.progress.warn(format!("the hook after the freeze failed on {host}; run it there by hand"));
        }
        match thawed {
            Ok(thawed) if thawed.held => Ok(self.level),
            Ok(_) => Ok(Consistency::Crash),
            // The watchdog thaws; whether it did so before the snapshots were begun is not known.
            Err(FreezeError::Lost { .. }) => Ok(Consistency::Crash),
            Err(error) => Err(Ec2Error::from(error)),
        }
    }
}

/// Nothing writes: as good as frozen, but no hook ran.
#[derive(Debug)]
struct Stopped;

#[async_trait]
impl Frozen for Stopped {
    fn left(&self) -> Duration {
        Duration::MAX
    }

    async fn thaw(self: Box<Self>) -> Ec2Result<Consistency> {
        Ok(Consistency::Fs)
    }
}
