//! What there is in a region.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backup_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::filter::Filterable;
use super::tags::Tags;

/// One region, of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Region {
    /// Instances by id.
    pub instances: BTreeMap<String, Instance>,
    /// Volumes by id.
    pub volumes: BTreeMap<String, Volume>,
    /// Snapshots by id, also those in the recycle bin.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Images by id.
    pub images: BTreeMap<String, Image>,
    /// Key pairs by name.
    pub keys: BTreeMap<String, KeyPair>,
    /// Security groups by id.
    pub groups: BTreeMap<String, Group>,
    /// Whether new volumes and snapshots are encrypted unasked.
    pub encryption_by_default: bool,
}

/// An instance.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// Its account.
    pub owner: String,
    /// Its tags.
    pub tags: Tags,
    /// The image it was made from.
    pub image: String,
    /// `t3.micro`.
    pub kind: String,
    /// The zone, a letter behind the region's name.
    pub zone: String,
    /// The root volume's device name.
    pub root_device: String,
    /// Its public address and name, where it has one.
    pub address: Option<String>,
    /// The key pair's name.
    pub key: Option<String>,
    /// Ids of security groups.
    pub groups: Vec<String>,
    /// When it was started.
    pub launched: Timestamp,
    /// When it runs.
    pub running_from: Timestamp,
    /// When it was told to end, and when that is done.
    pub terminated: Option<Timestamp>,
    /// Whether it was stopped, as by hand.
    pub stopped: bool,
}

impl Instance {
    /// State and its code ("InstanceState", EC2 API Reference).
    #[must_use]
    pub fn state(&self, now: Timestamp) -> (&'static str, u16) {
        match self.terminated {
            Some(end) if now >= end => ("terminated", 48),
            Some(_) => ("shutting-down", 32),
            None if self.stopped => ("stopped", 80),
            None if now < self.running_from => ("pending", 0),
            None => ("running", 16),
        }
    }
}

/// A volume.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    /// `vol-…`.
    pub id: String,
    /// Its account.
    pub owner: String,
    /// Its tags.
    pub tags: Tags,
    /// GiB.
    pub size: u64,
    /// The zone.
    pub zone: String,
    /// `gp3`.
    pub kind: String,
    /// The snapshot it was made from.
    pub snapshot: Option<String>,
    /// Whether it is encrypted, and by which key.
    pub key: Option<String>,
    /// Instance, device and whether it ends with the instance.
    pub attached: Option<Attachment>,
    /// When it was made, and when it can be used.
    pub created: Timestamp,
    /// When it can be used.
    pub available_from: Timestamp,
    /// What is on it.
    pub content: Content,
    /// Snapshots of one lineage can be compared by ListChangedBlocks.
    pub lineage: String,
}

/// Where a volume is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The instance.
    pub instance: String,
    /// The device's name, such as `/dev/sdf`.
    pub device: String,
    /// Whether the volume is deleted with the instance.
    pub delete_on_termination: bool,
    /// Since when.
    pub since: Timestamp,
}

/// What becomes of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is complete from then on.
    Complete(Timestamp),
    /// It fails then, for this reason.
    Error(Timestamp, String),
    /// Blocks are still written to it by EBS direct; it fails if none comes until then.
    Open(Timestamp),
}

/// A snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// `snap-…`.
    pub id: String,
    /// Its account.
    pub owner: String,
    /// Its tags.
    pub tags: Tags,
    /// Its description, at most 255 characters.
    pub description: String,
    /// The volume, or `vol-ffffffff`.
    pub volume: String,
    /// GiB.
    pub size: u64,
    /// When it was taken.
    pub start: Timestamp,
    /// What becomes of it.
    pub fate: Fate,
    /// The key it is encrypted by.
    pub key: Option<String>,
    /// What is in it.
    pub content: Content,
    /// The lineage, as of a volume.
    pub lineage: String,
    /// Whether it is a copy from another region or its own.
    pub copy: bool,
    /// Accounts that it is shared with.
    pub shared: BTreeSet<String>,
    /// Whether it is shared with everybody.
    pub public: bool,
    /// Whether it is in the archive tier.
    pub archived: bool,
    /// A lock that prevents deletion.
    pub lock: Option<Lock>,
    /// In the recycle bin since then, until then.
    pub binned: Option<(Timestamp, Timestamp)>,
    /// What EBS direct needs to know while it is written.
    pub direct: Option<Direct>,
    /// Blocks that are served with one bit changed and the checksum of before.
    pub damaged: BTreeSet<u32>,
}

