//! R1 to R6 and R9: what the rules decide, on manifests dated as a row needs them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{RowResult, World};
use crate::rows::core::craft;
use crate::{ensure, ensure_eq};

/// Exit code of retention that refuses.
const REFUSED: i32 = 14;

/// Dumps an attacker pushes in on each side of now.
const PUSHED: i64 = 15;

fn days_ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24 * days)
}

/// What is decided about each dump: action and reasons.
async fn plan(world: &World, arguments: &[&str]) -> RowResult<BTreeMap<String, (String, String, bool)>> {
    let command = ["pg", "prune", "-n", "--json"].into_iter().chain(arguments.iter().copied());
    let plan = world.lastgood(command).ok().await?.json()?;
    let decided = plan["dumps"].as_array().into_iter().flatten().map(|dump| {
        let text = |field: &str| dump[field].as_str().unwrap_or_default().to_owned();
        let reasons: Vec<&str> = dump["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        (text("key"), (text("action"), reasons.join("; "), dump["future"] == json!(true)))
    });
    Ok(decided.collect())
}

/// Prunes for good; the dumps that are left are those the plan kept.
async fn prune(world: &World, arguments: &[&str]) -> RowResult<Vec<String>> {
    let mut kept: Vec<String> = plan(world, arguments)
        .await?
        .into_iter()
        .filter(|(_, (action, ..))| action == "keep")
        .map(|(key, _)| key)
        .collect();
    world.lastgood(["pg", "prune", "--yes"].into_iter().chain(arguments.iter().copied())).ok().await?;
    let mut left = all(world).await?;
    left.sort();
    kept.sort();
    ensure_eq!(left, kept, "dumps left, against the plan");
    Ok(left)
}

async fn all(world: &World) -> RowResult<Vec<String>> {
    let listing = world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?;
    Ok(listing.as_array().into_iter().flatten().filter_map(|dump| Some(dump["key"].as_str()?.to_owned())).collect())
}

async fn restorable(world: &World, shop: &str, key: &str) -> RowResult {
    world.lastgood(["pg", "verify", key, "--read", "all"]).ok().await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", shop, "--into", &copy]).ok().await?.says(key)?;
    ensure_eq!(world.checksum(&copy)?, world.checksum(shop)?, "the copy of the last good dump");
    Ok(())
}

/// R1.
pub(super) async fn no_rule(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    world.dump(&shop).await?;
    let before = world.place().picture().await?;
    for arguments in
        [&[][..], &[shop.as_str()], &["--yes"], &["-n"], &["--keep-last", "0"], &["--keep-daily", "0", "--yes"]]
    {
        let command = ["pg", "prune"].into_iter().chain(arguments.iter().copied());
        world.lastgood(command).fails(REFUSED).await?.says("nothing was deleted")?;
        ensure_eq!(world.place().picture().await?, before, "the location after prune {arguments:?}");
    }
    Ok(())
}

/// R9: a name that nothing has ends with an error, and is told what there is; a location without dumps is none.
pub(super) async fn mistyped(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.lastgood(["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("there are no dumps in")?;
    world.lastgood(["pg", "prune", "shpo", "--keep-last", "1", "--yes"]).ok().await?;
    world.dump(&shop).await?;
    let before = world.place().picture().await?;
    for (filter, there) in [
        (&["shpo"][..], format!("there are dumps of `{shop}`")),
        (&[&shop, "--config", "nihgtly"], "there are dumps with `default`".to_owned()),
        (&["--config", "nihgtly"], "there are dumps with `default`".to_owned()),
        (&[&shop, "--cluster", "db9"], "there are dumps of `".to_owned()),
    ] {
        for dry in ["--yes", "-n"] {
            let prune = ["pg", "prune", "--keep-last", "3", dry];
            let refused = world.lastgood(prune).args(filter.iter().copied()).fails(2).await?;
            refused.says(&there)?.says("nothing was deleted")?;
        }
        // A listing of nothing is no error, and says the same.
        world.lastgood(["pg", "ls"]).args(filter.iter().copied()).ok().await?.says(&there)?;
    }
    world.lastgood(["pg", "prune", "shpo", "--incomplete", "--yes"]).fails(2).await?;
    world.lastgood(["pg", "prune", &shop, "--config", "default", "--keep-last", "3", "--yes"]).ok().await?;
    ensure_eq!(world.place().picture().await?, before, "the location");
    Ok(())
}

/// R2.
pub(super) async fn fewer_than_kept(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    for _ in 0..2 {
        world.dump(&shop).await?;
    }
    let before = world.place().picture().await?;
    for rule in ["--keep-last", "--keep-daily", "--keep-weekly"] {
        // Both are of one day, of which a daily rule keeps one.
        let output = world.lastgood(["pg", "prune", rule, "10", "--keep-within", "1d", "--yes"]).ok().await?;
        output.says("Nothing to prune")?;
    }
    // Without a question, and without an answer to one.
    world.lastgood(["pg", "prune", &shop, "--keep-last", "10"]).ok().await?.says("Nothing to prune")?;
    ensure_eq!(world.place().picture().await?, before, "the location");
    Ok(())
}

/// R3.
pub(super) async fn last_good(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let dumped = world.dump(&shop).await?;
    let good = craft::move_to(world, &dumped, days_ago(30)).await?;
    let mut partial = Vec::new();
    for day in 1..=10 {
        let planted = craft::plant(world, &good, days_ago(day), |fields| {
            fields["outcome"] = json!("partial");
            fields["sequence"] = json!(20 - day);
        });
        partial.push(planted.await?);
    }
    for rules in [&["--keep-last", "3"][..], &["--keep-daily", "7"], &["--keep-within", "7d"], &["--keep-tag", "none"]]
    {
        let decided = plan(world, rules).await?;
        let (action, reasons, _) = &decided[&good];
        ensure!(action == "keep" && reasons.contains("last good"), "with {rules:?}: {action}, because {reasons}");
    }
    let left = prune(world, &["--keep-last", "3"]).await?;
    ensure!(left.contains(&good), "the last good dump is gone");
    restorable(world, &shop, &good).await
}

/// R4.
pub(super) async fn silent_source(world: &World) -> RowResult {
    let (busy, silent) = (world.sample("busy")?, world.sample("silent")?);
    let dumped = world.dump(&silent).await?;
    let last = craft::move_to(world, &dumped, days_ago(365)).await?;
    let first = craft::plant(world, &last, days_ago(366), |fields| fields["sequence"] = json!(0)).await?;
    for _ in 0..3 {
        world.dump(&busy).await?;
    }
    let newest = world.keys(&busy).await?.pop().unwrap_or_default();
    let left = prune(world, &["--keep-last", "1"]).await?;
    ensure_eq!(left, vec![newest, last.clone()], "dumps left");
    ensure!(!left.contains(&first), "a dump that no rule keeps is left");
    let decided = plan(world, &["--keep-within", "7d"]).await?;
    ensure!(decided[&last].1.contains("last good"), "the silent database's dump stays because {}", decided[&last].1);
    restorable(world, &silent, &last).await
}

/// R5. The pushed-in manifests refer to the originals' own objects, so that deleting one must not take those along.
pub(super) async fn attacker(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let mut originals = Vec::new();
    for day in [6, 4, 2, 0] {
        let dumped = world.dump(&shop).await?;
        originals.push(match day {
            0 => dumped,
            day => craft::move_to(world, &dumped, days_ago(day)).await?,
        });
    }
    let newest = originals[3].clone();
    let (mut future, mut backdated) = (Vec::new(), Vec::new());
    for n in 1..=PUSHED {
        let high = |fields: &mut serde_json::Map<String, Value>| fields["sequence"] = json!(1_000 + n);
        future.push(craft::plant(world, &newest, days_ago(-40 * n), high).await?);
        let low = |fields: &mut serde_json::Map<String, Value>| fields["sequence"] = json!(0);
        backdated.push(craft::plant(world, &newest, days_ago(20 + n), low).await?);
    }
    let rules = ["--keep-within", "7d"];
    let decided = plan(world, &rules).await?;
    for key in &originals {
        ensure!(decided[key].0 == "keep" && decided[key].1.contains("within"), "`{key}`: {:?}", decided[key]);
    }
    for key in &future {
        let (action, reasons, flagged) = &decided[key];
        ensure!(action == "keep" && *flagged && reasons == "dated in the future", "`{key}`: {:?}", decided[key]);
    }
    world.lastgood(["pg", "prune", "-n", rules[0], rules[1]]).ok().await?.says("15 backups are dated in the future")?;
    let left = prune(world, &rules).await?;
    for key in originals.iter().chain(&future) {
        ensure!(left.contains(key), "`{key}` is gone");
    }
    ensure!(!backdated.iter().any(|key| left.contains(key)), "backdated dumps are left, so that nothing was deleted");
    for key in &originals {
        world.lastgood(["pg", "verify", key, "--read", "all"]).ok().await?;
    }
    // Future ones neither use up what `--keep-last` counts.
    let decided = plan(world, &["--keep-last", "4"]).await?;
    ensure!(
        originals.iter().all(|key| decided[key].0 == "keep"),
        "future dumps use up what is to be kept: {decided:?}"
    );
    Ok(())
}

/// R6.
pub(super) async fn needed(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let dumped = world.dump(&shop).await?;
    let full = craft::move_to(world, &dumped, days_ago(30)).await?;
    let other = craft::plant(world, &full, days_ago(20), |fields| fields["sequence"] = json!(2)).await?;
    let id = craft::read(world, &full).await?["id"].clone();
    let delta = craft::plant(world, &full, days_ago(1), |fields| {
        fields["sequence"] = json!(3);
        fields.insert("parent".to_owned(), id);
        // What it needs it does not refer to: only the parent says so.
        fields["parts"] = json!([]);
    })
    .await?;
    let decided = plan(world, &["--keep-last", "1"]).await?;
    let (action, reasons, _) = &decided[&full];
    ensure!(action == "keep" && reasons.contains("needed by"), "the full dump: {action}, because {reasons}");
    ensure!(reasons.contains(&delta), "the delta that needs it is not named: {reasons}");
    ensure_eq!(decided[&other].0, "delete", "what happens to a dump nothing needs");
    let left = prune(world, &["--keep-last", "1"]).await?;
    ensure_eq!(left, vec![full.clone(), delta], "dumps left");
    world.lastgood(["pg", "verify", &full, "--read", "all"]).ok().await?;
    Ok(())
}
