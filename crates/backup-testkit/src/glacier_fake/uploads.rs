//! Archives in one request or in parts.

use bytes::Bytes;
use serde_json::json;

use super::body::Body;
use super::hash::{Hash, MEBIBYTE, leaves_and_whole, root};
use super::state::{Archive, Name, Part, State, Upload, arn, description, invalid, missing};
use crate::aws_fake::{ApiError, Received, Reply, reply};

/// Most parts of an upload, and the largest part ("Uploading large archives in parts").
const PARTS_MAX: u64 = 10_000;
const PART_BYTES_MAX: u64 = 4096 * MEBIBYTE;

/// Most parts that one page lists ("ListParts").
const PAGE_MAX: usize = 50;

const HASH: &str = "x-amz-sha256-tree-hash";

pub(super) fn empty(status: u16) -> Reply {
    reply(status, "application/json", Bytes::new())
}

pub(super) fn with_header(mut reply: Reply, name: &'static str, value: &str) -> Reply {
    if let Ok(value) = value.parse() {
        reply.headers_mut().insert(name, value);
    }
    reply
}

/// What a body is, as the request says too.
#[derive(Debug)]
pub(super) struct Checked {
    leaves: Vec<Hash>,
    tree_hash: String,
}

/// What the body is, if the request says the same of it. It takes long, and no lock is to be held meanwhile.
pub(super) fn checked(received: &Received) -> Result<Checked, ApiError> {
    let (leaves, whole) = leaves_and_whole(&received.body);
    let found = root(leaves.clone());
    match received.header(HASH) {
        None => {
            return Err(ApiError::new(
                400,
                "MissingParameterValueException",
                format!("Required header missing: {HASH}"),
            ));
        }
        Some(said) if said != found => {
            return Err(invalid(format!("Checksum mismatch: expected {said} but computed {found}")));
        }
        Some(_) => {}
    }
    let said = received.header("x-amz-content-sha256").filter(|said| said.len() == 64);
    if said.is_some_and(|said| said != hex::encode(whole)) {
        return Err(invalid("The value passed in as x-amz-content-sha256 does not match the computed payload hash"));
    }
    Ok(Checked { leaves, tree_hash: found })
}

/// The description as it came, whatever its characters.
fn described(received: &Received) -> &[u8] {
    received.headers.get("x-amz-archive-description").map(|value| value.as_bytes()).unwrap_or_default()
}

fn number(received: &Received, name: &str) -> Result<u64, ApiError> {
    let text = received.header(name).ok_or_else(|| invalid(format!("Required header missing: {name}")))?;
    text.parse().map_err(|_| invalid(format!("Invalid {name}: {text}")))
}

pub(super) fn upload_archive(
    state: &mut State,
    vault: &Name,
    received: &Received,
    checked: Checked,
) -> Result<Reply, ApiError> {
    let tree_hash = checked.tree_hash;
    if received.body.is_empty() {
        return Err(invalid("Invalid content length: an archive has at least one byte"));
    }
    let description = description(described(received))?;
    let id = state.id(138);
    let archive = Archive {
        body: Body::of(vec![received.body.clone()]),
        tree_hash: tree_hash.clone(),
        description,
        created: received.now,
    };
    state.vault(vault)?.archives.insert(id.clone(), archive);
    Ok(archived(vault, &id, &tree_hash))
}

fn archived(vault: &Name, id: &str, tree_hash: &str) -> Reply {
    let location = format!("/{}/vaults/{}/archives/{id}", vault.0, vault.2);
    let reply = with_header(empty(201), "x-amz-archive-id", id);
    with_header(with_header(reply, HASH, tree_hash), "location", &location)
}

pub(super) fn initiate(state: &mut State, vault: &Name, received: &Received) -> Result<Reply, ApiError> {
    let part_bytes = number(received, "x-amz-part-size")?;
    let is_size = part_bytes.is_multiple_of(MEBIBYTE)
        && (part_bytes / MEBIBYTE).is_power_of_two()
        && part_bytes <= PART_BYTES_MAX;
    if !is_size {
        return Err(invalid("Invalid part size: must be a power of two of mebibytes, up to 4096"));
    }
    let description = description(described(received))?;
    let id = state.id(92);
    let upload = Upload { description, part_bytes, created: received.now, parts: Default::default(), archive: None };
    state.vault(vault)?.uploads.insert(id.clone(), upload);
    let location = format!("/{}/vaults/{}/multipart-uploads/{id}", vault.0, vault.2);
    Ok(with_header(with_header(empty(201), "x-amz-multipart-upload-id", &id), "location", &location))
}

/// The range of `Content-Range: bytes 0-1048575/*`.
fn content_range(received: &Received) -> Option<(u64, u64)> {
    let range = received.header("content-range")?.strip_prefix("bytes ")?.strip_suffix("/*")?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse::<u64>().ok()?.checked_add(1)?))
}

