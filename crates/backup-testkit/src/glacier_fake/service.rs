//! Paths to actions, and errors as the service words them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use backup_core::clock::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::state::{Name, State, Vault, arn, missing};
use super::uploads::{self, Checked, empty, with_header};
use super::{jobs, notices};
use crate::aws_fake::{ApiError, Received, Reply, Route, Service, json_error, reply};
use crate::sns_fake::SnsFake;

/// The vaults of all accounts and regions, and the topics that they tell of finished jobs.
#[derive(Debug, Default)]
pub(super) struct Vaults {
    state: Mutex<State>,
    topics: Mutex<Vec<Arc<SnsFake>>>,
}

impl Vaults {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn topics(&self) -> MutexGuard<'_, Vec<Arc<SnsFake>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connect(&self, topic: Arc<SnsFake>) {
        self.topics().push(topic);
    }

    /// Tells the topics of every job that has finished since; what goes to others is lost. Returns how many messages were taken.
    pub(super) fn tell(&self, now: Timestamp) -> io::Result<usize> {
        let (due, topics) = (self.with(|state| notices::due(state, now)), self.topics().clone());
        let mut taken = 0;
        for (arn, message) in due {
            for topic in topics.iter().filter(|topic| topic.topic() == arn) {
                taken += topic.publish(&message.to_string())?;
            }
        }
        Ok(taken)
    }
}

/// The decoded segments behind `/ACCOUNT/vaults/`.
fn segments(received: &Received) -> Vec<String> {
    let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    received.path.trim_matches('/').split('/').skip(2).map(decoded).collect()
}

fn op(received: &Received, segments: &[&str]) -> &'static str {
    match (received.method.as_str(), segments) {
        ("PUT", [_]) => "CreateVault",
        ("GET", [_]) => "DescribeVault",
        ("DELETE", [_]) => "DeleteVault",
        ("POST", [_, "archives"]) => "UploadArchive",
        ("DELETE", [_, "archives", _]) => "DeleteArchive",
        ("POST", [_, "multipart-uploads"]) => "InitiateMultipartUpload",
        ("PUT", [_, "multipart-uploads", _]) => "UploadMultipartPart",
        ("GET", [_, "multipart-uploads", _]) => "ListParts",
        ("POST", [_, "multipart-uploads", _]) => "CompleteMultipartUpload",
        ("DELETE", [_, "multipart-uploads", _]) => "AbortMultipartUpload",
        ("POST", [_, "jobs"]) => "InitiateJob",
        ("GET", [_, "jobs"]) => "ListJobs",
        ("GET", [_, "jobs", _]) => "DescribeJob",
        ("GET", [_, "jobs", _, "output"]) => "GetJobOutput",
        ("PUT", [_, "notification-configuration"]) => "SetVaultNotifications",
        ("GET", [_, "notification-configuration"]) => "GetVaultNotifications",
        ("DELETE", [_, "notification-configuration"]) => "DeleteVaultNotifications",
        _ => "Other",
    }
}

fn describe(name: &Name, vault: &mut Vault, now: Timestamp) -> Reply {
    vault.take_inventory(now);
    let listed = vault.inventory.as_ref();
    let body = json!({
        "VaultARN": arn(name),
        "VaultName": name.2,
        "CreationDate": vault.created.to_string(),
        "LastInventoryDate": listed.map(|(made, _)| made.to_string()),
        "NumberOfArchives": listed.map_or(0, |(_, archives)| archives.len()),
        "SizeInBytes": listed.map_or(0, |(_, archives)| archives.values().map(|archive| archive.body.len()).sum::<usize>()),
    });
    reply(200, "application/json", body.to_string())
}

fn delete_vault(state: &mut State, name: &Name) -> Result<Reply, ApiError> {
    if !state.vault(name)?.archives.is_empty() {
        let message = format!("Vault not empty or recently written to: {}", arn(name));
        return Err(ApiError::new(400, "InvalidParameterValueException", message));
    }
    state.vaults.remove(name);
    Ok(empty(204))
}

