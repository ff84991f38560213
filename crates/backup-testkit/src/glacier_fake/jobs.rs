//! Retrievals: of an archive or a range of it, and of the inventory.

use std::ops::Range;

use backup_core::clock::{SignedDuration, Timestamp};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::hash::{MEBIBYTE, of_range};
use super::state::{Archive, Job, Name, State, Vault, Wanted, arn, invalid, missing};
use super::uploads::{empty, with_header};
use crate::aws_fake::{ApiError, Received, Reply, reply};

/// How long the output stays ("GetJobOutput": at least 24 hours).
const OUTPUT_STAYS: SignedDuration = SignedDuration::from_hours(24);

/// Most jobs that one page lists ("ListJobs").
const PAGE_MAX: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    #[serde(rename = "Type")]
    kind: String,
    archive_id: Option<String>,
    description: Option<String>,
    retrieval_byte_range: Option<String>,
    tier: Option<String>,
    #[serde(rename = "SNSTopic")]
    topic: Option<String>,
}

pub(super) fn initiate(state: &mut State, vault: &Name, received: &Received) -> Result<Reply, ApiError> {
    let order: Order = serde_json::from_slice(&received.body).map_err(|error| invalid(error.to_string()))?;
    let settings = state.settings.clone();
    let tier = order.tier.clone().unwrap_or_else(|| "Standard".to_owned());
    let hours = match tier.as_str() {
        "Expedited" => SignedDuration::from_mins(5),
        "Standard" => SignedDuration::from_hours(5),
        "Bulk" => SignedDuration::from_hours(12),
        other => return Err(invalid(format!("Invalid tier: {other}"))),
    };
    if tier == "Expedited" && settings.no_expedited {
        let message = "Insufficient capacity to process the expedited request";
        return Err(ApiError::new(503, "InsufficientCapacityException", message));
    }
    let description =
        order.description.as_deref().map(|text| super::state::description(text.as_bytes())).transpose()?;
    let wanted = wanted(state.vault(vault)?, vault, &order, received.now)?;
    if let (Wanted::Archive { range, .. }, Some(most)) = (&wanted, settings.policy_bytes_max)
        && range.end - range.start > most
    {
        let message = "Retrieval exceeds the data retrieval policy of the account";
        return Err(ApiError::new(400, "PolicyEnforcedException", message));
    }
    let id = state.id(92);
    let (created, done) = (received.now, received.now + hours);
    let (topic, fails) = (order.topic, settings.jobs_fail);
    let job = Job { wanted, description, tier, created, done, fails, topic, told: false };
    state.vault(vault)?.jobs.insert(id.clone(), job);
    let location = format!("/{}/vaults/{}/jobs/{id}", vault.0, vault.2);
    Ok(with_header(with_header(empty(202), "x-amz-job-id", &id), "location", &location))
}

fn wanted(vault: &mut Vault, name: &Name, order: &Order, now: Timestamp) -> Result<Wanted, ApiError> {
    match order.kind.as_str() {
        "archive-retrieval" => {
            let id = order.archive_id.clone().ok_or_else(|| invalid("An archive-retrieval needs an ArchiveId"))?;
            let archive = vault.archives.get(&id).cloned().ok_or_else(|| missing("The archive ID was", &id))?;
            let range = match &order.retrieval_byte_range {
                None => 0..archive.body.len() as u64,
                Some(text) => retrieval_range(text, archive.body.len() as u64)
                    .ok_or_else(|| invalid(format!("Invalid retrieval byte range: {text} is not aligned to 1 MiB")))?,
            };
            Ok(Wanted::Archive { id, archive, range })
        }
        "inventory-retrieval" => {
            vault.take_inventory(now);
            let (made, archives) =
                vault.inventory.clone().ok_or_else(|| missing("The vault has no inventory yet:", &arn(name)))?;
            let listed = |(id, archive): (&String, &Archive)| {
                json!({
                    "ArchiveId": id,
                    "ArchiveDescription": archive.description,
                    "CreationDate": archive.created.to_string(),
                    "Size": archive.body.len(),
                    "SHA256TreeHash": archive.tree_hash,
                })
            };
            let list: Vec<Value> = archives.iter().map(listed).collect();
            let body = json!({"VaultARN": arn(name), "InventoryDate": made.to_string(), "ArchiveList": list});
            Ok(Wanted::Inventory { body: body.to_string().into() })
        }
        other => Err(invalid(format!("Invalid job type: {other}"))),
    }
}

/// `0-1048575`, in whole mebibytes but for the archive's end.
fn retrieval_range(text: &str, bytes: u64) -> Option<Range<u64>> {
    let (first, last) = text.split_once('-')?;
    let (start, end) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?.checked_add(1)?);
    let is_aligned = start.is_multiple_of(MEBIBYTE) && (end.is_multiple_of(MEBIBYTE) || end == bytes);
    (start < end && end <= bytes && is_aligned).then_some(start..end)
}

