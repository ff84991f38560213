//! EBS direct: snapshots read and written in blocks, as JSON over REST (EBS direct APIs reference).

mod call;
mod read;
mod write;

use http::Method;

use self::call::{Answer, Call};
use super::state::State;
use crate::aws_fake::{ApiError, Received, Reply, Route, json_error};

/// What is answered in the end. A block is made and hashed here, while others are answered.
pub(super) fn finish(answer: Answer) -> Reply {
    match answer {
        Answer::Ready(reply) => reply,
        Answer::Block { block, is_damaged } => read::sent(&block, is_damaged),
    }
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

/// Whether the request tags the snapshot that it begins.
pub(super) fn has_tags(received: &Received) -> bool {
    let body: serde_json::Value = serde_json::from_slice(&received.body).unwrap_or_default();
    body["Tags"].as_array().is_some_and(|tags| !tags.is_empty())
}

pub(super) fn handle(state: &mut State, received: &Received, route: &Route) -> Result<Answer, ApiError> {
    let parts = parts(received);
    let (id, index) = (parts.get(1).map_or("", String::as_str), parts.get(3).map_or("", String::as_str));
    let mut call = Call { state, received, now: received.now };
    match route.op.as_str() {
        "StartSnapshot" => write::start(&mut call).map(Answer::Ready),
        "PutSnapshotBlock" => write::put(&mut call, id, index).map(Answer::Ready),
        "CompleteSnapshot" => write::complete(&mut call, parts.get(2).map_or("", String::as_str)).map(Answer::Ready),
        "ListSnapshotBlocks" => read::list(&mut call, id).map(Answer::Ready),
        "ListChangedBlocks" => read::changed(&mut call, id).map(Answer::Ready),
        "GetSnapshotBlock" => read::get(&mut call, id, index),
        _ => Err(ApiError::new(404, "UnknownOperationException", "There is no such operation")),
    }
}

pub(super) fn refusal(error: &ApiError) -> Reply {
    json_error(&error.clone().with("Message", &error.message))
}
