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
    ensure_eq!(calls(&fake, "DeleteSnapshot"), 0, "deletions in a world that has changed");
    ec2(world, &fake, plan).ok().await?;
    ec2(world, &fake, ["apply", "plan.json", "--yes"]).ok().await?.says("Deleted 1 snapshot")?;
    Ok(())
}
