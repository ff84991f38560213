//! A dump with something left out is never the last good one: rows W1.

use crate::harness::{Area, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// Rows of the table that is left out.
const ORDERS: &str = "50000";

/// Exit code of a refusal.
const REFUSED: i32 = 1;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("W1-prune", "prune never takes a full dump for a newer partial one", Area::Truth, Both, |world| {
            Box::pin(prune(world))
        }),
        Row::new(
            "W1-latest",
            "restore takes the newest complete dump, and says what it passed",
            Area::Truth,
            Both,
            |w| Box::pin(latest(w)),
        ),
        Row::new("W1-config", "--config means its own dumps, for restore, ls and prune", Area::Truth, Both, |world| {
            Box::pin(config(world))
        }),
        Row::new("W1-table", "rows that were left out are not restored as none", Area::Truth, Both, |world| {
            Box::pin(table(world))
        }),
    ]
}

/// A database with 50,000 orders.
fn shop(world: &World) -> RowResult<String> {
    let shop = world.create("shop")?;
    world.psql(
        &shop,
        "CREATE SCHEMA audit; CREATE TABLE audit.log (id int PRIMARY KEY); CREATE TABLE audit.who (id int);
         CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE customers (id int PRIMARY KEY);
         INSERT INTO audit.log SELECT generate_series(1, 500); INSERT INTO audit.who SELECT generate_series(1, 5);
         INSERT INTO orders SELECT g, 'order ' || g FROM generate_series(1, 50000) g;
         INSERT INTO customers SELECT generate_series(1, 100)",
    )?;
    Ok(shop)
}

async fn dumped(world: &World, shop: &str, options: &[&str]) -> RowResult<String> {
    let command = ["pg", "dump", shop, "--json"].into_iter().chain(options.iter().copied());
    let report = world.lastgood(command).ok().await?.json()?;
    Ok(report["key"].as_str().unwrap_or_default().to_owned())
}

async fn lite(world: &World, shop: &str) -> RowResult<String> {
    dumped(world, shop, &["--config", "lite", "--exclude-table-data", "orders"]).await
}

fn orders(world: &World, database: &str) -> RowResult<String> {
    world.psql(database, "SELECT count(*) FROM orders")
}

async fn prune(world: &World) -> RowResult {
    let shop = shop(world)?;
    let full = dumped(world, &shop, &["--config", "nightly"]).await?;
    // Left out under another configuration, under the same one, and altogether.
    lite(world, &shop).await?;
    dumped(world, &shop, &["--config", "nightly", "--exclude-table-data", "orders"]).await?;
    dumped(world, &shop, &["--config", "nightly", "--exclude-table", "orders"]).await?;
    for rules in [&["--keep-daily", "7", "--keep-weekly", "4"][..], &["--keep-last", "1"], &["--keep-within", "1h"]] {
        let command = ["pg", "prune", shop.as_str(), "--yes"].into_iter().chain(rules.iter().copied());
        world.lastgood(command).ok().await?;
        ensure!(world.keys(&shop).await?.contains(&full), "the full dump went with {rules:?}");
    }
    world.psql(&shop, "DELETE FROM orders")?;
    world.lastgood(["pg", "restore", &shop, "--confirm-database", &shop]).ok().await?.says(&full)?;
    ensure_eq!(orders(world, &shop)?, ORDERS, "orders after the restore");
    Ok(())
}

