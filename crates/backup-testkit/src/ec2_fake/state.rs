//! The world: all regions, how they behave, and what makes new ids.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backup_core::clock::{SignedDuration, Timestamp};

use super::hardware::Hardware;
use super::model::{Fate, Region, Snapshot};
use super::rules::refused;
use super::settings::{Ending, Settings};
use super::ssm::invocation::Invocation;
use super::token::fingerprint;
use crate::aws_fake::ApiError;

/// The regions there are.
pub const REGIONS: [&str; 3] = ["ap-southeast-1", "eu-west-1", "us-east-1"];

/// The volume id of copies: "an arbitrary volume ID … should not be used for any purpose" (EC2 API Reference,
/// "CopySnapshot").
pub const ARBITRARY_VOLUME: &str = "vol-ffffffff";

/// Everything the fake knows.
#[derive(Debug)]
pub struct State {
    /// Regions by name.
    pub regions: BTreeMap<String, Region>,
    /// How the world behaves.
    pub settings: Settings,
    pub(super) endings: Vec<(Ending, u64)>,
    pub(super) commands: BTreeMap<String, Invocation>,
    /// Snapshots started by EBS direct, by account, region and client token: the request's fingerprint and the snapshot.
    pub(super) client_tokens: BTreeMap<(String, String, String), (String, String)>,
    /// What was made under which token, by account, region, action and token: the request's fingerprint and the id.
    pub(super) made: BTreeMap<[String; 4], (String, String)>,
    /// What stands behind instances and volumes.
    pub(super) hardware: Option<Arc<dyn Hardware>>,
    serial: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            regions: REGIONS.iter().map(|name| ((*name).to_owned(), Region::default())).collect(),
            settings: Settings::default(),
            endings: Vec::new(),
            commands: BTreeMap::new(),
            client_tokens: BTreeMap::new(),
            made: BTreeMap::new(),
            hardware: None,
            serial: 0,
        }
    }
}

impl State {
    /// A new number.
    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A new id: the prefix and 17 hexadecimal digits, in no order that somebody could rely on.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        let serial = self.serial();
        format!("{prefix}-0{}", fingerprint(&format!("{prefix} {serial}")))
    }

    /// A region.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn region(&mut self, name: &str) -> Result<&mut Region, ApiError> {
        self.regions
            .get_mut(name)
            .ok_or_else(|| refused("InvalidRegion", format!("The region '{name}' does not exist")))
    }

    /// A snapshot that is not in the recycle bin.
    ///
    /// # Errors
    /// If there is none of that id that the account may see.
    pub fn snapshot(&mut self, region: &str, account: &str, id: &str) -> Result<&mut Snapshot, ApiError> {
        if !id.strip_prefix("snap-").is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit())) {
            let text = format!("Invalid id: \"{id}\" (expecting \"snap-...\")");
            return Err(refused("InvalidParameterValue", text));
        }
        let found = self.region(region)?.snapshots.get_mut(id);
        found
            .filter(|snapshot| snapshot.binned.is_none() && snapshot.visible_to(account))
            .ok_or_else(|| missing_snapshot(id))
    }

    /// What becomes of a snapshot that is made now, and well or not is pending for `ms` at least.
    pub(super) fn fate(&mut self, region: &str, copy: bool, now: Timestamp, ms: u64) -> Fate {
        for (ending, seen) in &mut self.endings {
            let fits = ending.region.as_deref().is_none_or(|own| own == region)
                && ending.copies.is_none_or(|copies| copies == copy);
            if fits {
                *seen += 1;
                if *seen > ending.skip && *seen - ending.skip <= ending.times {
                    return Fate::Error(later(now, ending.after_ms), ending.message.clone());
                }
            }
        }
        Fate::Complete(later(now, ms))
    }
}

/// "InvalidSnapshot.NotFound" (EC2 API Reference, "Error codes").
pub(super) fn missing_snapshot(id: &str) -> ApiError {
    refused("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
}

/// So many milliseconds later.
pub(super) fn later(time: Timestamp, ms: u64) -> Timestamp {
    let by = SignedDuration::try_from(Duration::from_millis(ms)).ok();
    by.and_then(|by| time.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}
