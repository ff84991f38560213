//! One call of EBS direct, and what is answered alike.

use backup_core::clock::Timestamp;

use crate::aws_fake::{ApiError, Received, Reply, reply};
use crate::ec2_fake::content::{BLOCK_BYTES, BLOCKS_PER_GIB, Block};
use crate::ec2_fake::model::{Fate, Snapshot};
use crate::ec2_fake::state::{State, later};

/// Blocks on the wire are always whole.
pub(super) const DATA_LENGTH: usize = BLOCK_BYTES;

/// What is answered.
pub(in crate::ec2_fake) enum Answer {
    /// This.
    Ready(Reply),
    /// A block, which takes a while to make and to hash.
    Block { block: Block, is_damaged: bool },
}

/// One call.
pub(in crate::ec2_fake) struct Call<'a> {
    pub(in crate::ec2_fake) state: &'a mut State,
    pub(in crate::ec2_fake) received: &'a Received,
    pub(in crate::ec2_fake) now: Timestamp,
}

impl Call<'_> {
    pub(super) fn region(&self) -> &str {
        &self.received.caller.region
    }

    pub(super) fn account(&self) -> &str {
        &self.received.caller.account
    }

    /// A number of the query.
    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, ApiError> {
        let number = |value: &str| {
            value.parse().map_err(|_| invalid("INVALID_PARAMETER_VALUE", format!("Invalid {name}: {value}")))
        };
        self.received.query(name).map(number).transpose()
    }

    /// A snapshot that the account may read, at its end: "The snapshot can be accessed only if it has a completed status";
    /// "EBS direct APIs does not support public snapshots" (EBS User Guide, "FAQs" and "Concepts for EBS direct APIs").
    pub(super) fn readable(&mut self, id: &str) -> Result<&Snapshot, ApiError> {
        let (region, account, now) = (self.region().to_owned(), self.account().to_owned(), self.now);
        let not_yet = self.state.settings.direct_not_yet_ms;
        let found = self.state.regions.get(&region).and_then(|region| region.snapshots.get(id));
        let snapshot = found.filter(|own| own.binned.is_none() && own.visible_to(&account));
        let snapshot = snapshot.ok_or_else(|| missing(id))?;
        let Fate::Complete(at) = &snapshot.fate else {
            return Err(invalid("INVALID_SNAPSHOT_ID", format!("Snapshot {id} is {}", snapshot.state(now))));
        };
        if now < *at {
            return Err(invalid("INVALID_SNAPSHOT_ID", format!("Snapshot {id} is pending")));
        }
        if snapshot.direct.is_some() && now < later(*at, not_yet) {
            return Err(missing(id));
        }
        if snapshot.public && snapshot.owner != account {
            return Err(ApiError::new(403, "AccessDeniedException", "Public snapshots are not supported")
                .with("Reason", "UNAUTHORIZED_ACCOUNT"));
        }
        if snapshot.archived {
            return Err(invalid("INVALID_SNAPSHOT_ID", format!("Snapshot {id} is in the archive tier")));
        }
        Ok(snapshot)
    }
}

pub(super) fn invalid(reason: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationException", message).with("Reason", reason)
}

pub(super) fn missing(id: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", format!("The snapshot '{id}' does not exist."))
        .with("Reason", "SNAPSHOT_NOT_FOUND")
}

/// "Valid Range: … Maximum value of" the volume's blocks.
fn blocks_of(snapshot: &Snapshot) -> u64 {
    snapshot.size * BLOCKS_PER_GIB
}

/// A moment as EBS direct writes it in JSON: seconds since 1970.
pub(super) fn seconds(time: Timestamp) -> f64 {
    // Milliseconds are far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let millis = time.as_millisecond() as f64;
    millis / 1000.0
}

pub(super) fn json(status: u16, value: &serde_json::Value) -> Reply {
    reply(status, "application/json", value.to_string())
}

pub(super) fn index(text: &str, snapshot: &Snapshot) -> Result<u32, ApiError> {
    let index: Option<u32> = text.parse().ok().filter(|index| u64::from(*index) < blocks_of(snapshot));
    index.ok_or_else(|| invalid("INVALID_BLOCK", format!("There is no block {text} in {} GiB", snapshot.size)))
}
