//! EBS direct: writing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::*;

fn start(world: &World, body: &str) -> Result<String, ApiError> {
    let reply = world.ebs(Method::POST, "/snapshots", &[], Bytes::from(body.to_owned()))?;
    let json: serde_json::Value = serde_json::from_slice(reply.body()).unwrap();
    assert_eq!((&json["Status"], &json["BlockSize"]), (&"pending".into(), &524_288.into()));
    Ok(json["SnapshotId"].as_str().unwrap().to_owned())
}

fn block(byte: u8) -> (Bytes, [u8; 32]) {
    let bytes = vec![byte; 524_288];
    let digest = Sha256::digest(&bytes).into();
    (bytes.into(), digest)
}

fn put(world: &World, id: &str, index: u32, (bytes, digest): &(Bytes, [u8; 32])) -> Result<Reply, ApiError> {
    let headers = [
        ("x-amz-data-length", "524288"),
        ("x-amz-checksum", &*STANDARD.encode(digest)),
        ("x-amz-checksum-algorithm", "SHA256"),
    ];
    world.ebs(Method::PUT, &format!("/snapshots/{id}/blocks/{index}"), &headers, bytes.clone())
}

fn complete(world: &World, id: &str, count: usize, checksum: &str) -> Result<Reply, ApiError> {
    let headers = [
        ("x-amz-changedblockscount", &*count.to_string()),
        ("x-amz-checksum", checksum),
        ("x-amz-checksum-algorithm", "SHA256"),
        ("x-amz-checksum-aggregation-method", "LINEAR"),
    ];
    world.ebs(Method::POST, &format!("/snapshots/completion/{id}"), &headers, Bytes::new())
}

