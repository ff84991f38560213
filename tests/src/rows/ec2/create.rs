//! Sets of snapshots, and images of them.

use backup_testkit::ec2_fake::{Ec2Fake, Ending};
use backup_testkit::faults::{Action, Rule};
use serde_json::Value;

use super::{calls, changes, ec2, under};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

const TAG: [&str; 2] = ["--tag", "Earmarking=production"];

fn list<'d>(document: &'d Value, key: &str) -> &'d [Value] {
    document[key].as_array().map_or(&[], Vec::as_slice)
}

/// E-set.
pub(super) async fn sets(world: &World) -> RowResult {
    let fake = Ec2Fake::small()?;
    let planned = ec2(world, &fake, ["snapshot", "-n", "--json"]).args(TAG).ok().await?.json()?;
    ensure_eq!(list(&planned, "sets").len(), 2, "sets planned");
    ensure!(changes(&fake).is_empty(), "a dry run changed something: {:?}", changes(&fake));
    let done = ec2(world, &fake, ["snapshot", "--json", "--wait"]).args(TAG).ok().await?.json()?;
    ensure_eq!((list(&done, "sets").len(), list(&done, "failures").len()), (2, 0), "sets and failures");
    ensure_eq!(calls(&fake, "CreateSnapshots"), 2, "calls of CreateSnapshots");
    let listed = ec2(world, &fake, ["ls", "--json"]).ok().await?.json()?;
    ensure_eq!(list(&listed, "snapshots").len(), 3, "snapshots listed");
    for snapshot in list(&listed, "snapshots") {
        let tags = &snapshot["tags"];
        ensure_eq!(tags["lastgood:src-volume"], snapshot["volume"], "the volume that the tag names");
        ensure_eq!(tags["Earmarking"], "production", "the tag of the instance");
        ensure_eq!(tags["lastgood:consistency"], "crash", "the level");
        ensure!(snapshot["state"] == "completed" && snapshot["set"].is_string(), "{snapshot}");
    }
    let set = list(&done, "sets")[0]["set"].as_str().unwrap_or_default();
    ec2(world, &fake, ["show", set]).ok().await?.says("consistency  crash")?;
    Ok(())
}

/// E-once.
pub(super) async fn once(world: &World) -> RowResult {
    let fake = Ec2Fake::small()?;
    let lose = Rule { op: Some("CreateSnapshots".to_owned()), times: 1, ..Rule::new(Action::LoseResponse) };
    fake.faults([lose]);
    let lost = ec2(world, &fake, ["snapshot", "--region", "us-e", "--json"]).args(TAG).ok().await?;
    let done = lost.says("looking for its snapshots")?.json()?;
    ensure_eq!((list(&done, "sets").len(), calls(&fake, "CreateSnapshots")), (1, 1), "sets and calls");
    let listed = ec2(world, &fake, ["ls", "--json"]).ok().await?.json()?;
    ensure_eq!(list(&listed, "snapshots").len(), 2, "snapshots of the two volumes");
    Ok(())
}

