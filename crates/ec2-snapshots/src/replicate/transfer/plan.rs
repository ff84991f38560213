//! What is copied through instances, and onto what: pure.

use serde::Serialize;

use super::options::{Ending, Mode, TransferOptions};
use crate::error::{Ec2Error, Ec2Result};
use crate::model::{InstanceId, Region, Snapshot, SnapshotId, VolumeId};
use crate::replicate::plan::Plan;

/// What the replica begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "begins", rename_all = "kebab-case")]
pub enum Target {
    /// A new volume, formatted as the source is if files are copied.
    New,
    /// A volume of an earlier replica, so that only what has changed is written.
    Replica {
        /// That replica.
        replica: SnapshotId,
    },
}

/// A replica to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// The original.
    pub snapshot: SnapshotId,
    /// Where it is.
    pub region: Region,
    /// Its volume.
    pub volume: VolumeId,
    /// Size of both volumes.
    pub size_gib: u64,
    /// What the replica begins with.
    #[serde(flatten)]
    pub target: Target,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The original, whole.
    #[serde(skip)]
    pub source: Snapshot,
}

/// What is copied through instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransferPlan {
    /// What is copied of them.
    pub mode: Mode,
    /// The instance where originals are; none for temporary ones.
    pub from_instance: Option<InstanceId>,
    /// The instance where replicas are made; none for a temporary one.
    pub to_instance: Option<InstanceId>,
    /// The replicas, in order.
    pub jobs: Vec<Job>,
    /// Originals whose replicas are under way in EC2 and only waited for, and those replicas.
    pub under_way: Vec<(SnapshotId, SnapshotId)>,
}

/// What has to be done for `plan`.
///
/// # Errors
/// [`Ec2Error::Usage`] for an instance in several regions, or temporary instances that nobody can reach.
pub fn plan(plan: &Plan, options: &TransferOptions) -> Ec2Result<TransferPlan> {
    let given = |ending: &Ending| match ending {
        Ending::Given(id) => Some(id.clone()),
        Ending::Temporary(_) => None,
    };
    let (from_instance, to_instance) = (given(&options.from), given(&options.to));
    if from_instance.is_some() && plan.from.len() > 1 {
        return Err(Ec2Error::usage(
            "one instance cannot be where the snapshots of several regions are",
            "name one region to copy from, or let instances be started",
        ));
    }
    if (from_instance.is_none() || to_instance.is_none()) && options.access.network.is_none() {
        return Err(Ec2Error::usage(
            "nothing says from where temporary instances are reached",
            "name the network that `ssh` comes from as they see it, such as 203.0.113.7/32, or name two instances",
        ));
    }
    let mut planned =
        TransferPlan { mode: options.mode, from_instance, to_instance, jobs: Vec::new(), under_way: Vec::new() };
    for pending in &plan.pending {
        let source = &pending.source;
        if let Some(copy) = &pending.under_way {
            planned.under_way.push((source.id.clone(), copy.clone()));
            continue;
        }
        let target = match &pending.base {
            // All blocks are written anyway.
            Some(replica) if options.mode == Mode::Rsync => Target::Replica { replica: replica.clone() },
            _ => Target::New,
        };
        planned.jobs.push(Job {
            snapshot: source.id.clone(),
            region: source.region.clone(),
            volume: pending.volume.clone(),
            size_gib: source.size_gib,
            target,
            encrypted: source.encrypted || options.copy.encrypted || options.copy.kms_key.is_some(),
            source: source.clone(),
        });
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::adapters::SshOptions;
    use crate::replicate::copy::Options;
    use crate::replicate::plan::{Wish, plan as all};
    use crate::replicate::transfer::{Access, IMAGE_DEFAULT, TYPE_DEFAULT};
    use crate::test_world::snapshot;

    fn options(mode: Mode) -> TransferOptions {
        let image = || Ending::Temporary(IMAGE_DEFAULT.to_owned());
        let network = Some("203.0.113.7/32".to_owned());
        let (user, temporary_user) = ("root".to_owned(), "ec2-user".to_owned());
        TransferOptions {
            mode,
            from: image(),
            to: image(),
            instance_type: TYPE_DEFAULT.to_owned(),
            access: Access { ssh: SshOptions::default(), user, temporary_user, network },
            copy: Options::default(),
        }
    }

    fn wanted() -> Plan {
        let (from, to) = ("eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap());
        let mut source = snapshot("snap-2", "vol-1", "2026-11-21T11:00:00Z");
        source.encrypted = true;
        let described = |hour: u32| {
            format!(r#"{{"Volume": "vol-1", "Region": "eu-west-1", "Time": "2026-11-21T{hour:02}:00:00"}}"#)
        };
        source.description = described(11);
        let older = |id: &str, hour: u32, size_gib: u64| {
            let mut older = snapshot(id, "vol-ffffffff", "2026-11-21T12:00:00Z");
            (older.description, older.size_gib) = (described(hour), size_gib);
            older
        };
        let there = [older("snap-a", 9, 8), older("snap-b", 10, 8), older("snap-c", 10, 9)];
        all(&from, &to, &[source], &there, &Wish::default(), "2026-11-21T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn files_go_onto_the_newest_earlier_replica_and_blocks_onto_a_new_volume() {
        let planned = plan(&wanted(), &options(Mode::Rsync)).unwrap();
        assert_eq!(planned.jobs[0].target, Target::Replica { replica: "snap-b".into() });
        // What was encrypted is never written in the clear.
        assert!(planned.jobs[0].encrypted);
        assert_eq!(plan(&wanted(), &options(Mode::Blocks)).unwrap().jobs[0].target, Target::New);
    }

    #[test]
    fn temporary_instances_need_a_network_and_one_instance_is_in_one_region() {
        let mut unreachable = options(Mode::Rsync);
        unreachable.access.network = None;
        assert!(matches!(plan(&wanted(), &unreachable), Err(Ec2Error::Usage { .. })));
        (unreachable.from, unreachable.to) = (Ending::Given("i-1".into()), Ending::Given("i-2".into()));
        assert!(plan(&wanted(), &unreachable).is_ok());
        let mut several = wanted();
        several.from.push("sa-east-1".parse().unwrap());
        assert!(matches!(plan(&several, &unreachable), Err(Ec2Error::Usage { .. })));
    }
}
