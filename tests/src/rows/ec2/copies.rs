//! Copies in other regions.

use backup_testkit::ec2_fake::{Ec2Fake, Ending};
use backup_testkit::faults::{Action, Rule};
use futures::future::BoxFuture;
use serde_json::Value;

use super::{calls, changes, ec2};
use crate::harness::{Area, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

const COPY: [&str; 5] = ["replicate", "--from", "us-e", "--to", "eu-west-1"];

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    let row = |id: &str, title: &str, run: fn(&World) -> BoxFuture<'_, RowResult>| {
        Row::new(id, title, Area::Ec2, Locations::Folder, run)
    };
    vec![
        row("E7", "a copy that is there is not made again; -n changes nothing", |world| Box::pin(once(world))),
        row("E-lost-copy", "the answer to CopySnapshot is lost: found by tag, one copy", |world| Box::pin(lost(world))),
        row("E-kill-copy", "kill -9 amid the copies: the next run takes them over", |world| Box::pin(killed(world))),
        row("E-slots", "no slot for a copy: it waits", |world| Box::pin(slots(world))),
        row("E-copy-error", "a copy that turns out as an error: once more, then 3", |world| {
            Box::pin(turns_error(world))
        }),
        row("E-everywhere", "every region to the primary, and that to the secondary", |world| {
            Box::pin(everywhere(world))
        }),
    ]
}

/// A fake whose region `us-east-1` has a complete set of two snapshots.
async fn with_a_set(world: &World) -> RowResult<Ec2Fake> {
    let fake = Ec2Fake::small()?;
    ec2(world, &fake, ["snapshot", "i-0aaaaaaaaaaaaaaa1", "--wait"]).ok().await?;
    fake.clear_log();
    Ok(fake)
}

/// The copies that are in `region`, by the snapshot they are of.
async fn copies(world: &World, fake: &Ec2Fake, region: &str) -> RowResult<Vec<String>> {
    let listed = ec2(world, fake, ["ls", "--region", region, "--json"]).ok().await?.json()?;
    let snapshots = listed["snapshots"].as_array().cloned().unwrap_or_default();
    let source = |snapshot: &Value| snapshot["tags"]["lastgood:src-snapshot"].as_str().map(str::to_owned);
    let mut sources: Vec<String> = snapshots.iter().filter_map(source).collect();
    sources.sort();
    Ok(sources)
}

/// E7.
pub(super) async fn once(world: &World) -> RowResult {
    let fake = with_a_set(world).await?;
    ec2(world, &fake, COPY).arg("-n").ok().await?.says("copy  snap-")?;
    ensure!(changes(&fake).is_empty(), "a dry run changed something: {:?}", changes(&fake));
    ec2(world, &fake, COPY).ok().await?.says("Copied 2 snapshots to eu-west-1")?;
    let made = copies(world, &fake, "eu-west-1").await?;
    ensure_eq!((made.len(), calls(&fake, "CopySnapshot")), (2, 2), "copies and calls");
    ec2(world, &fake, COPY).ok().await?.says("Copied 0 snapshots to eu-west-1; 2 had a copy already")?;
    ensure_eq!(calls(&fake, "CopySnapshot"), 2, "calls after the second run");
    Ok(())
}

/// E-lost-copy.
pub(super) async fn lost(world: &World) -> RowResult {
    let fake = with_a_set(world).await?;
    let lose = Rule { op: Some("CopySnapshot".to_owned()), times: 1, ..Rule::new(Action::LoseResponse) };
    fake.faults([lose]);
    ec2(world, &fake, COPY).ok().await?.says("Copied 2 snapshots")?;
    let mut made = copies(world, &fake, "eu-west-1").await?;
    made.dedup();
    ensure_eq!((made.len(), calls(&fake, "CopySnapshot")), (2, 2), "copies and calls");
    Ok(())
}

/// E-kill-copy.
pub(super) async fn killed(world: &World) -> RowResult {
    let fake = with_a_set(world).await?;
    // Copies that take a while are under way when the run dies.
    fake.settings(|settings| settings.copy_ms = 3000);
    let mut run = ec2(world, &fake, COPY).env("LASTGOOD_PROGRESS", "json").start()?;
    run.wait_for("replicate.copy").await?;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    run.signal(rustix::process::Signal::KILL)?;
    run.finish().await?.expect_killed()?;
    ec2(world, &fake, COPY).ok().await?;
    let made = copies(world, &fake, "eu-west-1").await?;
    let mut each = made.clone();
    each.dedup();
    ensure_eq!((made.len(), each.len()), (2, 2), "copies, and snapshots that have one");
    Ok(())
}

/// E-slots.
pub(super) async fn slots(world: &World) -> RowResult {
    let fake = with_a_set(world).await?;
    fake.settings(|settings| settings.copy_slots = 1);
    ec2(world, &fake, COPY).ok().await?.says("Copied 2 snapshots")?;
    ensure_eq!(copies(world, &fake, "eu-west-1").await?.len(), 2, "copies");
    Ok(())
}

/// E-copy-error.
pub(super) async fn turns_error(world: &World) -> RowResult {
    let fake = with_a_set(world).await?;
    let failing = |times| Ending {
        region: Some("eu-west-1".to_owned()),
        copies: Some(true),
        skip: 0,
        times,
        after_ms: 0,
        message: "Given key ID is not accessible".to_owned(),
    };
    fake.endings([failing(1)]);
    ec2(world, &fake, COPY).ok().await?.says("Given key ID is not accessible; it is tried once more")?;
    ensure_eq!(calls(&fake, "CopySnapshot"), 3, "calls, one of them again");

    let fake = with_a_set(world).await?;
    fake.endings([failing(99)]);
    ec2(world, &fake, COPY).fails(3).await?.says("Given key ID is not accessible")?;
    ensure_eq!(calls(&fake, "CopySnapshot"), 4, "calls: each copy and once more");
    ec2(world, &fake, COPY).fails(3).await?.says("two copies failed in EC2")?;
    ensure_eq!(calls(&fake, "CopySnapshot"), 4, "calls after the next run");
    Ok(())
}

/// E-everywhere.
pub(super) async fn everywhere(world: &World) -> RowResult {
    let fake = with_a_set(world).await?;
    ec2(world, &fake, ["snapshot", "i-0bbbbbbbbbbbbbbb1", "--wait"]).ok().await?;
    let all = ["replicate", "--all-regions", "--primary", "us-east-1", "--secondary", "ap-s"];
    ec2(world, &fake, all).ok().await?;
    ensure_eq!(copies(world, &fake, "us-east-1").await?.len(), 1, "copies in the primary region");
    ensure_eq!(copies(world, &fake, "ap-southeast-1").await?.len(), 3, "copies in the secondary region");
    ensure_eq!(copies(world, &fake, "eu-west-1").await?.len(), 0, "copies elsewhere");
    Ok(())
}