pub(super) fn described(vault: &Name, id: &str, job: &Job, now: Timestamp) -> Value {
    let is_done = now >= job.done;
    let status = match (is_done, job.fails) {
        (false, _) => "InProgress",
        (true, true) => "Failed",
        (true, false) => "Succeeded",
    };
    let mut value = json!({
        "JobId": id,
        "JobDescription": job.description,
        "VaultARN": arn(vault),
        "CreationDate": job.created.to_string(),
        "Completed": is_done,
        "CompletionDate": is_done.then(|| job.done.to_string()),
        "StatusCode": status,
        "StatusMessage": status,
        "SNSTopic": job.topic,
        "Tier": job.tier,
    });
    match &job.wanted {
        Wanted::Archive { id, archive, range } => {
            value["Action"] = "ArchiveRetrieval".into();
            value["ArchiveId"] = id.as_str().into();
            value["ArchiveSizeInBytes"] = archive.body.len().into();
            value["ArchiveSHA256TreeHash"] = archive.tree_hash.as_str().into();
            value["RetrievalByteRange"] = format!("{}-{}", range.start, range.end - 1).into();
            // Null unless the range is a node of the archive's own tree.
            let is_whole = range.start == 0 && range.end == archive.body.len() as u64;
            value["SHA256TreeHash"] =
                if is_whole { archive.tree_hash.as_str().into() } else { of_range(archive.body.whole(), range).into() };
        }
        Wanted::Inventory { body } => {
            value["Action"] = "InventoryRetrieval".into();
            value["InventorySizeInBytes"] = is_done.then_some(body.len()).into();
        }
    }
    value
}

fn is_there(job: &Job, now: Timestamp) -> bool {
    now < job.done + OUTPUT_STAYS
}

pub(super) fn describe(state: &mut State, vault: &Name, id: &str, now: Timestamp) -> Result<Reply, ApiError> {
    let job = state.vault(vault)?.jobs.get(id).filter(|job| is_there(job, now));
    let job = job.ok_or_else(|| missing("The job ID was", id))?;
    Ok(reply(200, "application/json", described(vault, id, job, now).to_string()))
}

pub(super) fn list(state: &mut State, vault: &Name, received: &Received) -> Result<Reply, ApiError> {
    let now = received.now;
    let marker = received.query("marker").unwrap_or_default().to_owned();
    let limit = received.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let jobs = &state.vault(vault)?.jobs;
    let mut rest = jobs.range(marker..).filter(|(_, job)| is_there(job, now));
    let page: Vec<Value> = rest.by_ref().take(limit).map(|(id, job)| described(vault, id, job, now)).collect();
    let next = rest.next().map(|(id, _)| id.clone());
    Ok(reply(200, "application/json", json!({"JobList": page, "Marker": next}).to_string()))
}

pub(super) fn output(state: &mut State, vault: &Name, id: &str, received: &Received) -> Result<Reply, ApiError> {
    let now = received.now;
    let job = state.vault(vault)?.jobs.get(id).filter(|job| is_there(job, now));
    let job = job.ok_or_else(|| missing("The job ID was", id))?;
    if now < job.done {
        return Err(invalid(format!("The job is not currently available for download: {id}")));
    }
    if job.fails {
        return Err(invalid(format!("The job has failed: {id}")));
    }
    let (archive, offset, whole) = match &job.wanted {
        Wanted::Inventory { body } => (None, 0, body.clone()),
        Wanted::Archive { archive, range, .. } => {
            // A range of an archive that is in memory fits `usize`.
            let slice = archive.body.whole().slice(range.start as usize..range.end as usize);
            (Some(archive), range.start, slice)
        }
    };
    let asked = received.header("range").map(|header| output_range(header, whole.len() as u64));
    let range = match asked {
        None => 0..whole.len() as u64,
        Some(range) => range.ok_or_else(|| ApiError::new(416, "InvalidParameterValueException", "Invalid range"))?,
    };
    let body: Bytes = whole.slice(range.start as usize..range.end as usize);
    let kind = if archive.is_some() { "application/octet-stream" } else { "application/json" };
    let is_part = range.end - range.start < whole.len() as u64;
    let mut answer = reply(if is_part { 206 } else { 200 }, kind, body);
    if is_part {
        let header = format!("bytes {}-{}/{}", range.start, range.end - 1, whole.len());
        answer = with_header(answer, "content-range", &header);
    }
    if let Some(archive) = archive {
        answer = with_header(answer, "x-amz-archive-description", &archive.description);
        let in_archive = offset + range.start..offset + range.end;
        let is_whole = in_archive == (0..archive.body.len() as u64);
        // What is told is what was archived: the bytes may have changed since.
        let told = if is_whole { Some(archive.tree_hash.clone()) } else { of_range(archive.body.whole(), &in_archive) };
        if let Some(tree_hash) = told {
            answer = with_header(answer, "x-amz-sha256-tree-hash", &tree_hash);
        }
    }
    Ok(answer)
}

fn output_range(header: &str, bytes: u64) -> Option<Range<u64>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?.checked_add(1)?.min(bytes));
    (start < end).then_some(start..end)
}