/// E-late.
pub(super) async fn late(world: &World) -> RowResult {
    let fake = Ec2Fake::small()?;
    fake.settings(|settings| settings.per_volume_interval_ms = 0);
    // Later than anybody looks for it.
    let late = Rule { op: Some("CreateSnapshots".to_owned()), times: 1, ..Rule::new(Action::Late { ms: 32_000 }) };
    fake.faults([late]);
    let snapshot = ["snapshot", "i-0aaaaaaaaaaaaaaa1", "--region", "us-east-1", "--json"];
    let done = ec2(world, &fake, snapshot).ok().await?.says("looking for its snapshots")?.json()?;
    let set = list(&done, "sets")[0].clone();
    let known: Vec<&Value> = list(&set, "snapshots").iter().map(|taken| &taken["snapshot"]).collect();
    ensure_eq!((known.len(), calls(&fake, "CreateSnapshots")), (2, 2), "snapshots and calls");
    let all = async || -> RowResult<Vec<Value>> {
        let listed = ec2(world, &fake, ["ls", "--json"]).ok().await?.json()?;
        Ok(list(&listed, "snapshots").iter().map(|one| one["id"].clone()).collect())
    };
    let begin = std::time::Instant::now();
    while all().await?.len() < 4 {
        ensure!(begin.elapsed().as_secs() < 60, "the late request was never carried out");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    under(&fake, "clean-broken")?;
    let name = set["set"].as_str().unwrap_or_default();
    ec2(world, &fake, ["clean-broken", "-n"]).ok().await?.says(&format!("set {name} was created twice"))?;
    ensure_eq!(calls(&fake, "DeleteSnapshot"), 0, "deletions by a dry run");
    ec2(world, &fake, ["clean-broken", "--yes"]).ok().await?.says("Deleted 2 snapshots")?;
    fake.policy(None);
    let left = all().await?;
    ensure!(left.len() == 2 && known.iter().all(|id| left.contains(id)), "{left:?} are left of {known:?}");
    Ok(())
}

/// E-partly.
pub(super) async fn partly(world: &World) -> RowResult {
    let fake = Ec2Fake::small()?;
    let refuse = Action::Status { status: 403, code: "UnauthorizedOperation".to_owned() };
    fake.faults([Rule { op: Some("CreateSnapshots".to_owned()), key: "eu-west-1".to_owned(), ..Rule::new(refuse) }]);
    let ended = ec2(world, &fake, ["snapshot", "--json"]).args(TAG).fails(3).await?;
    let ended = ended.says("ec2:CreateSnapshots is not allowed in eu-west-1")?;
    let done = ended.json()?;
    ensure_eq!((list(&done, "sets").len(), list(&done, "failures").len()), (1, 1), "sets and failures");

    // Where nothing was done at all, nobody is told that the rest was.
    fake.clear_faults();
    let refuse = Action::Status { status: 400, code: "AuthFailure".to_owned() };
    fake.faults([Rule { op: Some("DescribeInstances".to_owned()), ..Rule::new(refuse) }]);
    let ended = ec2(world, &fake, ["snapshot"]).args(TAG).fails(12).await?;
    ended.says("does not accept the credentials")?.never_says("everything else was done")?;
    Ok(())
}

/// E5.
pub(super) async fn failing(world: &World) -> RowResult {
    let fake = Ec2Fake::small()?;
    fake.endings([Ending {
        region: Some("us-east-1".to_owned()),
        copies: None,
        skip: 1,
        times: 1,
        after_ms: 0,
        message: "the key was disabled".to_owned(),
    }]);
    let ended = ec2(world, &fake, ["snapshot", "--region", "us-east-1", "--wait"]).args(TAG).fails(3).await?;
    ended.says("failed: the key was disabled")?;
    ec2(world, &fake, ["report", "--rpo", "1h", "--region", "us-east-1"]).args(TAG).fails(20).await?.says("STALE")?;
    ec2(world, &fake, ["clean-broken", "-n"]).ok().await?.says("the key was disabled")?;
    ec2(world, &fake, ["clean-broken"]).fails(15).await?;
    ensure_eq!(calls(&fake, "DeleteSnapshot"), 0, "deletions before the confirmation");
    ec2(world, &fake, ["clean-broken", "--yes"]).ok().await?.says("Deleted 1 snapshot")?;
    Ok(())
}

/// E-image.
pub(super) async fn image(world: &World) -> RowResult {
    let fake = Ec2Fake::small()?;
    let arguments = ["snapshot", "i-0aaaaaaaaaaaaaaa1", "--wait", "--json"];
    let done = ec2(world, &fake, arguments).ok().await?.json()?;
    let set = list(&done, "sets")[0]["set"].as_str().unwrap_or_default().to_owned();
    let planned = ec2(world, &fake, ["image", &set, "--region", "us-east", "-n", "--json"]).ok().await?.json()?;
    ensure_eq!(list(&planned, "devices").len(), 2, "devices of the image");
    ensure_eq!(planned["root_device"], "/dev/sda1", "the root device");
    ensure_eq!(calls(&fake, "RegisterImage"), 0, "images made by a dry run");
    ec2(world, &fake, ["image", &set, "--region", "us-east"]).ok().await?.says("Created image ami-")?;
    Ok(())
}
