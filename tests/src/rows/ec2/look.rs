//! Listing and reporting.

use std::time::Duration;

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::{ACCOUNT, Seed, SnapshotSeed};
use backup_testkit::faults::{Action, Rule};
use jiff::{SignedDuration, Timestamp};

use super::{aged, changes, ec2};
use crate::ensure;
use crate::harness::{RowResult, World, page};

const DOCUMENTS: &str = include_str!("../../../../docs/json-ec2.md");

/// E-documents.
pub(super) async fn documents(world: &World) -> RowResult {
    let fake = Ec2Fake::small()?;
    page::documents(world, DOCUMENTS, &fake.environment(ACCOUNT, "us-east-1")).await
}

/// E-denied.
pub(super) async fn denied(world: &World) -> RowResult {
    let fake = Ec2Fake::small()?;
    let refuse = || Action::Status { status: 403, code: "UnauthorizedOperation".to_owned() };
    fake.faults([Rule { op: Some("DescribeSnapshots".to_owned()), ..Rule::new(refuse()) }]);
    let ended = ec2(world, &fake, ["ls", "--region", "us-east-1"]).fails(1).await?;
    ensure!(ended.elapsed < Duration::from_secs(2), "it took {:?}", ended.elapsed);
    ended.says("ec2:DescribeSnapshots is not allowed in us-east-1")?.says("allow `ec2:DescribeSnapshots`")?;
    fake.clear_faults();
    fake.faults([Rule { op: Some("DescribeRegions".to_owned()), ..Rule::new(refuse()) }]);
    ec2(world, &fake, ["snapshot", "--tag", "a=b"]).fails(1).await?.says("ec2:DescribeRegions is not allowed")?;
    Ok(())
}

/// E-regions.
pub(super) async fn regions(world: &World) -> RowResult {
    let fake = Ec2Fake::start(&FakeOptions::default(), aged(&[1, 2, 3])?)?;
    ec2(world, &fake, ["ls", "--region", "us"]).ok().await?.says("snap-00000000000000002")?;
    ec2(world, &fake, ["ls", "--region", "eu-w"]).ok().await?.says("No snapshots")?;
    ec2(world, &fake, ["ls", "--region", "xy"]).fails(2).await?.says("no region is called `xy`")?;
    ec2(world, &fake, ["show", "snap-00000000000000001"]).ok().await?.says("vol-0aaaaaaaaaaaaaa11 in us-east-1")?;
    ec2(world, &fake, ["show", "snap-00000000000000009"]).fails(1).await?.says("there is no snapshot")?;
    let nowhere = ec2(world, &fake, ["show", "snap-00000000000000009"]).fails(1).await?;
    nowhere.says("in any of 3 regions")?;
    ec2(world, &fake, ["snapshot", "i-0123456789abcdef0"]).fails(1).await?.says("in any of 3 regions")?;
    ec2(world, &fake, ["ls", "--region", ""]).fails(2).await?.says("the name of a region is empty")?;
    // A filter of EC2 would take it for every instance.
    for wrong in ["i-*", "5m"] {
        ec2(world, &fake, ["snapshot", wrong]).fails(2).await?.says("an instance ID looks like")?;
    }
    std::fs::write(world.folder().join("lastgood.toml"), "[ec2]\nregions = [\"eu-west-1\"]\n")?;
    ec2(world, &fake, ["ls"]).ok().await?.says("No snapshots")?;
    ec2(world, &fake, ["ls", "--region", "all"]).ok().await?.says("snap-00000000000000002")?;
    ensure!(changes(&fake).is_empty(), "looking changed something: {:?}", changes(&fake));
    Ok(())
}

/// A volume in `us-east-1` with a snapshot and its copy in `eu-west-1`, an hour later. The description says nothing.
fn replicated() -> RowResult<Seed> {
    let mut seed = aged(&[27])?;
    let own = [
        ("lastgood:src-snapshot", "snap-00000000000000000".to_owned()),
        ("lastgood:src-volume", "vol-0aaaaaaaaaaaaaa11".to_owned()),
        ("lastgood:src-region", "us-east-1".to_owned()),
        ("lastgood:time", (Timestamp::now() - SignedDuration::from_hours(27)).to_string()),
    ];
    let copy = SnapshotSeed {
        id: "snap-0000000000000000c".to_owned(),
        volume: "vol-ffffffff".to_owned(),
        start: Some(Timestamp::now() - SignedDuration::from_hours(1)),
        tags: own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        ..SnapshotSeed::default()
    };
    seed.regions.entry("eu-west-1".to_owned()).or_default().snapshots.push(copy);
    Ok(seed)
}

/// E-rpo.
pub(super) async fn rpo(world: &World) -> RowResult {
    let fake = Ec2Fake::start(&FakeOptions::default(), aged(&[27, 50])?)?;
    ec2(world, &fake, ["report", "--rpo", "28h"]).ok().await?.says("27 h ago")?;
    ec2(world, &fake, ["report", "--rpo", "26h"]).fails(20).await?.says("27 h ago, STALE")?;
    let copies = ["report", "--rpo", "28h", "--copies-in", "eu-west-1"];
    ec2(world, &fake, copies).fails(20).await?.says("none, STALE")?;
    let metrics = ["report", "--rpo", "26h", "--format", "prometheus"];
    let labels = r#"{volume="vol-0aaaaaaaaaaaaaa11",home="us-east-1",instance="",region="us-east-1"}"#;
    let said = ec2(world, &fake, metrics).fails(20).await?;
    said.says(&format!("lastgood_ec2_snapshot_stale{labels} 1"))?
        .says("# TYPE lastgood_ec2_snapshot_age_seconds gauge")?;
    ec2(world, &fake, metrics).arg("--json").fails(2).await?.says("a report is either JSON or metrics")?;
    // With regions named, those of the copies are looked at all the same, and nothing is asked of volumes elsewhere.
    let fake = Ec2Fake::start(&FakeOptions::default(), replicated()?)?;
    let copies = ["report", "--rpo", "28h", "--region", "us-east-1", "--copies-in", "eu-west-1"];
    ec2(world, &fake, copies).ok().await?.says("vol-0aaaaaaaaaaaaaa11")?;
    let there = ["report", "--rpo", "28h", "--region", "eu-west-1"];
    ec2(world, &fake, there).ok().await?.says("No volumes")?;
    // A copy is as old as what it is a copy of, whenever it was made.
    let old = ["report", "--rpo", "26h", "--copies-in", "eu-west-1", "--json"];
    let report = ec2(world, &fake, old).fails(20).await?.json()?;
    ensure!(report["volumes"][0]["copies"][0]["is_stale"] == true, "the copy counts as new: {report}");
    Ok(())
}
