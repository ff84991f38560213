//! Trimming, and applying plans.

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::ImageSeed;

use super::{aged, calls, changes, ec2};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// E-trim.
pub(super) async fn trimmed(world: &World) -> RowResult {
    let fake = Ec2Fake::start(&FakeOptions::default(), aged(&[1, 2, 3, 4])?)?;
    let keep = ["--keep-last", "1"];
    let planned = ec2(world, &fake, ["trim", "-n", "--json"]).args(keep).ok().await?.json()?;
    ensure_eq!((&planned["deleted"], &planned["kept"]), (&3.into(), &1.into()), "the plan");
    ensure!(changes(&fake).is_empty(), "a dry run changed something: {:?}", changes(&fake));
    ec2(world, &fake, ["trim"]).args(keep).fails(15).await?.says("this deletes 3 snapshots")?;
    ec2(world, &fake, ["trim", "--policy", "calendar", "--yes"]).args(ZERO).fails(14).await?;
    ensure_eq!(calls(&fake, "DeleteSnapshot"), 0, "deletions so far");
    ec2(world, &fake, ["trim", "--yes"]).args(keep).ok().await?.says("Deleted 3 snapshots")?;
    ec2(world, &fake, ["trim", "--yes"]).args(keep).ok().await?.says("Deleted 0 snapshots")?;
    ec2(world, &fake, ["ls"]).ok().await?.says("snap-00000000000000000")?;
    kept_by_tag(world).await?;
    unknown_volumes(world).await
}

/// Rules about tags, as names or as pairs.
async fn kept_by_tag(world: &World) -> RowResult {
    let mut seed = aged(&[1, 2, 3, 4])?;
    if let Some(region) = seed.regions.get_mut("us-east-1") {
        region.snapshots[2].tags.insert("Role".to_owned(), "db".to_owned());
        region.snapshots[3].tags.insert("monthly".to_owned(), String::new());
    }
    let fake = Ec2Fake::start(&FakeOptions::default(), seed)?;
    let keep = ["trim", "--yes", "--keep-tag", "Role=db", "--keep-tag", "monthly"];
    ec2(world, &fake, keep).ok().await?.says("Deleted 1 snapshot")?;
    ec2(world, &fake, ["ls"]).ok().await?.says("snap-00000000000000002")?.says("snap-00000000000000003")?;
    Ok(())
}

/// Copies that another tool made: EC2 gives all of them one volume ID, which means nothing.
async fn unknown_volumes(world: &World) -> RowResult {
    let mut seed = aged(&[1, 2, 3])?;
    for snapshot in seed.regions.values_mut().flat_map(|region| &mut region.snapshots) {
        "vol-ffffffff".clone_into(&mut snapshot.volume);
        snapshot.tags.clear();
    }
    let fake = Ec2Fake::start(&FakeOptions::default(), seed)?;
    let ended = ec2(world, &fake, ["trim", "--any", "--yes", "--keep-last", "1"]).ok().await?;
    ended.says("Deleted 0 snapshots")?;
    Ok(())
}

/// A policy that keeps nothing.
const ZERO: [&str; 12] = [
    "--keep-hourly",
    "0",
    "--keep-daily",
    "0",
    "--keep-weekly",
    "0",
    "--keep-monthly",
    "0",
    "--keep-quarterly",
    "0",
    "--keep-yearly",
    "0",
];

/// E8.
pub(super) async fn protected(world: &World) -> RowResult {
    let mut seed = aged(&[1, 2, 3, 4, 5])?;
    if let Some(region) = seed.regions.get_mut("us-east-1") {
        let devices = [("/dev/sda1".to_owned(), region.snapshots[1].id.clone())].into();
        region.images.push(ImageSeed {
            id: "ami-00000000000000007".to_owned(),
            name: "web".to_owned(),
            devices,
            ..ImageSeed::default()
        });
        region.snapshots[2].shared_with = vec!["222222222222".to_owned()];
        region.snapshots[3].tags.insert("preserve_snapshot".to_owned(), "yes".to_owned());
    }
    seed.settings.recycle_bin_days = Some(7);
    let fake = Ec2Fake::start(&FakeOptions::default(), seed)?;
    let ended = ec2(world, &fake, ["trim", "-n", "--keep-last", "1"]).ok().await?;
    ended
        .says("in use by ami-00000000000000007")?
        .says("shared with other accounts")?
        .says("tag `preserve_snapshot`")?;
    let ended = ec2(world, &fake, ["trim", "--yes", "--keep-last", "1"]).ok().await?;
    ended.says("Deleted 1 snapshot; 1 is in the recycle bin")?;
    Ok(())
}

/// E-apply.
pub(super) async fn applied(world: &World) -> RowResult {
    let fake = Ec2Fake::start(&FakeOptions::default(), aged(&[1, 2, 3])?)?;
    let plan = ["trim", "--keep-last", "1", "--out", "plan.json"];
    ec2(world, &fake, plan).ok().await?.says("nothing was changed")?;
    ensure!(changes(&fake).is_empty(), "making a plan changed something: {:?}", changes(&fake));
    ec2(world, &fake, ["apply", "plan.json", "-n"]).ok().await?.says("The plan still fits")?;
    fake.world(|state| {
        if let Some(region) = state.regions.get_mut("us-east-1") {
            region.snapshots.remove("snap-00000000000000002");
        }
    });
    for arguments in [["apply", "plan.json", "-n"], ["apply", "plan.json", "--yes"]] {
        ec2(world, &fake, arguments).fails(1).await?.says("the plan no longer fits")?;
    }
    ec2(world, &fake, plan).ok().await?;
    // Whoever looked at the plan may have tagged what is to stay.
    fake.world(|state| {
        if let Some(one) =
            state.regions.get_mut("us-east-1").and_then(|it| it.snapshots.get_mut("snap-00000000000000001"))
        {
            one.tags.insert("preserve_snapshot".to_owned(), "yes".to_owned());
        }
    });
    let refused = ec2(world, &fake, ["apply", "plan.json", "--yes"]).fails(1).await?;
    refused.says("the plan no longer fits")?.says("make a new plan with `--out`")?;
    ensure_eq!(calls(&fake, "DeleteSnapshot"), 0, "deletions in a world that has changed");
    fake.world(|state| {
        if let Some(one) =
            state.regions.get_mut("us-east-1").and_then(|it| it.snapshots.get_mut("snap-00000000000000001"))
        {
            one.tags.remove("preserve_snapshot");
        }
    });
    ec2(world, &fake, plan).ok().await?;
    ec2(world, &fake, ["apply", "plan.json", "--yes"]).ok().await?.says("Deleted 1 snapshot")?;
    Ok(())
}