fn act(
    state: &mut State,
    op: &str,
    name: &Name,
    id: &str,
    received: &Received,
    checked: Option<Checked>,
) -> Result<Reply, ApiError> {
    if state.settings.closed {
        let message = "Amazon S3 Glacier no longer accepts new customers";
        return Err(ApiError::new(400, "NoLongerSupportedException", message));
    }
    match (op, checked) {
        ("UploadArchive", Some(checked)) => return uploads::upload_archive(state, name, received, checked),
        ("UploadMultipartPart", Some(checked)) => return uploads::part(state, name, id, received, checked),
        _ => {}
    }
    match op {
        "CreateVault" => {
            state.vaults.entry(name.clone()).or_insert_with(|| Vault::new(received.now));
            Ok(with_header(empty(201), "location", &format!("/{}/vaults/{}", name.0, name.2)))
        }
        "DescribeVault" => Ok(describe(name, state.vault(name)?, received.now)),
        "DeleteVault" => delete_vault(state, name),
        "DeleteArchive" => {
            // Deleting one that is gone succeeds: the operation is idempotent ("DeleteArchive").
            state.vault(name)?.archives.remove(id);
            Ok(empty(204))
        }
        "InitiateMultipartUpload" => uploads::initiate(state, name, received),
        "ListParts" => uploads::list_parts(state, name, id, received),
        "CompleteMultipartUpload" => uploads::complete(state, name, id, received),
        "AbortMultipartUpload" => uploads::abort(state, name, id),
        "InitiateJob" => jobs::initiate(state, name, received),
        "ListJobs" => jobs::list(state, name, received),
        "DescribeJob" => jobs::describe(state, name, id, received.now),
        "GetJobOutput" => jobs::output(state, name, id, received),
        "SetVaultNotifications" => notices::set(state, name, received),
        "GetVaultNotifications" => notices::get(state, name),
        "DeleteVaultNotifications" => notices::delete(state, name),
        _ => Err(missing("There is no such action:", &received.path)),
    }
}

#[async_trait]
impl Service for Vaults {
    fn route(&self, received: &Received) -> Route {
        let segments = segments(received);
        let borrowed: Vec<&str> = segments.iter().map(String::as_str).collect();
        let op = op(received, &borrowed);
        let mutating = received.method != http::Method::GET;
        let key = [vec![received.caller.region.clone()], segments].concat().join(" ");
        Route { op: op.to_owned(), key, mutating, dry_run: false }
    }

    async fn handle(&self, received: &Received, route: &Route) -> Result<Reply, ApiError> {
        let segments = segments(received);
        let vault = segments.first().cloned().unwrap_or_default();
        let name = (received.caller.account.clone(), received.caller.region.clone(), vault);
        let id = segments.get(2).cloned().unwrap_or_default();
        let has_body = matches!(route.op.as_str(), "UploadArchive" | "UploadMultipartPart");
        let checked = has_body.then(|| uploads::checked(received)).transpose()?;
        self.with(|state| act(state, &route.op, &name, &id, received, checked))
    }

    fn refusal(&self, _received: &Received, error: &ApiError) -> Reply {
        json_error(error)
    }

    fn obey(&self, order: &str, _body: &[u8], now: Timestamp) -> Option<Result<serde_json::Value, String>> {
        match order {
            "POST /_ctl/glacier/tell" => {
                let taken = self.tell(now).map_err(|error| error.to_string());
                Some(taken.map(|taken| json!({ "messages": taken })))
            }
            "POST /_ctl/glacier/damage" => {
                self.with(|state| state.vaults.values_mut().for_each(Vault::damage));
                Some(Ok(json!({})))
            }
            _ => None,
        }
    }

    fn reset(&self, _now: Timestamp) {
        self.with(|state| *state = State::default());
    }
}
