//! ListSnapshotBlocks, ListChangedBlocks and GetSnapshotBlock.

use backup_core::clock::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::call::{Answer, Call, DATA_LENGTH, index, invalid, json, seconds};
use crate::aws_fake::{ApiError, Reply, reply};
use crate::ec2_fake::content::{BLOCK_BYTES, Block};
use crate::ec2_fake::state::later;
use crate::ec2_fake::token::{Refusal, fingerprint, open, seal};

/// "The minimum MaxResult parameter value you can use is 100. If you submit a request with a MaxResult parameter value of
/// under 100, and there are more than 100 blocks in the snapshot, then the API will return at least 100 results" (EBS User
/// Guide, "FAQs for EBS direct APIs"); at most 10,000 (EBS direct APIs reference, "ListSnapshotBlocks").
const PAGE_MIN: u32 = 100;
const PAGE_MAX: u32 = 10_000;

/// Entries of a page where none were asked for.
const PAGE: u32 = 1000;

/// A page of a listing: from which index on, how many, and whether it is the empty one that legally comes before.
struct Page {
    start: u32,
    max: usize,
    query: String,
    empty: bool,
    serial: u64,
    page_end: Timestamp,
    block_end: Timestamp,
}

impl Page {
    fn read(call: &mut Call<'_>, query: &str) -> Result<Self, ApiError> {
        let settings = call.state.settings.clone();
        let max = match call.number("maxResults")? {
            Some(asked) if asked > PAGE_MAX => {
                return Err(invalid("INVALID_PARAMETER_VALUE", format!("MaxResults must be at most {PAGE_MAX}")));
            }
            asked => asked.unwrap_or(PAGE).max(PAGE_MIN) as usize,
        };
        let query = fingerprint(query);
        // "If you specify NextToken, then StartingBlockIndex is ignored."
        let (start, empty) = match call.received.query("pageToken") {
            None => (call.number("startingBlockIndex")?.unwrap_or(0), settings.empty_pages),
            Some(token) => {
                let fields = open(token, &["blocks", &query], call.now).map_err(|refusal| {
                    let what = if refusal == Refusal::Expired { "has expired" } else { "is not valid" };
                    invalid("INVALID_PAGE_TOKEN", format!("The page token {what}"))
                })?;
                let start = fields.first().and_then(|start| start.parse().ok());
                (start.ok_or_else(|| invalid("INVALID_PAGE_TOKEN", "The page token is not valid"))?, false)
            }
        };
        Ok(Self {
            start,
            max: max.min(settings.page_max),
            query,
            empty,
            serial: call.state.serial(),
            page_end: later(call.now, settings.block_page_token_s.saturating_mul(1000)),
            block_end: later(call.now, settings.block_token_s.saturating_mul(1000)),
        })
    }

    /// The indexes of this page, and the token of the next one.
    fn take(&self, indexes: impl Iterator<Item = u32>) -> (Vec<u32>, Option<String>) {
        let token = |start: u32| seal(&["blocks", &self.query, &start.to_string()], self.page_end);
        let mut indexes = indexes.skip_while(|index| *index < self.start);
        if self.empty {
            return (Vec::new(), Some(token(self.start)));
        }
        let page: Vec<u32> = indexes.by_ref().take(self.max).collect();
        (page, indexes.next().map(token))
    }

    /// A block's token: another one in each listing ("They change … if you run another ListSnapshotBlocks or
    /// ListChangedBlocks request for the same snapshot", EBS User Guide, "Concepts for EBS direct APIs").
    fn token(&self, snapshot: &str, index: u32) -> String {
        seal(&["block", snapshot, &index.to_string(), &self.serial.to_string()], self.block_end)
    }

    fn answer(&self, name: &str, blocks: Vec<Value>, size: u64, next: Option<String>) -> Reply {
        let mut body = json!({
            name: blocks,
            "ExpiryTime": seconds(self.block_end),
            "VolumeSize": size,
            "BlockSize": BLOCK_BYTES,
        });
        if let Some(next) = next {
            body["NextToken"] = next.into();
        }
        json(200, &body)
    }
}