async fn latest(world: &World) -> RowResult {
    let shop = shop(world)?;
    let copy = world.name("copy");
    let partial = lite(world, &shop).await?;
    // Nothing complete is there: only its key means the partial one.
    let refused = world.lastgood(["pg", "restore", &shop, "--into", &copy]).fails(REFUSED).await?;
    refused.says("no complete dump")?.says("pg ls")?;
    ensure_eq!(world.databases()?, std::slice::from_ref(&shop), "databases after the refusal");
    let plan = world.lastgood(["pg", "restore", &partial, "--into", &copy, "-n"]).ok().await?;
    plan.says("IS PARTIAL")?.says("public.orders")?;

    let full = dumped(world, &shop, &["--config", "nightly"]).await?;
    let newest = lite(world, &shop).await?;
    for output in [
        world.lastgood(["pg", "restore", &shop, "--into", &copy, "-n"]).ok().await?,
        world.lastgood(["pg", "restore", &shop, "--into", &copy]).ok().await?,
    ] {
        output.says(&full)?.says("skipped 1 newer")?.says(&newest)?;
    }
    ensure_eq!(orders(world, &copy)?, ORDERS, "orders of the copy");
    let listing = world.lastgood(["pg", "ls", &shop, "--json"]).ok().await?.json()?;
    let states: Vec<&str> =
        listing.as_array().into_iter().flatten().filter_map(|dump| dump["state"].as_str()).collect();
    ensure_eq!(states, ["partial", "good", "partial"], "states of the listing");
    for command in [["pg", "show", shop.as_str(), "--json"], ["pg", "verify", shop.as_str(), "--json"]] {
        ensure_eq!(world.lastgood(command).ok().await?.json()?["key"], full.as_str(), "the latest of {command:?}");
    }
    Ok(())
}

async fn config(world: &World) -> RowResult {
    let shop = shop(world)?;
    let nightly = dumped(world, &shop, &["--config", "nightly"]).await?;
    let older = lite(world, &shop).await?;
    let newer = lite(world, &shop).await?;
    let planned = async |config: &str| -> RowResult<serde_json::Value> {
        let copy = world.name("copy");
        world.lastgood(["pg", "restore", &shop, "--config", config, "--into", &copy, "-n", "--json"]).ok().await?.json()
    };
    ensure_eq!(planned("nightly").await?["key"], nightly.as_str(), "the dump of `nightly`");
    let plan = planned("lite").await?;
    ensure_eq!(plan["key"], newer.as_str(), "the dump of `lite`");
    ensure_eq!(plan["complete"], false, "whether it is complete");
    ensure!(plan["missing"].to_string().contains("public.orders"), "what is missing: {}", plan["missing"]);
    let copy = world.name("copy");
    let unknown = world.lastgood(["pg", "restore", &shop, "--config", "nigthly", "--into", &copy]).fails(2).await?;
    unknown.says("nigthly")?.says("`nightly`")?;

    let listed = world.lastgood(["pg", "ls", &shop, "--config", "lite", "--json"]).ok().await?.json()?;
    ensure_eq!(listed.as_array().map(Vec::len), Some(2), "dumps that `ls --config lite` shows");
    world.lastgood(["pg", "prune", &shop, "--config", "nightly", "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(world.keys(&shop).await?.len(), 3, "dumps after pruning another configuration");
    world.lastgood(["pg", "prune", &shop, "--config", "lite", "--keep-last", "1", "--yes"]).ok().await?.says(&older)?;
    ensure_eq!(world.keys(&shop).await?, [nightly, newer], "dumps after pruning `lite`");
    Ok(())
}

async fn table(world: &World) -> RowResult {
    let shop = shop(world)?;
    let copy = world.name("copy");
    let key = dumped(world, &shop, &["--exclude-table-data", "audit.log"]).await?;
    for part in [["--table", "audit.log"], ["--table", "audit.*"]] {
        for end in [&[][..], &["-n"]] {
            let command = ["pg", "restore", key.as_str(), "--into", copy.as_str()].into_iter().chain(part);
            let refused = world.lastgood(command.chain(end.iter().copied())).fails(REFUSED).await?;
            refused.says("rows of `audit.log` were left out")?;
        }
    }
    let live =
        ["pg", "restore", &key, "--data-only", "--table", "audit.log", "--replace-rows", "--confirm-database", &shop];
    world.lastgood(live).fails(REFUSED).await?.says("left out")?;
    ensure_eq!(world.psql(&shop, "SELECT count(*) FROM audit.log")?, "500", "rows of the live table");
    // What the dump has can be had.
    world.lastgood(["pg", "restore", &key, "--into", &copy, "--table", "audit.who"]).ok().await?;
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM audit.who")?, "5", "rows of a table that is there");
    let definitions = world.name("definitions");
    world
        .lastgood(["pg", "restore", &key, "--into", &definitions, "--table", "audit.log", "--schema-only"])
        .ok()
        .await?;
    Ok(())
}
