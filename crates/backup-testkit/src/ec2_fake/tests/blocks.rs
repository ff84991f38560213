//! EBS direct: reading.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::ec2_fake::content::Block;

fn escaped(token: &serde_json::Value) -> String {
    form_urlencoded::byte_serialize(token.as_str().unwrap().as_bytes()).collect()
}

/// EBS direct APIs reference, "ListSnapshotBlocks" and "GetSnapshotBlock".
#[test]
fn blocks_are_listed_in_order_and_read_with_their_checksum() {
    let world = World::new();
    let id = world.snapshot(DATA);
    let list = world.get(&format!("/snapshots/{id}/blocks")).unwrap();
    assert_eq!((&list["BlockSize"], &list["VolumeSize"]), (&524_288.into(), &1.into()));
    let indexes: Vec<u64> =
        list["Blocks"].as_array().unwrap().iter().filter_map(|b| b["BlockIndex"].as_u64()).collect();
    assert_eq!(indexes[..3], [0, 1, 16]);
    assert_eq!(indexes.len(), 34);
    let token = escaped(&list["Blocks"][0]["BlockToken"]);
    let reply = world.ebs(Method::GET, &format!("/snapshots/{id}/blocks/0?blockToken={token}"), &[], Bytes::new());
    let reply = reply.unwrap();
    assert_eq!(reply.body().len(), 524_288);
    assert!(reply.body().starts_with(b"rows\0"));
    assert_eq!(reply.headers()["x-amz-checksum"], STANDARD.encode(Sha256::digest(reply.body())).as_str());
}

/// EBS User Guide, "Concepts for EBS direct APIs": tokens change with each listing; each is for one block; it expires.
#[test]
fn block_tokens_change_and_expire() {
    let world = World::new();
    let id = world.snapshot(DATA);
    let list = || world.get(&format!("/snapshots/{id}/blocks")).unwrap()["Blocks"][0]["BlockToken"].clone();
    let (first, second) = (list(), list());
    assert_ne!(first, second);
    let path =
        |index: u32, token: &serde_json::Value| format!("/snapshots/{id}/blocks/{index}?blockToken={}", escaped(token));
    let get = |path: &str| world.ebs(Method::GET, path, &[], Bytes::new());
    assert!(get(&path(0, &first)).is_ok() && get(&path(0, &second)).is_ok());
    assert_eq!(reason(&get(&path(1, &first)).unwrap_err()), "INVALID_BLOCK_TOKEN");
    world.pass(7 * 86_400);
    assert_eq!(reason(&get(&path(0, &second)).unwrap_err()), "INVALID_BLOCK_TOKEN");
}

/// EBS User Guide, "FAQs for EBS direct APIs": at least 100 a page; pages may be empty. "ListSnapshotBlocks": tokens of pages
/// expire in 60 minutes.
#[test]
fn pages_have_100_blocks_at_least_and_may_be_empty() {
    let world = World::new().with(|settings| settings.empty_pages = true);
    world.services.with(|state| {
        let volume = state.regions.get_mut("us-east-1").and_then(|region| region.volumes.get_mut(ROOT)).unwrap();
        (0..300).for_each(|index| volume.content.put(index, Block::Zero));
    });
    let id = world.snapshot(ROOT);
    let empty = world.get(&format!("/snapshots/{id}/blocks?maxResults=5")).unwrap();
    assert_eq!(empty["Blocks"].as_array().map(Vec::len), Some(0));
    let next = format!("/snapshots/{id}/blocks?maxResults=5&pageToken={}", escaped(&empty["NextToken"]));
    let page = world.get(&next).unwrap();
    assert_eq!(page["Blocks"].as_array().map(Vec::len), Some(100));
    assert!(page["NextToken"].is_string());
    assert_eq!(world.reason(&format!("/snapshots/{id}/blocks?maxResults=10001")), "INVALID_PARAMETER_VALUE");
    world.pass(3600);
    assert_eq!(world.reason(&next), "INVALID_PAGE_TOKEN");
}

/// EBS direct APIs reference, "ListChangedBlocks".
#[test]
fn changed_blocks_are_those_of_one_lineage() {
    let world = World::new();
    let first = world.snapshot(DATA);
    world.services.with(|state| {
        let volume = state.regions.get_mut("us-east-1").and_then(|region| region.volumes.get_mut(DATA)).unwrap();
        volume.content.put(0, Block::text(b"changed"));
        volume.content.put(5, Block::text(b"new"));
        volume.content.discard(1);
    });
    let second = world.snapshot(DATA);
    let changed = world.get(&format!("/snapshots/{second}/changedblocks?firstSnapshotId={first}")).unwrap();
    let blocks = changed["ChangedBlocks"].as_array().unwrap();
    let shape: Vec<(u64, bool, bool)> = blocks
        .iter()
        .map(|b| {
            let has = |name: &str| b.get(name).is_some();
            (b["BlockIndex"].as_u64().unwrap(), has("FirstBlockToken"), has("SecondBlockToken"))
        })
        .collect();
    assert_eq!(shape, [(0, true, true), (1, true, false), (5, false, true)]);
    let other = world.snapshot(ROOT);
    let unrelated = format!("/snapshots/{other}/changedblocks?firstSnapshotId={first}");
    assert_eq!(world.reason(&unrelated), "UNRELATED_SNAPSHOTS");
    let turned = format!("/snapshots/{first}/changedblocks?firstSnapshotId={second}");
    assert_eq!(world.reason(&turned), "INVALID_PARAMETER_VALUE");
}

/// EBS User Guide, "Concepts for EBS direct APIs": a copy in another region is not of the lineage of its source.
#[test]
fn a_copy_has_a_lineage_of_its_own() {
    let world = World::new();
    let source = world.snapshot(DATA);
    let copy = world.ec2(&format!("Action=CopySnapshot&SourceRegion=us-east-1&SourceSnapshotId={source}")).unwrap();
    let path = format!("/snapshots/{}/changedblocks?firstSnapshotId={source}", value(&copy, "snapshotId"));
    assert_eq!(world.reason(&path), "UNRELATED_SNAPSHOTS");
}

/// EBS User Guide, "FAQs for EBS direct APIs": only completed snapshots can be read.
#[test]
fn pending_and_missing_snapshots_cannot_be_read() {
    let world = World::new().with(|settings| settings.snapshot_ms = 120_000);
    let id = world.snapshot(DATA);
    assert_eq!(world.reason(&format!("/snapshots/{id}/blocks")), "INVALID_SNAPSHOT_ID");
    assert_eq!(world.reason("/snapshots/snap-00000001/blocks"), "SNAPSHOT_NOT_FOUND");
}

/// What the wire does to a block is seen by its checksum; what was written is not.
#[test]
fn a_damaged_block_does_not_fit_its_checksum() {
    let world = World::new();
    let id = world.snapshot(DATA);
    let order = serde_json::json!({ "region": "us-east-1", "snapshot": id, "block": 0 }).to_string();
    let now = world.clock.now();
    let done =
        world.services.with(|state| super::super::control::obey(state, "POST /_ctl/ec2/damage", order.as_bytes(), now));
    assert_eq!(done, Some(Ok(serde_json::json!({}))));
    let list = world.get(&format!("/snapshots/{id}/blocks")).unwrap();
    let token = escaped(&list["Blocks"][0]["BlockToken"]);
    let reply = world.ebs(Method::GET, &format!("/snapshots/{id}/blocks/0?blockToken={token}"), &[], Bytes::new());
    let reply = reply.unwrap();
    assert_ne!(reply.headers()["x-amz-checksum"], STANDARD.encode(Sha256::digest(reply.body())).as_str());
}