pub(super) fn list(call: &mut Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let page = Page::read(call, id)?;
    let snapshot = call.readable(id)?;
    let (indexes, next) = page.take(snapshot.content.indexes(page.start));
    let block = |index: u32| json!({ "BlockIndex": index, "BlockToken": page.token(id, index) });
    Ok(page.answer("Blocks", indexes.into_iter().map(block).collect(), snapshot.size, next))
}

/// "two Amazon EBS snapshots of the same volume/snapshot lineage" (EBS direct APIs reference, "ListChangedBlocks"), else a
/// ValidationException with the reason `UNRELATED_SNAPSHOTS`.
pub(super) fn changed(call: &mut Call<'_>, second_id: &str) -> Result<Reply, ApiError> {
    let Some(first_id) = call.received.query("firstSnapshotId").map(str::to_owned) else {
        // "FirstSnapshotId: … is optional": without it every block is a changed one, with its second token only.
        let page = Page::read(call, second_id)?;
        let second = call.readable(second_id)?;
        let (indexes, next) = page.take(second.content.indexes(page.start));
        let block = |index: u32| json!({ "BlockIndex": index, "SecondBlockToken": page.token(second_id, index) });
        return Ok(page.answer("ChangedBlocks", indexes.into_iter().map(block).collect(), second.size, next));
    };
    let page = Page::read(call, &format!("{first_id} {second_id}"))?;
    let first = call.readable(&first_id)?.clone();
    let second = call.readable(second_id)?;
    if first.lineage != second.lineage {
        let text = format!("The snapshots {first_id} and {second_id} are not related");
        return Err(invalid("UNRELATED_SNAPSHOTS", text));
    }
    if first.start > second.start {
        let text = "The second snapshot must be created after the first snapshot";
        return Err(invalid("INVALID_PARAMETER_VALUE", text));
    }
    let (indexes, next) = page.take(first.content.differing(&second.content, page.start).into_iter());
    let block = |index: u32| {
        // "This value is absent if the first [or second] snapshot does not have the changed block."
        let mut block = json!({ "BlockIndex": index });
        for (name, snapshot) in [("FirstBlockToken", &first), ("SecondBlockToken", second)] {
            if snapshot.content.get(index).is_some() {
                block[name] = page.token(&snapshot.id, index).into();
            }
        }
        block
    };
    Ok(page.answer("ChangedBlocks", indexes.into_iter().map(block).collect(), second.size, next))
}

pub(super) fn get(call: &mut Call<'_>, id: &str, text: &str) -> Result<Answer, ApiError> {
    let now = call.now;
    let token = call.received.query("blockToken").unwrap_or_default().to_owned();
    let snapshot = call.readable(id)?;
    let index = index(text, snapshot)?;
    open(&token, &["block", id, &index.to_string()], now).map_err(|refusal| {
        let what = if refusal == Refusal::Expired { "has expired" } else { "is not valid" };
        invalid("INVALID_BLOCK_TOKEN", format!("The block token {what}"))
    })?;
    let block = snapshot.content.get(index).cloned();
    let block = block.ok_or_else(|| invalid("INVALID_BLOCK", format!("Block {index} was never written")))?;
    Ok(Answer::Block { block, is_damaged: snapshot.damaged.contains(&index) })
}

/// A block on the wire, with its checksum.
pub(super) fn sent(block: &Block, is_damaged: bool) -> Reply {
    let mut bytes = block.bytes();
    let checksum = STANDARD.encode(block.sha256());
    if is_damaged {
        bytes = flipped(&bytes);
    }
    let mut reply = reply(200, "application/octet-stream", bytes);
    let headers = [
        ("x-amz-data-length", DATA_LENGTH.to_string()),
        ("x-amz-checksum", checksum),
        ("x-amz-checksum-algorithm", "SHA256".to_owned()),
    ];
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = BytesMut::from(&bytes[..]);
    if let Some(byte) = bytes.get_mut(BLOCK_BYTES / 2) {
        *byte ^= 1;
    }
    bytes.freeze()
}