pub(super) fn part(
    state: &mut State,
    vault: &Name,
    id: &str,
    received: &Received,
    checked: Checked,
) -> Result<Reply, ApiError> {
    let Checked { leaves, tree_hash } = checked;
    let (start, end) = content_range(received).ok_or_else(|| invalid("Invalid Content-Range"))?;
    let body = match state.forgets {
        true => Body::forgotten(received.body.len()),
        false => Body::of(vec![received.body.clone()]),
    };
    let upload = open(state, vault, id)?;
    if end.checked_sub(start) != Some(received.body.len() as u64) || received.body.is_empty() {
        return Err(invalid("Content-Range does not match the length of the body"));
    }
    if !start.is_multiple_of(upload.part_bytes) || end - start > upload.part_bytes {
        return Err(invalid("Content-Range is not aligned with the part size"));
    }
    if start / upload.part_bytes >= PARTS_MAX {
        return Err(invalid("An upload has up to 10,000 parts"));
    }
    // A short part in the middle is noticed only at the end.
    upload.parts.insert(start, Part { body, leaves, tree_hash: tree_hash.clone() });
    Ok(with_header(empty(204), HASH, &tree_hash))
}

fn open<'s>(state: &'s mut State, vault: &Name, id: &str) -> Result<&'s mut Upload, ApiError> {
    let upload = state.vault(vault)?.uploads.get_mut(id);
    upload.filter(|upload| upload.archive.is_none()).ok_or_else(|| missing("The upload ID was", id))
}

pub(super) fn list_parts(state: &mut State, vault: &Name, id: &str, received: &Received) -> Result<Reply, ApiError> {
    let upload = open(state, vault, id)?;
    let marker: u64 = received.query("marker").and_then(|marker| marker.parse().ok()).unwrap_or_default();
    let limit = received.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let mut rest = upload.parts.range(marker..);
    let listed = |(start, part): (&u64, &Part)| {
        let last = start + part.body.len() as u64 - 1;
        json!({"RangeInBytes": format!("{start}-{last}"), "SHA256TreeHash": part.tree_hash})
    };
    let page: Vec<_> = rest.by_ref().take(limit).map(listed).collect();
    let body = json!({
        "ArchiveDescription": upload.description,
        "CreationDate": upload.created.to_string(),
        "Marker": rest.next().map(|(start, _)| start.to_string()),
        "MultipartUploadId": id,
        "PartSizeInBytes": upload.part_bytes,
        "Parts": page,
        "VaultARN": arn(vault),
    });
    Ok(reply(200, "application/json", body.to_string()))
}

pub(super) fn complete(state: &mut State, vault: &Name, id: &str, received: &Received) -> Result<Reply, ApiError> {
    let bytes = number(received, "x-amz-archive-size")?;
    let said = received.header(HASH).unwrap_or_default().to_owned();
    let fresh = state.id(138);
    let found = state.vault(vault)?.uploads.get_mut(id).ok_or_else(|| missing("The upload ID was", id))?;
    if let Some((archive, tree_hash)) = &found.archive {
        // "CompleteMultipartUpload is an idempotent operation."
        return if *tree_hash == said {
            Ok(archived(vault, archive, tree_hash))
        } else {
            Err(invalid("Checksum mismatch"))
        };
    }
    let mut end = 0;
    for (start, part) in &found.parts {
        if *start != end {
            return Err(invalid(format!("The parts are not contiguous: bytes {end}-{} are missing", start - 1)));
        }
        end += part.body.len() as u64;
    }
    if end == 0 || end != bytes {
        return Err(invalid(format!("Total size {end} does not match the archive size {bytes}")));
    }
    // All parts but the last are whole mebibytes, or they would not be contiguous.
    let tree_hash = root(found.parts.values().flat_map(|part| &part.leaves).copied().collect());
    if tree_hash != said {
        return Err(invalid(format!("Checksum mismatch: expected {said} but computed {tree_hash}")));
    }
    found.archive = Some((fresh.clone(), tree_hash.clone()));
    let archive = Archive {
        body: Body::concat(std::mem::take(&mut found.parts).into_values().map(|part| part.body)),
        tree_hash: tree_hash.clone(),
        description: found.description.clone(),
        created: received.now,
    };
    state.vault(vault)?.archives.insert(fresh.clone(), archive);
    Ok(archived(vault, &fresh, &tree_hash))
}

pub(super) fn abort(state: &mut State, vault: &Name, id: &str) -> Result<Reply, ApiError> {
    open(state, vault, id)?;
    state.vault(vault)?.uploads.remove(id);
    Ok(empty(204))
}
