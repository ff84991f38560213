//! EBS direct: snapshots read and written in blocks, as JSON over REST (EBS direct APIs reference).

mod read;
mod write;

use backup_core::clock::Timestamp;
use http::Method;

use super::content::{BLOCK_BYTES, BLOCKS_PER_GIB};
use super::model::{Fate, Snapshot};
use super::state::{State, later};
use crate::aws_fake::{ApiError, Received, Reply, Route, json_error, reply};

/// One call.
pub(super) struct Call<'a> {
    pub(super) state: &'a mut State,
    pub(super) received: &'a Received,
    pub(super) now: Timestamp,
}

impl Call<'_> {
    fn region(&self) -> &str {
        &self.received.caller.region
    }

    fn account(&self) -> &str {
        &self.received.caller.account
    }

    /// A number of the query.
    fn number(&self, name: &str) -> Result<Option<u32>, ApiError> {
        let number = |value: &str| {
            value.parse().map_err(|_| invalid("INVALID_PARAMETER_VALUE", format!("Invalid {name}: {value}")))
        };
        self.received.query(name).map(number).transpose()
    }

    /// A snapshot that the account may read, at its end: "The snapshot can be accessed only if it has a completed status";
    /// "EBS direct APIs does not support public snapshots" (EBS User Guide, "FAQs" and "Concepts for EBS direct APIs").
    fn readable(&mut self, id: &str) -> Result<&Snapshot, ApiError> {
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

fn invalid(reason: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationException", message).with("Reason", reason)
}

fn missing(id: &str) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", format!("The snapshot '{id}' does not exist."))
        .with("Reason", "SNAPSHOT_NOT_FOUND")
}

/// "Valid Range: … Maximum value of" the volume's blocks.
fn blocks_of(snapshot: &Snapshot) -> u64 {
    snapshot.size * BLOCKS_PER_GIB
}

/// A moment as EBS direct writes it in JSON: seconds since 1970.
fn seconds(time: Timestamp) -> f64 {
    // Milliseconds are far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let millis = time.as_millisecond() as f64;
    millis / 1000.0
}

fn json(status: u16, value: &serde_json::Value) -> Reply {
    reply(status, "application/json", value.to_string())
}

/// The parts of a path: what it is, the snapshot's id, the block's index.
fn parts(received: &Received) -> Vec<String> {
    let parts = received.path.trim_matches('/').split('/');
    parts.map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
}

pub(super) fn route(received: &Received) -> Route {
    let parts = parts(received);
    let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (op, key) = match (&received.method, texts.as_slice()) {
        (&Method::POST, ["snapshots"]) => ("StartSnapshot", Vec::new()),
        (&Method::POST, ["snapshots", "completion", id]) => ("CompleteSnapshot", vec![*id]),
        (&Method::PUT, ["snapshots", id, "blocks", index]) => ("PutSnapshotBlock", vec![*id, *index]),
        (&Method::GET, ["snapshots", id, "blocks", index]) => ("GetSnapshotBlock", vec![*id, *index]),
        (&Method::GET, ["snapshots", id, "blocks"]) => ("ListSnapshotBlocks", vec![*id]),
        (&Method::GET, ["snapshots", id, "changedblocks"]) => {
            ("ListChangedBlocks", received.query("firstSnapshotId").into_iter().chain([*id]).collect())
        }
        _ => ("none", Vec::new()),
    };
    let mutating = matches!(op, "StartSnapshot" | "CompleteSnapshot" | "PutSnapshotBlock");
    Route { op: op.to_owned(), key: key.join(" "), mutating, dry_run: false }
}

pub(super) fn handle(state: &mut State, received: &Received, route: &Route) -> Result<Reply, ApiError> {
    let parts = parts(received);
    let (id, index) = (parts.get(1).map_or("", String::as_str), parts.get(3).map_or("", String::as_str));
    let mut call = Call { state, received, now: received.now };
    match route.op.as_str() {
        "StartSnapshot" => write::start(&mut call),
        "PutSnapshotBlock" => write::put(&mut call, id, index),
        "CompleteSnapshot" => write::complete(&mut call, parts.get(2).map_or("", String::as_str)),
        "ListSnapshotBlocks" => read::list(&mut call, id),
        "ListChangedBlocks" => read::changed(&mut call, id),
        "GetSnapshotBlock" => read::get(&mut call, id, index),
        _ => Err(ApiError::new(404, "UnknownOperationException", "There is no such operation")),
    }
}

pub(super) fn refusal(error: &ApiError) -> Reply {
    json_error(&error.clone().with("Message", &error.message))
}

fn index(text: &str, snapshot: &Snapshot) -> Result<u32, ApiError> {
    let index: Option<u32> = text.parse().ok().filter(|index| u64::from(*index) < blocks_of(snapshot));
    index.ok_or_else(|| invalid("INVALID_BLOCK", format!("There is no block {text} in {} GiB", snapshot.size)))
}

/// Blocks on the wire are always whole.
const DATA_LENGTH: usize = BLOCK_BYTES;
