//! Damage, kills and prunes beside dumps that build on others.

use backup_core::key::Key;
use backup_core::manifest::Manifest;

use super::{bytes, contents, in_folder, key, report, restored, source};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::rows::kill::all_is_well;
use crate::{ensure, ensure_eq};

/// Exit code for what is not what was written.
const INTEGRITY: i32 = 13;

/// The largest pack.
async fn largest_pack(world: &World) -> RowResult<String> {
    let objects = world.place().objects().await?.into_iter();
    let largest = objects.filter(|object| object.key.ends_with(".pack")).max_by_key(|object| object.bytes);
    Ok(largest.map(|object| object.key).unwrap_or_default())
}

/// P-again-damage: a damaged pack is damage of all dumps that need it; a full dump needs none; a missing one is stored again.
pub(in crate::rows::pg) async fn stored_anew(world: &World) -> RowResult {
    let shop = source(world)?;
    let (first, second) = (world.dump(&shop).await?, world.dump(&shop).await?);
    let pack = largest_pack(world).await?;
    let whole = world.place().read(&pack).await?;
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    world.place().write(&pack, &flipped).await?;
    for dump in [&first, &second] {
        let found = world.lastgood(["pg", "verify", dump, "--read", "all"]).fails(INTEGRITY).await?.says(&pack)?;
        found.says(&first)?.says(&second)?;
        let copy = world.name("damaged");
        world.lastgood(["pg", "restore", dump, "--into", &copy]).fails(INTEGRITY).await?.says(&pack)?;
        ensure!(!world.databases()?.contains(&copy), "`{copy}` was made of a damaged dump");
    }
    let full = report(world, &shop, &["--full"]).await?;
    world.lastgood(["pg", "verify", &key(&full)?, "--read", "all"]).ok().await?;
    // The next one builds on that, and not on what is damaged.
    let next = report(world, &shop, &[]).await?;
    ensure!(bytes(&next, "added_bytes")? < 200_000, "after a full dump: {next}");
    world.lastgood(["pg", "verify", &key(&next)?, "--read", "all"]).ok().await?;

    let pack = format!("pg/{}/data/", key(&full)?);
    let packs: Vec<String> =
        world.place().keys_ending(".pack").await?.into_iter().filter(|at| at.starts_with(&pack)).collect();
    for pack in &packs {
        world.place().remove(pack).await?;
    }
    let output =
        world.lastgood(["pg", "dump", &shop, "--json"]).ok().await?.says("is missing, or not as long as it was")?;
    let again = output.json_lines()?.pop().unwrap_or_default();
    ensure!(bytes(&again, "added_bytes")? > whole.len() as u64 / 2, "after packs went: {again}");
    let again = key(&again)?;
    world.lastgood(["pg", "verify", &again, "--read", "all"]).ok().await?;
    ensure_eq!(restored(world, &again, "copy").await?, contents(world, &shop)?, "the rows");
    Ok(())
}

/// P-again-killed: whatever step a dump dies at that builds on another, that one and all others stay whole, also if it is pruned
/// meanwhile; what was reserved goes with what the dead dump left.
pub(in crate::rows::pg) async fn killed(world: &World) -> RowResult {
    let shop = source(world)?;
    world.dump(&shop).await?;
    let steps = world.lastgood(["pg", "dump", &shop]).env("LASTGOOD_PROGRESS", "json").ok().await?.steps();
    for step in ["dump.reuse", "dump.data", "dump.catalogue", "dump.manifest", "dump.published"] {
        ensure!(steps.iter().any(|other| other == step), "no step `{step}` in {steps:?}");
        killed_at(world, &shop, step).await.within(&format!("killed at {step}"))?;
    }
    Ok(())
}

