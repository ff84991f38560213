//! The instance at one end: given, or started for a while.

use std::sync::Arc;
use std::time::Duration;

use super::session::{Keys, Session};
use super::wait;
use crate::ask;
use crate::error::{Ec2Error, Ec2Result};
use crate::host::adapters::{Process, SshOptions};
use crate::host::{Script, Shell};
use crate::lineage;
use crate::listing;
use crate::model::{Instance, InstanceId, InstanceState, Region};
use crate::ports::{Filter, Machines, RunInstance};
use crate::temporary::{self, Thing};

/// How long an instance may take to run.
const RUNS_WITHIN: Duration = Duration::from_secs(600);

/// How long it may take to print its host keys.
const PRINTS_WITHIN: Duration = Duration::from_secs(900);

/// How long it may take to be logged in to after that.
const ANSWERS_WITHIN: Duration = Duration::from_secs(300);

/// How long a security group or key pair may not be known yet.
const KNOWN_WITHIN: Duration = Duration::from_secs(120);

/// An instance ends by itself after as long as the longest copy may take, if nobody is left to end it.
const USER_DATA: &str = "#!/bin/sh\nshutdown -h +10080\n";

/// What encloses the host keys on the console (cloud-init, module `keys_to_console`).
const KEYS_BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
const KEYS_END: &str = "-----END SSH HOST KEY KEYS-----";

/// The instance at one end.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) region: Region,
    pub(super) instance: InstanceId,
    pub(super) zone: String,
    /// Runs programs there, as root.
    pub(super) shell: Arc<dyn Shell>,
    /// How the other one reaches it.
    pub(super) address: String,
    /// Its public address as a number.
    pub(super) ip: Option<String>,
    /// Its security group, if it was made for it.
    group: Option<String>,
}

impl Host {
    /// The instance as it is now.
    pub(super) async fn described(&self, session: &Session<'_>) -> Ec2Result<Instance> {
        let found = described(session, &self.region, &self.instance).await?;
        let what = format!("instance `{}`", self.instance);
        found.ok_or_else(|| Ec2Error::NotFound { what, region: self.region.clone() })
    }

    /// Lets `other` reach it, if its security group is ours.
    pub(super) async fn admit(&self, other: &Self, session: &Session<'_>) -> Ec2Result<()> {
        let (Some(group), Some(ip)) = (&self.group, &other.ip) else { return Ok(()) };
        allow(&*session.cloud.machines(&self.region), group, &format!("{ip}/32"), session).await
    }

    /// An instance that is there.
    pub(super) async fn given(session: &Session<'_>, region: &Region, id: &InstanceId) -> Ec2Result<Self> {
        let found = described(session, region, id).await?;
        let what = format!("instance `{id}`");
        let instance = found.ok_or_else(|| Ec2Error::NotFound { what, region: region.clone() })?;
        let address = instance.public_address.clone().or_else(|| instance.private_address.clone());
        let (InstanceState::Running, Some(address)) = (instance.state, address) else {
            return Err(Ec2Error::Machine { what: format!("instance {id} in {region} does not run") });
        };
        let access = &session.options.access;
        let shell = Process::ssh(format!("{}@{address}", access.user), access.ssh.clone());
        Ok(Self {
            region: region.clone(),
            instance: id.clone(),
            zone: instance.zone,
            shell: Arc::new(shell),
            address,
            ip: instance.public_ip,
            group: None,
        })
    }

