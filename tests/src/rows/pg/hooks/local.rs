//! Hooks of restores that keep copies or come from one.

use super::{TOOL, psql};
use crate::ensure_eq;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::pg::local::Trio;

/// `--reversible`, `:current`, `:previous` and any other local database.
pub(super) async fn local(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let trio = Trio::of(&shop);
    let dumped = world.checksum(&shop)?;
    world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let old = world.checksum(&shop)?;
    let psql = psql(world);
    // Each run adds one, so that hooks that ran twice or not at all are told apart.
    let add = format!("{psql} -c 'UPDATE customers SET version = version + 10'");
    let version = |database: &str| {
        Ok::<_, crate::harness::Failure>(
            world.psql(database, "SELECT DISTINCT version FROM customers")?.trim().to_owned(),
        )
    };
    let into = ["--into", &shop, "--confirm-database", &shop];
    let restore =
        |source: &str, options: &[&str]| world.lastgood([&["pg", "restore", source][..], &into, options].concat());
    // `:current` is what came out of the dump, before any hook.
    restore(&shop, &["--reversible", "--pre-swap-hook", &add]).ok().await?;
    ensure_eq!(version(&shop)?, "11", "the version after one hook");
    ensure_eq!(world.checksum(&trio.current)?, dumped, "`:current`");
    ensure_eq!(world.checksum(&trio.previous)?, old, "`:previous`");
    let plan = restore(":current", &["--pre-swap-hook", &add, "-n"]).ok().await?;
    plan.says("pre-swap")?;
    let before = (world.checksum(&shop)?, world.databases()?);
    for hook in ["exit 1", &format!("{add}; sleep 99")] {
        restore(":current", &["--pre-swap-hook", hook, "--hook-timeout", "1s"]).fails(TOOL).await.within(hook)?;
        ensure_eq!((world.checksum(&shop)?, world.databases()?), before, "the server after `{hook}`");
        ensure_eq!(world.checksum(&trio.current)?, dumped, "`:current` after `{hook}`");
    }
    // The hook runs again on a copy of `:current`, which stays as it is.
    restore(":current", &["--pre-swap-hook", &add, "--pre-swap-hook", &add]).ok().await?;
    ensure_eq!(version(&shop)?, "21", "the version after two hooks");
    ensure_eq!(world.checksum(&trio.current)?, dumped, "`:current` after it was restored");
    // `:previous` comes back as it was; what is live afterwards may be told.
    let options = ["--pre-swap-hook", "exit 1", "--post-swap-hook", &add, "--json"];
    let output = restore(":previous", &options).ok().await?.says("hooks of pre-swap were not run")?;
    ensure_eq!(output.json()?["hooks"][0]["point"].as_str(), Some("post-swap"), "the hooks that ran");
    ensure_eq!(version(&shop)?, "12", "the version of what was previous, after a hook on the live database");
    restore(":previous", &["--post-swap-hook", "exit 7"]).fails(TOOL).await?.says("was not undone")?;
    ensure_eq!(version(&shop)?, "21", "the version after the way back");
    // Any other database.
    let other = world.sample("other")?;
    restore(&format!(":{other}"), &["--pre-swap-hook", &add]).ok().await?;
    ensure_eq!(
        (version(&shop)?, version(&other)?),
        ("11".to_owned(), "1".to_owned()),
        "a local database, and its source"
    );
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left");
    Ok(())
}
