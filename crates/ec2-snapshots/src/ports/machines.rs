//! What volumes and instances for a while need of EC2, in one region.

use std::fmt;

use async_trait::async_trait;

use super::call_error::CallError;
use super::request::{Filter, Page, Query};
use crate::model::{InstanceId, Region, SnapshotId, Tags, VolumeId};

type CallResult<T> = Result<T, CallError>;

/// An instance to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInstance {
    /// An image's id, or `resolve:ssm:` and a parameter of Systems Manager that has it.
    pub image: String,
    /// Such as `t3.micro`.
    pub instance_type: String,
    /// Name of the key pair that its user accepts.
    pub key: String,
    /// Id of its security group.
    pub group: String,
    /// Run when it starts.
    pub user_data: String,
    /// Tags of the instance and its root volume.
    pub tags: Tags,
    /// The same token with the same request is the same instance, however often it is sent.
    pub client_token: String,
}

/// A volume to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateVolume {
    /// The zone, which is that of the instance it is for.
    pub zone: String,
    /// Its size in GiB.
    pub size_gib: u64,
    /// What it begins with.
    pub snapshot: Option<SnapshotId>,
    /// Whether it is encrypted; what is made of an encrypted snapshot always is.
    pub encrypted: bool,
    /// The key, by id, ARN or alias; only together with `encrypted`.
    pub kms_key: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// The same token with the same request is the same volume, however often it is sent.
    pub client_token: String,
}

/// A key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// Its name, unique in the region.
    pub name: String,
    /// Its tags.
    pub tags: Tags,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `sg-…`.
    pub id: String,
    /// Its tags.
    pub tags: Tags,
}

/// What volumes and instances for a while need of EC2, in one region. One call is one request, as in [`super::Ec2`].
#[async_trait]
pub trait Machines: fmt::Debug + Send + Sync {
    /// The region.
    fn region(&self) -> &Region;

    /// Starts an instance (`ec2:RunInstances`). May be repeated with the same token.
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn run_instance(&self, request: &RunInstance) -> CallResult<InstanceId>;

    /// Ends an instance for good (`ec2:TerminateInstances`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn terminate(&self, instance: &InstanceId) -> CallResult<()>;

    /// What an instance has printed on its console (`ec2:GetConsoleOutput`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn console(&self, instance: &InstanceId) -> CallResult<String>;

    /// Makes a volume (`ec2:CreateVolume`). May be repeated with the same token.
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn create_volume(&self, request: &CreateVolume) -> CallResult<VolumeId>;

    /// Attaches a volume to an instance as `device` (`ec2:AttachVolume`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn attach(&self, volume: &VolumeId, instance: &InstanceId, device: &str) -> CallResult<()>;

    /// Detaches a volume (`ec2:DetachVolume`); by force also one that is still mounted.
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn detach(&self, volume: &VolumeId, force: bool) -> CallResult<()>;

    /// Deletes a volume (`ec2:DeleteVolume`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn delete_volume(&self, volume: &VolumeId) -> CallResult<()>;

    /// Makes a key pair of a public key (`ec2:ImportKeyPair`). Its name is unique in the region.
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn import_key(&self, name: &str, public_key: &str, tags: &Tags) -> CallResult<()>;

    /// Deletes a key pair (`ec2:DeleteKeyPair`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn delete_key(&self, name: &str) -> CallResult<()>;

    /// Key pairs that fit all `filters` (`ec2:DescribeKeyPairs`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn keys(&self, filters: &[Filter]) -> CallResult<Vec<KeyPair>>;

    /// Makes a security group in the default VPC (`ec2:CreateSecurityGroup`). Its name is unique there.
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn create_group(&self, name: &str, tags: &Tags) -> CallResult<String>;

    /// Lets `network`, such as `203.0.113.7/32`, reach port 22 (`ec2:AuthorizeSecurityGroupIngress`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn allow_ssh(&self, group: &str, network: &str) -> CallResult<()>;

    /// Deletes a security group (`ec2:DeleteSecurityGroup`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn delete_group(&self, group: &str) -> CallResult<()>;

    /// Security groups (`ec2:DescribeSecurityGroups`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn groups(&self, query: &Query) -> CallResult<Page<Group>>;

    /// Sets tags of several resources at once (`ec2:CreateTags`): of all or of none.
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn tag_all(&self, resources: &[String], tags: &Tags) -> CallResult<()>;
}