    /// An instance of this run, once it can be logged in to.
    pub(super) async fn temporary(session: &Session<'_>, keys: &Keys, region: &Region, image: &str) -> Ec2Result<Self> {
        let (id, group) = start(session, keys, region, image).await?;
        let (instance, ip) = running(session, region, &id).await?;
        let host_keys = printed(session, region, &id).await?;
        let known = keys.known(id.as_str(), &ip, &host_keys)?;
        let access = &session.options.access;
        let mut command = access.ssh.command.clone();
        command.extend(["-i".to_owned(), keys.private().display().to_string()]);
        command.extend(
            ["-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-oGlobalKnownHostsFile=/dev/null"].map(str::to_owned),
        );
        command.push(format!("-oUserKnownHostsFile={}", known.display()));
        let user = &access.temporary_user;
        let options = SshOptions { command, sudo: user != "root" };
        let shell: Arc<dyn Shell> = Arc::new(Process::ssh(format!("{user}@{ip}"), options));
        answers(session, &*shell).await?;
        Ok(Self {
            region: region.clone(),
            instance: id,
            zone: instance.zone,
            shell,
            address: ip.clone(),
            ip: Some(ip),
            group: Some(group),
        })
    }
}

async fn described(session: &Session<'_>, region: &Region, id: &InstanceId) -> Ec2Result<Option<Instance>> {
    let filter = Filter::new("instance-id", [id.as_str()]);
    let found = listing::instances(&*session.cloud.region(region), vec![filter], session.run).await?;
    Ok(found.into_iter().next())
}

