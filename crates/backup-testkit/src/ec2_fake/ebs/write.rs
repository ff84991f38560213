//! StartSnapshot, PutSnapshotBlock and CompleteSnapshot.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::call::{Call, DATA_LENGTH, index, invalid, json, missing, seconds};
use crate::aws_fake::{ApiError, Reply};
use crate::ec2_fake::content::{BLOCK_BYTES, Block};
use crate::ec2_fake::model::{Direct, Fate, Snapshot};
use crate::ec2_fake::rules::DESCRIPTION_CHARACTERS_MAX;
use crate::ec2_fake::state::{ARBITRARY_VOLUME, later};
use crate::ec2_fake::tags::{self, Tags};
use crate::ec2_fake::token::fingerprint;

/// "Valid Range: Minimum value of 10. Maximum value of 4320", minutes (EBS direct APIs reference, "StartSnapshot").
const TIMEOUT_MINUTES: std::ops::RangeInclusive<u64> = 10..=4320;
/// "If no value is specified, the timeout defaults to 60 minutes."
const TIMEOUT_DEFAULT: u64 = 60;
/// The largest volume is 64 TiB (EBS User Guide, "EBS volume types").
const GIB_MAX: u64 = 65_536;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Start {
    volume_size: u64,
    parent_snapshot_id: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    description: String,
    client_token: Option<String>,
    encrypted: Option<bool>,
    kms_key_arn: Option<String>,
    timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

/// The rules are those of "StartSnapshot" (EBS direct APIs reference).
pub(super) fn start(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let request: Start = serde_json::from_slice(&call.received.body)
        .map_err(|error| invalid("INVALID_PARAMETER_VALUE", error.to_string()))?;
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let query = fingerprint(&String::from_utf8_lossy(&call.received.body));
    let client = request.client_token.clone().map(|token| (account.clone(), region.clone(), token));
    if let Some((before, id)) = client.as_ref().and_then(|client| call.state.client_tokens.get(client)) {
        if *before != query {
            let text = "The request uses the same client token as a previous, but non-identical request.";
            return Err(ApiError::new(409, "ConflictException", text));
        }
        if let Some(snapshot) = call.state.regions.get(&region).and_then(|region| region.snapshots.get(id)) {
            return Ok(started(snapshot));
        }
    }
    let tags = check(&request)?;
    let parent = match &request.parent_snapshot_id {
        Some(id) => Some(call.readable(id)?.clone()),
        None => None,
    };
    let key = key(call, &request, parent.as_ref())?;
    check_quota(call, &region, &account)?;
    let timeout = Duration::from_secs(request.timeout.unwrap_or(TIMEOUT_DEFAULT) * 60);
    let id = call.state.id("snap");
    let snapshot = Snapshot {
        id: id.clone(),
        owner: account,
        tags,
        description: request.description,
        volume: ARBITRARY_VOLUME.to_owned(),
        size: request.volume_size,
        start: now,
        fate: Fate::Open(deadline(now, timeout)),
        key,
        content: parent.as_ref().map(|parent| parent.content.clone()).unwrap_or_default(),
        lineage: parent.as_ref().map_or_else(|| id.clone(), |parent| parent.lineage.clone()),
        copy: false,
        shared: std::collections::BTreeSet::new(),
        public: false,
        archived: false,
        lock: None,
        binned: None,
        direct: Some(Direct { parent: parent.map(|parent| parent.id), timeout, written: BTreeMap::new() }),
        damaged: std::collections::BTreeSet::new(),
    };
    let answer = started(&snapshot);
    if let Some(client) = client {
        call.state.client_tokens.insert(client, (query, id.clone()));
    }
    call.state.region(&region)?.snapshots.insert(id, snapshot);
    Ok(answer)
}

fn check(request: &Start) -> Result<Tags, ApiError> {
    if !(1..=GIB_MAX).contains(&request.volume_size) {
        return Err(invalid("INVALID_VOLUME_SIZE", format!("{} GiB is no size of a volume", request.volume_size)));
    }
    if request.timeout.is_some_and(|minutes| !TIMEOUT_MINUTES.contains(&minutes)) {
        return Err(invalid("INVALID_PARAMETER_VALUE", "Timeout must be between 10 and 4320 minutes"));
    }
    if request.description.chars().count() > DESCRIPTION_CHARACTERS_MAX {
        return Err(invalid("INVALID_PARAMETER_VALUE", "Description can be no longer than 255 characters"));
    }
    if request.parent_snapshot_id.is_some() && (request.encrypted.is_some() || request.kms_key_arn.is_some()) {
        let text = "You can't specify Encrypted and ParentSnapshotId in the same request.";
        return Err(invalid("INVALID_PARAMETER_VALUE", text));
    }
    if request.kms_key_arn.is_some() && request.encrypted != Some(true) {
        return Err(invalid("INVALID_CUSTOMER_KEY", "If you specify KmsKeyArn, Encrypted must be true."));
    }
    let given = request.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    let tags = tags::merged(&Tags::new(), &given).map_err(|error| invalid("INVALID_TAG", error.message))?;
    Ok(tags)
}

/// "If your account is enabled for encryption by default, you can't use an unencrypted snapshot as a parent snapshot."
fn key(call: &mut Call<'_>, request: &Start, parent: Option<&Snapshot>) -> Result<Option<String>, ApiError> {
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let by_default = call.state.region(&region)?.encryption_by_default;
    if let Some(parent) = parent {
        if by_default && parent.key.is_none() {
            let text = "Encryption by default is enabled: an unencrypted snapshot can't be a parent snapshot.";
            return Err(invalid("INVALID_PARAMETER_VALUE", text));
        }
        if parent.owner != account {
            return Err(invalid("INVALID_SNAPSHOT_ID", "The parent snapshot must be owned by the account"));
        }
        if request.volume_size < parent.size {
            return Err(invalid("INVALID_VOLUME_SIZE", "VolumeSize is less than that of the parent snapshot"));
        }
        return Ok(parent.key.clone());
    }
    let default = || format!("arn:aws:kms:{region}:{account}:alias/aws/ebs");
    let encrypted = request.encrypted == Some(true) || by_default;
    Ok(encrypted.then(|| request.kms_key_arn.clone().unwrap_or_else(default)))
}

/// "ServiceQuotaExceededException … HTTP Status Code: 402" (EBS direct APIs reference, "StartSnapshot").
fn check_quota(call: &mut Call<'_>, region: &str, account: &str) -> Result<(), ApiError> {
    let (max, now) = (call.state.settings.direct_open_max, call.now);
    let snapshots = &call.state.region(region)?.snapshots;
    let open = |own: &&Snapshot| own.owner == account && own.direct.is_some() && own.state(now) == "pending";
    if snapshots.values().filter(open).count() < max {
        return Ok(());
    }
    let text = "Your current service quotas do not allow you to perform this action.";
    Err(ApiError::new(402, "ServiceQuotaExceededException", text).with("Reason", "DEPENDENCY_SERVICE_QUOTA_EXCEEDED"))
}

fn deadline(now: backup_core::clock::Timestamp, timeout: Duration) -> backup_core::clock::Timestamp {
    later(now, u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
}

fn started(snapshot: &Snapshot) -> Reply {
    let tags: Vec<_> = snapshot.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let mut body = json!({
        "SnapshotId": snapshot.id,
        "OwnerId": snapshot.owner,
        "Status": "pending",
        "StartTime": seconds(snapshot.start),
        "VolumeSize": snapshot.size,
        "BlockSize": BLOCK_BYTES,
        "Description": snapshot.description,
        "Tags": tags,
    });
    if let Some(parent) = snapshot.direct.as_ref().and_then(|direct| direct.parent.as_ref()) {
        body["ParentSnapshotId"] = parent.clone().into();
    }
    if let Some(key) = &snapshot.key {
        body["KmsKeyArn"] = key.clone().into();
    }
    json(201, &body)
}

/// A snapshot of the account that is being written.
fn open<'a>(call: &'a mut Call<'_>, id: &str) -> Result<&'a mut Snapshot, ApiError> {
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let not_yet = call.state.settings.direct_not_yet_ms;
    let found = call.state.regions.get_mut(&region).and_then(|region| region.snapshots.get_mut(id));
    let snapshot = found
        .filter(|own| own.owner == account && own.binned.is_none() && now >= later(own.start, not_yet))
        .ok_or_else(|| missing(id))?;
    match &snapshot.fate {
        Fate::Open(until) if now >= *until => {
            Err(invalid("WRITE_REQUEST_TIMEOUT", format!("No block was written to {id} in time")))
        }
        Fate::Open(_) => Ok(snapshot),
        _ => Err(invalid("INVALID_SNAPSHOT_ID", format!("Snapshot {id} is not open for writing"))),
    }
}

/// The rules are those of "PutSnapshotBlock" (EBS direct APIs reference).
pub(super) fn put(call: &mut Call<'_>, id: &str, text: &str) -> Result<Reply, ApiError> {
    let (received, now) = (call.received, call.now);
    let snapshot = open(call, id)?;
    let index = index(text, snapshot)?;
    let body = &received.body;
    let announced = received.header("x-amz-data-length").unwrap_or_default();
    if body.len() != DATA_LENGTH || announced != DATA_LENGTH.to_string() {
        let text = format!("Blocks have {DATA_LENGTH} bytes: {} came, {announced} were announced", body.len());
        return Err(invalid("INVALID_BLOCK", text));
    }
    if received.header("x-amz-checksum-algorithm") != Some("SHA256") {
        return Err(invalid("INVALID_PARAMETER_VALUE", "The only supported algorithm is SHA256"));
    }
    if let Some(progress) = received.header("x-amz-progress")
        && !progress.parse().is_ok_and(|percent: u8| percent <= 100)
    {
        return Err(invalid("INVALID_PARAMETER_VALUE", "Progress is a percentage"));
    }
    let digest: [u8; 32] = Sha256::digest(body).into();
    let checksum = STANDARD.encode(digest);
    if received.header("x-amz-checksum") != Some(checksum.as_str()) {
        return Err(invalid("INVALID_BLOCK", "The checksum of the block is not the one given"));
    }
    let block = if body.iter().all(|byte| *byte == 0) { Block::Zero } else { Block::Data(body.clone()) };
    snapshot.content.put(index, block);
    if let Some(direct) = &mut snapshot.direct {
        direct.written.insert(index, digest);
        snapshot.fate = Fate::Open(deadline(now, direct.timeout));
    }
    let mut reply = json(201, &json!({}));
    if let Ok(checksum) = checksum.parse() {
        reply.headers_mut().insert("x-amz-checksum", checksum);
        reply.headers_mut().insert("x-amz-checksum-algorithm", http::HeaderValue::from_static("SHA256"));
    }
    Ok(reply)
}

/// "arrange the checksums for each written block in ascending order of their block index, concatenate them to form a single
/// string, and then generate the checksum on the entire string using the SHA256 algorithm" (EBS direct APIs reference,
/// "CompleteSnapshot"): of the raw 32 bytes of each, not of their text (awslabs/coldsnap, `upload.rs`).
pub(super) fn complete(call: &mut Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let (received, now, pending_ms) = (call.received, call.now, call.state.settings.snapshot_ms);
    let snapshot = open(call, id)?;
    let written = snapshot.direct.as_ref().map(|direct| direct.written.clone()).unwrap_or_default();
    let count: Option<usize> = received.header("x-amz-changedblockscount").and_then(|count| count.parse().ok());
    if count != Some(written.len()) {
        let text = format!("{count:?} changed blocks were said to be written, and {} were", written.len());
        return Err(invalid("INVALID_PARAMETER_VALUE", text));
    }
    if let Some(checksum) = received.header("x-amz-checksum") {
        let (algorithm, method) =
            (received.header("x-amz-checksum-algorithm"), received.header("x-amz-checksum-aggregation-method"));
        if (algorithm, method) != (Some("SHA256"), Some("LINEAR")) {
            return Err(invalid(
                "INVALID_PARAMETER_VALUE",
                "A checksum needs the algorithm SHA256 and the method LINEAR",
            ));
        }
        let digests: Vec<u8> = written.values().flatten().copied().collect();
        if STANDARD.encode(Sha256::digest(&digests)) != checksum {
            return Err(invalid("INVALID_PARAMETER_VALUE", "The checksum of the snapshot is not the one given"));
        }
    }
    snapshot.fate = Fate::Complete(later(now, pending_ms));
    Ok(json(202, &json!({ "Status": "pending" })))
}
