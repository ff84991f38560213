//! A9: rules by which the bucket itself expires and freezes backups.

use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// A9.
pub(super) async fn rules(world: &World) -> RowResult {
    let daily = ["app", "lifecycle", "daily", "--expire-after", "30d"];
    world.lastgood(daily).fails(2).await?.says("--print")?;
    let Some(peer) = world.place().peer() else {
        world.lastgood(daily).args(["--print"]).fails(2).await?.says("is not a bucket")?.says("app prune")?;
        return Ok(());
    };
    let printed = world.lastgood(daily).args(["--print"]).ok().await?.says("if backups of `daily` stop")?.json()?;
    ensure_eq!(printed["Rules"][0]["Expiration"]["Days"].as_u64(), Some(30), "days of the printed rule");
    let folder = printed["Rules"][0]["Filter"]["Prefix"].as_str().unwrap_or_default().to_owned();
    ensure!(folder.ends_with("/app/daily/"), "the rule is for `{folder}`");
    ensure!(peer.log().is_empty(), "printing asked the bucket");

    world.lastgood(daily).args(["--apply", "-n"]).ok().await?.says("Would add 2")?;
    let calls = peer.log();
    ensure!(calls.iter().all(|call| call.op.starts_with("Get")), "a dry run did more than look");
    world.lastgood(daily).args(["--apply"]).ok().await?.says("2 added")?;
    let monthly = ["app", "lifecycle", "monthly", "--glacier-after", "60d", "--apply"];
    world.lastgood(monthly).ok().await?.says("to GLACIER after 60 days")?.says("2 other rules stay")?;
    world.lastgood(daily).args(["--apply"]).ok().await?.says("already has these rules")?;
    let shorter = ["app", "lifecycle", "daily", "--expire-after", "20d", "--apply", "--json"];
    let report = world.lastgood(shorter).ok().await?.json()?;
    ensure_eq!(report["change"]["replaced"].as_u64(), Some(1), "rules replaced");
    ensure_eq!(report["change"]["kept"].as_u64(), Some(2), "rules of others");
    for bad in [&["--expire-after", "90m"][..], &["--expire-after", "30d", "--glacier-after", "60d"], &[]] {
        world.lastgood(["app", "lifecycle", "daily", "--apply"]).args(bad.iter().copied()).fails(2).await?;
    }
    let nowhere = world.place().url().replacen("s3://", "s3://no-such-", 1);
    world.lastgood(monthly).args(["-r", &nowhere]).fails(10).await?.says("create the bucket `no-such-")?;
    world.lastgood(["app", "backup", "--source", "ndjson:.", "-r", &nowhere]).fails(10).await?.says("`no-such-")?;
    Ok(())
}
