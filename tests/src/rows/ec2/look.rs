//! Listing and reporting.

use std::time::Duration;

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::ACCOUNT;
use backup_testkit::faults::{Action, Rule};

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
    std::fs::write(world.folder().join("lastgood.toml"), "[ec2]\nregions = [\"eu-west-1\"]\n")?;
    ec2(world, &fake, ["ls"]).ok().await?.says("No snapshots")?;
    ec2(world, &fake, ["ls", "--region", "all"]).ok().await?.says("snap-00000000000000002")?;
    ensure!(changes(&fake).is_empty(), "looking changed something: {:?}", changes(&fake));
    Ok(())
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
    Ok(())
}
