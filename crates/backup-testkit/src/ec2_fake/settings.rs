//! How the world behaves where AWS's own behaviour varies: durations, quotas, delays.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The newest Amazon Linux (EC2 User Guide, "Reference the latest AMIs using Systems Manager public parameters").
const LATEST_IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

/// The world's settings; `POST /_ctl/ec2/settings` changes those that it names. Times are of the fake's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a snapshot is pending.
    pub snapshot_ms: u64,
    /// How long a copy between regions is pending, at least.
    pub copy_ms: u64,
    /// How much longer for each GiB.
    pub copy_ms_per_gib: u64,
    /// Copies at once to one region and account: "20 concurrent snapshot copies for each destination Region" (EBS User
    /// Guide, "Copy an Amazon EBS snapshot").
    pub copy_slots: usize,
    /// Slots that others hold.
    pub copy_slots_taken: usize,
    /// Least time between two snapshots of one volume ("SnapshotCreationPerVolumeRateExceeded", EC2 API Reference, "Error
    /// codes").
    pub per_volume_interval_ms: u64,
    /// How long what was made is not yet shown (EC2 Developer Guide, "Eventual consistency").
    pub not_yet_ms: u64,
    /// How long EBS direct does not know a snapshot yet that was started or has just been completed: up to two minutes
    /// (awslabs/coldsnap #43 and #141).
    pub direct_not_yet_ms: u64,
    /// How long an instance is pending or shutting down, and a volume is being created.
    pub instance_ms: u64,
    /// How long a token of DescribeSnapshots is accepted.
    pub page_token_s: u64,
    /// How long a page token of EBS direct is accepted: "NextToken expires in 60 minutes" (EBS API Reference,
    /// "ListSnapshotBlocks").
    pub block_page_token_s: u64,
    /// How long a block token is accepted: 7 days (EBS User Guide, "Read Amazon EBS snapshots with EBS direct APIs").
    pub block_token_s: u64,
    /// Most entries of a page, however many were asked for.
    pub page_max: usize,
    /// Whether each listing of EBS direct begins with a page that is empty, which is legal (EBS User Guide, "FAQs for EBS
    /// direct APIs").
    pub empty_pages: bool,
    /// Whether the last page has an empty token instead of none.
    pub empty_next_token: bool,
    /// Snapshots of one account that EBS direct may have open: 100 (EBS endpoints and quotas, "Pending snapshots"), then
    /// HTTP 402.
    pub direct_open_max: usize,
    /// Days for which deleted snapshots are in the recycle bin; absent: there is no retention rule.
    pub recycle_bin_days: Option<u32>,
    /// Addresses of new instances, one after the other, from the beginning again after the last.
    pub addresses: Vec<String>,
    /// Public parameters of Systems Manager that name images, in every region.
    pub image_parameters: BTreeMap<String, String>,
    /// The folder in which Systems Manager runs scripts; without it no instance has an agent. Programs in its folder `bin`
    /// are found first.
    pub ssm_folder: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            snapshot_ms: 0,
            copy_ms: 0,
            copy_ms_per_gib: 0,
            copy_slots: 20,
            copy_slots_taken: 0,
            per_volume_interval_ms: 15_000,
            not_yet_ms: 0,
            direct_not_yet_ms: 0,
            instance_ms: 0,
            page_token_s: 3600,
            block_page_token_s: 3600,
            block_token_s: 7 * 86_400,
            page_max: usize::MAX,
            empty_pages: false,
            empty_next_token: false,
            direct_open_max: 100,
            recycle_bin_days: None,
            addresses: vec!["127.0.0.1".to_owned()],
            image_parameters: BTreeMap::from([(LATEST_IMAGE.to_owned(), "ami-00000000000000001".to_owned())]),
            ssm_folder: None,
        }
    }
}

impl Settings {
    /// With the fields of `changes` in place of its own.
    pub(super) fn changed(&self, changes: &serde_json::Value) -> Result<Self, String> {
        let mut value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        let (Some(own), Some(changes)) = (value.as_object_mut(), changes.as_object()) else {
            return Err("settings are an object".to_owned());
        };
        own.extend(changes.clone());
        serde_json::from_value(value).map_err(|error| error.to_string())
    }
}

/// How snapshots end that do not end well: of those that fit, the first `skip` do, the next `times` fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// The region; absent: any.
    #[serde(default)]
    pub region: Option<String>,
    /// Only copies, or only what is no copy; absent: both.
    #[serde(default)]
    pub copies: Option<bool>,
    /// Snapshots that end well first.
    #[serde(default)]
    pub skip: u64,
    /// Snapshots that fail after that.
    #[serde(default = "once")]
    pub times: u64,
    /// How long they are pending.
    #[serde(default)]
    pub after_ms: u64,
    /// The `StateMessage`.
    pub message: String,
}

fn once() -> u64 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_change_by_name_and_typing_errors_are_refused() {
        let changed = Settings::default().changed(&serde_json::json!({ "copy_slots": 5 })).unwrap();
        assert_eq!((changed.copy_slots, changed.direct_open_max), (5, 100));
        assert!(Settings::default().changed(&serde_json::json!({ "copy_slot": 5 })).is_err());
    }
}
