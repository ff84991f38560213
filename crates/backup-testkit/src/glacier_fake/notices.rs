//! What a vault tells of finished jobs, and to which topics ("Configuring vault notifications in Amazon S3 Glacier").

use backup_core::clock::Timestamp;
use serde_json::Value;

use super::jobs::described;
use super::state::{Job, Name, Notifications, State, Wanted, arn, invalid, missing};
use super::uploads::empty;
use crate::aws_fake::{ApiError, Received, Reply, reply};

/// The events there are.
pub(super) const EVENTS: [&str; 2] = ["ArchiveRetrievalCompleted", "InventoryRetrievalCompleted"];

/// "PUT notification-configuration": a topic, and one event at least.
pub(super) fn set(state: &mut State, vault: &Name, received: &Received) -> Result<Reply, ApiError> {
    let asked: Notifications = serde_json::from_slice(&received.body)
        .map_err(|error| invalid(format!("Invalid VaultNotificationConfig: {error}")))?;
    if !asked.topic.starts_with("arn:aws:sns:") {
        return Err(invalid(format!("Invalid SNS topic ARN: {}", asked.topic)));
    }
    if asked.events.is_empty() || !asked.events.iter().all(|event| EVENTS.contains(&event.as_str())) {
        return Err(invalid("Invalid vault notification events"));
    }
    state.vault(vault)?.notifications = Some(asked);
    Ok(empty(204))
}

pub(super) fn get(state: &mut State, vault: &Name) -> Result<Reply, ApiError> {
    let found = state.vault(vault)?.notifications.as_ref();
    let found = found.ok_or_else(|| missing("No notification configuration is set for vault:", &arn(vault)))?;
    let body = serde_json::to_string(found).map_err(|error| invalid(error.to_string()))?;
    Ok(reply(200, "application/json", body))
}

pub(super) fn delete(state: &mut State, vault: &Name) -> Result<Reply, ApiError> {
    state.vault(vault)?.notifications = None;
    Ok(empty(204))
}

/// What is to be told at `now` and was not yet: topics with what they are told, which is what "DescribeJob" says. Of a job
/// that failed they are told, too.
pub(super) fn due(state: &mut State, now: Timestamp) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, vault) in &mut state.vaults {
        let configured = vault.notifications.clone();
        for (id, job) in vault.jobs.iter_mut().filter(|(_, job)| !job.told && now >= job.done) {
            job.told = true;
            for topic in topics(job, configured.as_ref()) {
                all.push((topic, described(name, id, job, now)));
            }
        }
    }
    all
}

/// The topic of the vault, if it is told of such jobs, and the one that the request named.
fn topics(job: &Job, configured: Option<&Notifications>) -> Vec<String> {
    let event = match job.wanted {
        Wanted::Archive { .. } => EVENTS[0],
        Wanted::Inventory { .. } => EVENTS[1],
    };
    let of_vault = configured.filter(|configured| configured.events.iter().any(|wanted| wanted == event));
    let mut topics: Vec<String> = of_vault.map(|configured| configured.topic.clone()).into_iter().collect();
    topics.extend(job.topic.clone().filter(|topic| !topics.contains(topic)));
    topics
}