/// Starts it with a key and a security group of its own.
async fn start(session: &Session<'_>, keys: &Keys, region: &Region, image: &str) -> Ec2Result<(InstanceId, String)> {
    let machines = session.cloud.machines(region);
    let (name, tags, run) = (temporary::name(&session.id), session.tags(), session.run);
    run.step("transfer.start", region.as_str());
    let group = group(session, &*machines, &name).await?;
    session.note(region, Thing::SecurityGroup(group.clone()));
    if let Some(network) = &session.options.access.network {
        allow(&*machines, &group, network, session).await?;
    }
    match ask::again(run, "a key pair", || machines.import_key(&name, keys.public.trim(), &tags)).await {
        // Ours, whose answer was lost: nobody else knows the name.
        Err(Ec2Error::Refused { source }) if source.is("InvalidKeyPair.Duplicate") => {}
        result => result?,
    }
    session.note(region, Thing::KeyPair(name.clone()));
    let request = RunInstance {
        image: image.to_owned(),
        instance_type: session.options.instance_type.clone(),
        key: name,
        group: group.clone(),
        user_data: USER_DATA.to_owned(),
        tags,
        client_token: session.token(),
    };
    let what = || format!("the security group {group} or the key pair was not known in {region}");
    let id = wait::until(KNOWN_WITHIN, what, run, || async {
        match ask::again(run, "an instance", || machines.run_instance(&request)).await {
            Ok(id) => Ok(Some(id)),
            Err(Ec2Error::Refused { source }) if is_new(&source.code) => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await?;
    session.note(region, Thing::Instance(id.clone()));
    Ok((id, group))
}

/// Whether EC2 does not know yet what was made a moment ago.
fn is_new(code: &str) -> bool {
    ["InvalidGroup.NotFound", "InvalidKeyPair.NotFound"].contains(&code)
}

async fn group(session: &Session<'_>, machines: &dyn Machines, name: &str) -> Ec2Result<String> {
    let tags = session.tags();
    match ask::again(session.run, "a security group", || machines.create_group(name, &tags)).await {
        Err(Ec2Error::Refused { source }) if source.is("InvalidGroup.Duplicate") => {
            let filter = Filter::tag(lineage::TEMPORARY, &session.id);
            let found = listing::groups(machines, vec![filter], session.run).await?;
            found.into_iter().next().map(|group| group.id).ok_or(Ec2Error::Refused { source })
        }
        result => result,
    }
}

async fn allow(machines: &dyn Machines, group: &str, network: &str, session: &Session<'_>) -> Ec2Result<()> {
    let what = || format!("the security group {group} was not known");
    wait::until(KNOWN_WITHIN, what, session.run, || async {
        match ask::again(session.run, group, || machines.allow_ssh(group, network)).await {
            Ok(()) => Ok(Some(())),
            Err(Ec2Error::Refused { source }) if source.is("InvalidPermission.Duplicate") => Ok(Some(())),
            Err(Ec2Error::Refused { source }) if is_new(&source.code) => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await
}

async fn running(session: &Session<'_>, region: &Region, id: &InstanceId) -> Ec2Result<(Instance, String)> {
    let what = || format!("instance {id} in {region} did not run with a public address");
    wait::until(RUNS_WITHIN, what, session.run, || async {
        let Some(instance) = described(session, region, id).await? else { return Ok(None) };
        match (instance.state, instance.public_ip.clone()) {
            (InstanceState::Running, Some(ip)) => Ok(Some((instance, ip))),
            (InstanceState::Pending | InstanceState::Running, _) => Ok(None),
            (state, _) => {
                let what = format!("instance {id} in {region} did not start: it is {state:?}").to_lowercase();
                Err(Ec2Error::Machine { what })
            }
        }
    })
    .await
}

/// The host keys that the instance has printed: from EC2, which nobody on the way to the instance can change.
async fn printed(session: &Session<'_>, region: &Region, id: &InstanceId) -> Ec2Result<Vec<String>> {
    let machines = session.cloud.machines(region);
    let what = || format!("instance {id} in {region} did not print its host keys on its console");
    wait::until(PRINTS_WITHIN, what, session.run, || async {
        let console = ask::again(session.run, id.as_str(), || machines.console(id)).await?;
        Ok(Some(host_keys(&console)).filter(|keys| !keys.is_empty()))
    })
    .await
}

fn host_keys(console: &str) -> Vec<String> {
    // Of several starts the last one counts.
    let Some((_, rest)) = console.rsplit_once(KEYS_BEGIN) else { return Vec::new() };
    let Some((keys, _)) = rest.split_once(KEYS_END) else { return Vec::new() };
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=-@.".contains(&b));
    let key = |line: &str| {
        let mut words = line.split_whitespace();
        let (kind, key) = (words.next()?, words.next()?);
        ((kind.starts_with("ssh-") || kind.starts_with("ecdsa-")) && is_word(kind) && is_word(key))
            .then(|| format!("{kind} {key}"))
    };
    keys.lines().filter_map(key).collect()
}

/// Waits until it can be logged in to as somebody who is root there.
async fn answers(session: &Session<'_>, shell: &dyn Shell) -> Ec2Result<()> {
    let script = Script::new("", "say user \"$(id -u)\"\n");
    let what = || format!("{} could not be logged in to", shell.host());
    let last = std::sync::Mutex::new(String::new());
    let waited = wait::until(ANSWERS_WITHIN, what, session.run, || async {
        match shell.run(&script, Duration::from_secs(60)).await {
            Ok(answer) => Ok(answer.lines().any(|line| line == "lastgood user 0").then_some(())),
            Err(error) => {
                *last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = error.to_string();
                Ok(None)
            }
        }
    });
    waited.await.map_err(|error| match error {
        Ec2Error::Machine { what } => {
            let last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            Ec2Error::Machine { what: format!("{what}: {last}") }
        }
        error => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_keys_of_the_last_start_are_read_and_nothing_else() {
        let console = "boot\r\n-----BEGIN SSH HOST KEY KEYS-----\r\nssh-rsa OLD root@a\r\n-----END SSH HOST KEY KEYS-----\r\n\
             again\r\n-----BEGIN SSH HOST KEY KEYS-----\r\necdsa-sha2-nistp256 AAAA+/= root@b\r\nssh-ed25519 BBBB root@b\r\n\
             evil * ssh-rsa CCCC\r\n-----END SSH HOST KEY KEYS-----\r\n";
        assert_eq!(host_keys(console), ["ecdsa-sha2-nistp256 AAAA+/=", "ssh-ed25519 BBBB"]);
        assert!(host_keys("nothing yet").is_empty());
        assert!(host_keys("-----BEGIN SSH HOST KEY KEYS-----\r\nssh-rsa AA").is_empty(), "cut off");
    }
}