async fn killed_at(world: &World, shop: &str, step: &str) -> RowResult {
    let builds_on = world.dump(shop).await?;
    let live = contents(world, shop)?;
    world.lastgood(["pg", "dump", shop]).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
    let reserved = world.place().keys_ending("uses.json").await?;
    let is_reserved = ["dump.data", "dump.catalogue", "dump.manifest"].contains(&step);
    ensure_eq!(reserved.len(), usize::from(is_reserved), "reservations: {reserved:?}");
    // The dead dump might be alive: what it reserved stays, though nothing else needs it.
    let full = key(&report(world, shop, &["--full"]).await?)?;
    world.lastgood(["pg", "prune", shop, "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(world.keys(shop).await?, vec![full.clone()], "dumps after the prune");
    ensure_eq!(packs_beside(world, &full).await? > 0, is_reserved, "whether packs of `{builds_on}` are left");
    all_is_well(world).await?;
    // What the dead one left, and then what only that needed.
    for _ in 0..2 {
        world.lastgood(["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
    }
    ensure_eq!(packs_beside(world, &full).await?, 0, "packs that nothing needs");
    ensure!(in_folder(world, &full).await? > 0, "the full dump is gone");
    let after = world.dump(shop).await?;
    ensure_eq!(restored(world, &after, "copy").await?, live, "a dump after the kill");
    Ok(())
}

async fn packs_beside(world: &World, dump: &str) -> RowResult<usize> {
    Ok(world.place().keys_ending(".pack").await?.iter().filter(|pack| !pack.contains(dump)).count())
}

/// P-again-forged: a manifest says of two frames that each is the other. What builds on it is found to be wrong before anything is
/// changed, by verification and by restore, and a full dump believes none of it.
pub(in crate::rows::pg) async fn forged(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    // As long as each other, and with as many rows.
    world.psql(
        &shop,
        "CREATE TABLE a AS SELECT g FROM generate_series(1, 4) g; CREATE TABLE b AS SELECT 9 - g AS g FROM a",
    )?;
    let first = world.dump(&shop).await?;
    let name = format!("pg/{first}/manifest.json");
    let at: Key = name.parse().map_err(|error| Failure::new(format!("{error}")))?;
    let mut manifest: Manifest = Manifest::from_bytes(&at, &world.place().read(&name).await?)?;
    let tables = &mut manifest.detail["tables"];
    let digest = |table: &serde_json::Value| table["frames"][0]["content_sha256"].clone();
    let (of_a, of_b) = (digest(&tables[0]), digest(&tables[1]));
    ensure!(of_a.is_string() && of_b.is_string() && of_a != of_b, "digests of contents: {of_a}, {of_b}");
    tables[0]["frames"][0]["content_sha256"] = of_b;
    tables[1]["frames"][0]["content_sha256"] = of_a;
    world.place().write(&name, &manifest.to_bytes()?).await?;

    let second = report(world, &shop, &[]).await?;
    ensure!(bytes(&second, "shared_bytes")? > 0, "it was believed: {second}");
    let second = key(&second)?;
    let live = world.psql(&shop, "SELECT string_agg(g::text, ',') FROM (TABLE a UNION ALL TABLE b) t")?;
    for dump in [&first, &second] {
        let found = world.lastgood(["pg", "verify", dump, "--read", "all"]).fails(INTEGRITY).await?;
        found.says("its content is not what was dumped")?.says("public.a")?;
        let restore = ["pg", "restore", dump, "--confirm-database", &shop];
        world.lastgood(restore).fails(INTEGRITY).await?.says("its content is not what was dumped")?;
        let part =
            ["pg", "restore", dump, "--data-only", "--replace-rows", "--table", "a", "--confirm-database", &shop];
        world.lastgood(part).fails(INTEGRITY).await?.says("its content is not what was dumped")?;
    }
    let after = world.psql(&shop, "SELECT string_agg(g::text, ',') FROM (TABLE a UNION ALL TABLE b) t")?;
    ensure_eq!(after, live, "the live database");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    let full = key(&report(world, &shop, &["--full"]).await?)?;
    world.lastgood(["pg", "verify", &full, "--read", "all"]).ok().await?;
    Ok(())
}
