//! What the fake holds: vaults with archives, uploads, jobs, and an inventory of yesterday.

use std::collections::BTreeMap;
use std::ops::Range;

use backup_core::clock::{SignedDuration, Timestamp};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::body::Body;
use super::hash::Hash;
use crate::aws_fake::ApiError;

/// How often an inventory is made ("Downloading a vault inventory": about once a day).
pub(super) const INVENTORY_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// How the service behaves.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The account has no vaults, and AWS takes no new ones.
    pub closed: bool,
    /// There is no capacity for expedited retrievals.
    pub no_expedited: bool,
    /// Bytes that the account's policy lets a single retrieval have.
    pub policy_bytes_max: Option<u64>,
    /// Jobs started from now on fail.
    pub jobs_fail: bool,
}

/// An archive: it has no name, and never changes.
#[derive(Clone, Debug)]
pub(super) struct Archive {
    pub(super) body: Body,
    pub(super) tree_hash: String,
    pub(super) description: String,
    pub(super) created: Timestamp,
}

/// A part of an upload.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) body: Body,
    /// The SHA-256 of each of its mebibytes.
    pub(super) leaves: Vec<Hash>,
    pub(super) tree_hash: String,
}

/// An upload in parts.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) description: String,
    pub(super) part_bytes: u64,
    pub(super) created: Timestamp,
    /// By where they begin.
    pub(super) parts: BTreeMap<u64, Part>,
    /// The archive it became: completing it again is the same once more.
    pub(super) archive: Option<(String, String)>,
}

/// What a job gets.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Archive { id: String, archive: Archive, range: Range<u64> },
    Inventory { body: Bytes },
}

/// A job.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) wanted: Wanted,
    pub(super) description: Option<String>,
    pub(super) tier: String,
    pub(super) created: Timestamp,
    pub(super) done: Timestamp,
    pub(super) fails: bool,
    /// The topic that its request names.
    pub(super) topic: Option<String>,
    /// Whether somebody was told that it has finished.
    pub(super) told: bool,
}

/// Which topic a vault tells of finished jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Notifications {
    #[serde(rename = "SNSTopic")]
    pub(super) topic: String,
    pub(super) events: Vec<String>,
}

/// A vault.
#[derive(Clone, Debug)]
pub(super) struct Vault {
    pub(super) created: Timestamp,
    pub(super) archives: BTreeMap<String, Archive>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) jobs: BTreeMap<String, Job>,
    /// When the inventory was made, and what was there then.
    pub(super) inventory: Option<(Timestamp, BTreeMap<String, Archive>)>,
    pub(super) notifications: Option<Notifications>,
}

impl Vault {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            created: now,
            archives: BTreeMap::new(),
            uploads: BTreeMap::new(),
            jobs: BTreeMap::new(),
            inventory: None,
            notifications: None,
        }
    }

    /// Makes the inventory if a day has passed since the last one, or since the vault was made.
    pub(super) fn take_inventory(&mut self, now: Timestamp) {
        let last = self.inventory.as_ref().map_or(self.created, |(made, _)| *made);
        if now.duration_since(last) >= INVENTORY_EVERY {
            self.inventory = Some((now, self.archives.clone()));
        }
    }

    /// Changes the first byte of every archive, also of those that are being retrieved.
    pub(super) fn damage(&mut self) {
        let retrieved = self.jobs.values_mut().filter_map(|job| match &mut job.wanted {
            Wanted::Archive { archive, .. } => Some(archive),
            Wanted::Inventory { .. } => None,
        });
        for archive in self.archives.values_mut().chain(retrieved) {
            let mut body = BytesMut::from(&archive.body.whole()[..]);
            if let Some(first) = body.first_mut() {
                *first ^= 1;
            }
            archive.body = Body::of(vec![body.freeze()]);
        }
    }
}

/// Account, region and name of a vault.
pub(super) type Name = (String, String, String);

/// Everything.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) vaults: BTreeMap<Name, Vault>,
    pub(super) settings: Settings,
    /// Bytes of parts are looked at and not kept.
    pub(super) forgets: bool,
    ids: u64,
}

impl State {
    /// An id as AWS makes them: long, of the characters of base64url, and every other one begins with `-`.
    pub(super) fn id(&mut self, bytes: usize) -> String {
        use sha2::{Digest as _, Sha256};
        self.ids += 1;
        let mut id = if self.ids.is_multiple_of(2) { "-".to_owned() } else { String::new() };
        let mut block = self.ids;
        while id.len() < bytes {
            id.push_str(&hex::encode(Sha256::digest(block.to_le_bytes())));
            block = block.wrapping_mul(31).wrapping_add(1);
        }
        id.truncate(bytes);
        id
    }

    pub(super) fn vault(&mut self, name: &Name) -> Result<&mut Vault, ApiError> {
        self.vaults.get_mut(name).ok_or_else(|| missing("Vault", &arn(name)))
    }
}

/// A vault's name as AWS writes it.
pub(super) fn arn((account, region, name): &Name) -> String {
    format!("arn:aws:glacier:{region}:{account}:vaults/{name}")
}

pub(super) fn missing(what: &str, id: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", format!("{what} not found: {id}"))
}

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValueException", message)
}

/// A description as AWS takes it: up to 1,024 characters of printable ASCII ("UploadArchive").
pub(super) fn description(text: &[u8]) -> Result<String, ApiError> {
    if text.len() <= 1024 && text.iter().all(|byte| (32..=126).contains(byte)) {
        return Ok(String::from_utf8_lossy(text).into_owned());
    }
    Err(invalid("Invalid archive description: up to 1,024 printable ASCII characters"))
}