/// EBS direct APIs reference, "CompleteSnapshot": the count, and SHA-256 over the checksums in the order of the indexes.
#[test]
fn a_snapshot_is_complete_with_the_right_count_and_checksum_only() {
    let world = World::new();
    let id = start(&world, r#"{"VolumeSize": 1}"#).unwrap();
    let (a, b) = (block(1), block(2));
    put(&world, &id, 7, &b).unwrap();
    put(&world, &id, 3, &a).unwrap();
    let checksum = STANDARD.encode(Sha256::digest([a.1, b.1].concat()));
    assert!(complete(&world, &id, 1, &checksum).is_err());
    let turned = STANDARD.encode(Sha256::digest([b.1, a.1].concat()));
    assert!(complete(&world, &id, 2, &turned).is_err());
    assert_eq!(complete(&world, &id, 2, &checksum).unwrap().status(), 202);
    assert_eq!(reason(&put(&world, &id, 4, &a).unwrap_err()), "INVALID_SNAPSHOT_ID");
    let list = world.get(&format!("/snapshots/{id}/blocks")).unwrap();
    assert_eq!(list["Blocks"].as_array().map(Vec::len), Some(2));
}

/// EBS direct APIs reference, "PutSnapshotBlock": size, checksum and index are checked.
#[test]
fn a_wrong_block_is_refused() {
    let world = World::new();
    let id = start(&world, r#"{"VolumeSize": 1}"#).unwrap();
    let (bytes, digest) = block(1);
    assert!(put(&world, &id, 2047, &(bytes.clone(), digest)).is_ok());
    assert_eq!(reason(&put(&world, &id, 2048, &(bytes.clone(), digest)).unwrap_err()), "INVALID_BLOCK");
    assert_eq!(reason(&put(&world, &id, 1, &(bytes.slice(1..), digest)).unwrap_err()), "INVALID_BLOCK");
    assert_eq!(reason(&put(&world, &id, 1, &(bytes, [0; 32])).unwrap_err()), "INVALID_BLOCK");
}

/// EBS direct APIs reference, "StartSnapshot", "ParentSnapshotId" and "Encrypted".
#[test]
fn a_parent_gives_blocks_and_goes_with_no_encryption() {
    let world = World::new();
    let parent = world.snapshot(DATA);
    let with = |more: &str| start(&world, &format!(r#"{{"VolumeSize": 1, "ParentSnapshotId": "{parent}"{more}}}"#));
    assert!(with(r#", "Encrypted": false"#).is_err());
    assert!(with(r#", "KmsKeyArn": "k""#).is_err());
    assert_eq!(reason(&start(&world, r#"{"VolumeSize": 1, "KmsKeyArn": "k"}"#).unwrap_err()), "INVALID_CUSTOMER_KEY");
    let id = with("").unwrap();
    let (bytes, digest) = block(9);
    put(&world, &id, 5, &(bytes, digest)).unwrap();
    complete(&world, &id, 1, &STANDARD.encode(Sha256::digest(digest))).unwrap();
    let list = world.get(&format!("/snapshots/{id}/blocks")).unwrap();
    assert_eq!(list["Blocks"].as_array().map(Vec::len), Some(35));
    let changed = world.get(&format!("/snapshots/{id}/changedblocks?firstSnapshotId={parent}")).unwrap();
    assert_eq!(changed["ChangedBlocks"].as_array().map(Vec::len), Some(1));
    world.services.with(|state| state.regions.get_mut("us-east-1").unwrap().encryption_by_default = true);
    assert_eq!(reason(&with("").unwrap_err()), "INVALID_PARAMETER_VALUE");
}

/// EBS direct APIs reference, "StartSnapshot", "Timeout": 10 to 4320 minutes, from the last block on.
#[test]
fn an_open_snapshot_fails_when_no_block_comes() {
    let world = World::new();
    for odd in [9, 4321] {
        let body = format!(r#"{{"VolumeSize": 1, "Timeout": {odd}}}"#);
        assert_eq!(reason(&start(&world, &body).unwrap_err()), "INVALID_PARAMETER_VALUE");
    }
    let id = start(&world, r#"{"VolumeSize": 1, "Timeout": 10}"#).unwrap();
    world.pass(599);
    put(&world, &id, 0, &block(1)).unwrap();
    world.pass(599);
    put(&world, &id, 1, &block(1)).unwrap();
    world.pass(600);
    assert_eq!(reason(&put(&world, &id, 2, &block(1)).unwrap_err()), "WRITE_REQUEST_TIMEOUT");
    assert_eq!(value(&world.ec2(&format!("Action=DescribeSnapshots&SnapshotId.1={id}")).unwrap(), "status"), "error");
}

/// EBS direct APIs reference, "StartSnapshot", "ClientToken": the same request is the same snapshot, another a conflict.
#[test]
fn a_client_token_is_for_one_request() {
    let world = World::new();
    let body = r#"{"VolumeSize": 1, "ClientToken": "t"}"#;
    assert_eq!(start(&world, body).unwrap(), start(&world, body).unwrap());
    let other = start(&world, r#"{"VolumeSize": 2, "ClientToken": "t"}"#).unwrap_err();
    assert_eq!((other.status, other.code.as_str()), (409, "ConflictException"));
}

/// EBS direct APIs reference, "StartSnapshot": `ServiceQuotaExceededException` has the status 402.
#[test]
fn the_quota_is_402() {
    let world = World::new().with(|settings| settings.direct_open_max = 1);
    start(&world, r#"{"VolumeSize": 1}"#).unwrap();
    let error = start(&world, r#"{"VolumeSize": 1}"#).unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (402, "ServiceQuotaExceededException"));
}

/// awslabs/coldsnap #43 and #141: for up to two minutes the service does not know what it has just made.
#[test]
fn a_new_snapshot_does_not_exist_yet() {
    let world = World::new().with(|settings| settings.direct_not_yet_ms = 120_000);
    let id = start(&world, r#"{"VolumeSize": 1}"#).unwrap();
    let one = block(1);
    assert_eq!(reason(&put(&world, &id, 0, &one).unwrap_err()), "SNAPSHOT_NOT_FOUND");
    world.pass(120);
    put(&world, &id, 0, &one).unwrap();
    complete(&world, &id, 1, &STANDARD.encode(Sha256::digest(one.1))).unwrap();
    assert_eq!(world.reason(&format!("/snapshots/{id}/blocks")), "SNAPSHOT_NOT_FOUND");
    world.pass(120);
    assert!(world.get(&format!("/snapshots/{id}/blocks")).is_ok());
}