/// A snapshot that is, or was, written by EBS direct.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Direct {
    /// The snapshot it builds on.
    pub parent: Option<String>,
    /// How long it waits for blocks.
    pub timeout: Duration,
    /// The indexes written so far, with their SHA-256.
    pub written: BTreeMap<u32, [u8; 32]>,
}

/// A lock ("Amazon EBS snapshot lock", EBS User Guide).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// `governance` or `compliance`.
    pub mode: String,
    /// When it ends.
    pub until: Timestamp,
}

impl Snapshot {
    /// Its state ("SnapshotState", EC2 API Reference).
    #[must_use]
    pub fn state(&self, now: Timestamp) -> &'static str {
        match &self.fate {
            Fate::Complete(at) if now >= *at => "completed",
            Fate::Error(at, _) if now >= *at => "error",
            Fate::Open(until) if now >= *until => "error",
            _ => "pending",
        }
    }

    /// Why it failed.
    #[must_use]
    pub fn message(&self, now: Timestamp) -> Option<&str> {
        match &self.fate {
            Fate::Error(at, message) if now >= *at => Some(message),
            Fate::Open(until) if now >= *until => Some("No blocks were written before the timeout"),
            _ => None,
        }
    }

    /// Its progress in percent.
    #[must_use]
    pub fn progress(&self, now: Timestamp) -> u64 {
        let (Fate::Complete(end) | Fate::Error(end, _)) = &self.fate else { return 0 };
        let whole = end.duration_since(self.start).as_millis();
        let passed = now.duration_since(self.start).as_millis();
        match &self.fate {
            Fate::Complete(end) if now >= *end => 100,
            _ if whole <= 0 => 0,
            _ => u64::try_from(passed * 100 / whole).unwrap_or(0).min(99),
        }
    }

    /// Whether it is complete.
    #[must_use]
    pub fn is_complete(&self, now: Timestamp) -> bool {
        self.state(now) == "completed"
    }

    /// Whether `account` may see it.
    #[must_use]
    pub fn visible_to(&self, account: &str) -> bool {
        self.owner == account || self.public || self.shared.contains(account)
    }
}

/// An image (AMI).
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// `ami-…`.
    pub id: String,
    /// Its account.
    pub owner: String,
    /// Its tags.
    pub tags: Tags,
    /// Its name, one of a kind in region and account.
    pub name: String,
    /// Its description.
    pub description: String,
    /// `x86_64`.
    pub architecture: String,
    /// The root volume's device name.
    pub root_device: String,
    /// Snapshots by device name.
    pub devices: BTreeMap<String, String>,
    /// When it was registered.
    pub created: Timestamp,
}

/// A key pair.
#[derive(Clone, Debug, Default)]
pub struct KeyPair {
    /// `key-…`.
    pub id: String,
    /// Its account.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// The public key, as of OpenSSH.
    pub public: String,
    /// Its tags.
    pub tags: Tags,
}

/// A security group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// `sg-…`.
    pub id: String,
    /// Its account.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// What may come in: protocol, first port, last port, from where.
    pub ingress: Vec<(String, i64, i64, String)>,
    /// Its tags.
    pub tags: Tags,
}

/// A snapshot at one moment, as filters see it.
pub(super) struct SnapshotAt<'a>(pub(super) &'a Snapshot, pub(super) Timestamp);

impl Filterable for SnapshotAt<'_> {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        let Self(snapshot, now) = self;
        let value = match name {
            "snapshot-id" => snapshot.id.clone(),
            "volume-id" => snapshot.volume.clone(),
            "volume-size" => snapshot.size.to_string(),
            "status" => snapshot.state(*now).to_owned(),
            "owner-id" => snapshot.owner.clone(),
            "description" => snapshot.description.clone(),
            "encrypted" => snapshot.key.is_some().to_string(),
            "progress" => format!("{}%", snapshot.progress(*now)),
            "start-time" => format!("{:.3}", snapshot.start),
            "storage-tier" => if snapshot.archived { "archive" } else { "standard" }.to_owned(),
            _ => return None,
        };
        Some(vec![value])
    }

    fn tags(&self) -> &Tags {
        &self.0.tags
    }
}

/// The filters of DescribeSnapshots.
pub(super) const SNAPSHOT_FILTERS: [&str; 10] = [
    "snapshot-id",
    "volume-id",
    "volume-size",
    "status",
    "owner-id",
    "description",
    "encrypted",
    "progress",
    "start-time",
    "storage-tier",
];
