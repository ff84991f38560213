//! Dumps whose tables and frames are too many for a manifest, and are in lists beside it.

mod by_hand;
mod huge;

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Failure, Output, RowResult, World};
use crate::printer::note;
use crate::{ensure, ensure_eq};

pub(super) use by_hand::restored_by_hand;

/// Makes every dump have lists.
const LISTS: (&str, &str) = ("LASTGOOD_LISTS_OVER", "0");

/// Exit code for what is not what was written.
const INTEGRITY: i32 = 13;

/// What a command may take, whatever the size of a dump.
const MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How often the memory of a command is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Dumps `database` with lists.
async fn dump(world: &World, database: &str) -> RowResult<String> {
    let output = world.lastgood(["pg", "dump", database, "--json"]).env(LISTS.0, LISTS.1).ok().await?;
    let key = output.json()?["key"].as_str().map(str::to_owned);
    key.ok_or_else(|| output.fault("it names no key"))
}

/// What `show` says of the dump that does not depend on where its tables and frames are.
async fn shown(world: &World, key: &str) -> RowResult<Value> {
    let mut shown = world.lastgood(["pg", "show", key, "--json"]).ok().await?.json()?;
    let Value::Object(fields) = &mut shown else { return Err(Failure::new("`show` shows no object")) };
    fields.retain(|name, _| {
        let of_one = ["key", "id", "created_at", "started_at", "sequence", "parts", "tool"];
        ![&of_one[..], &["stored_bytes", "added_bytes", "shared_bytes"]].concat().contains(&name.as_str())
    });
    // Which rows share a frame and a pack is up to the workers, and their sizes with it; the server's position moves.
    fields.remove("server");
    for table in fields.get_mut("tables").and_then(Value::as_array_mut).into_iter().flatten() {
        ensure!(table["frames"].as_u64() > Some(0), "a table without frames: {table}");
    }
    Ok(shown)
}

/// B-lists.
pub(super) async fn beside_the_manifest(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let plain = world.dump(&shop).await?;
    let key = dump(world, &shop).await?;
    let lists = world.place().keys_ending(".jsonl.zst").await?;
    ensure!(lists.len() == 2 && lists.iter().all(|list| list.contains(&key)), "lists: {lists:?}");
    ensure_eq!(shown(world, &key).await?, shown(world, &plain).await?, "what is shown with lists and without");
    let run = |command: &[&str]| world.lastgood(command.iter().copied());
    run(&["pg", "verify", &key, "--read", "all"]).ok().await?;

    // All of it, a part of it, and its rows alone.
    let live = world.checksum(&shop)?;
    world.set_version(&shop, 2)?;
    run(&["pg", "restore", &key, "--confirm-database", &shop]).ok().await?;
    ensure_eq!(world.checksum(&shop)?, live, "the restored database");
    let part = world.name("part");
    run(&["pg", "restore", &key, "--table", "customers", "--into", &part]).ok().await?;
    ensure_eq!(world.psql(&part, "SELECT count(*) FROM customers")?, "500", "rows of the one table");
    world.set_version(&shop, 3)?;
    let rows = ["pg", "restore", key.as_str(), "--data-only", "--replace-rows", "--confirm-database", shop.as_str()];
    run(&rows).args(["--table", "customers", "--table", "orders"]).ok().await?;
    ensure_eq!(world.checksum(&shop)?, live, "the database whose rows were restored");

    // Damage is named, and nothing is restored.
    for list in &lists {
        let whole = world.place().read(list).await?;
        world.place().write(list, &whole[..whole.len() - 1]).await?;
        run(&["pg", "verify", &key, "--read", "none"]).fails(INTEGRITY).await?.says(list)?;
        run(&["pg", "restore", &key, "--confirm-database", &shop]).fails(INTEGRITY).await?.says(list)?;
        world.place().write(list, &whole).await?;
    }
    ensure_eq!(world.checksum(&shop)?, live, "the database that was not restored");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");

    // The lists go with their dump.
    world.dump(&shop).await?;
    run(&["pg", "prune", &shop, "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(world.place().keys_ending(".jsonl.zst").await?, Vec::<String>::new(), "lists after the prune");
    Ok(())
}

/// B-manifest.
pub(super) async fn of_two_tebibytes(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.psql(&shop, "CREATE TABLE huge (a text)")?;
    let key = dump(world, &shop).await?;
    let made = huge::grow(world, &key)?;
    let copy = world.name("copy");
    // The second object is the first pack, with the rows of the tables that are really there.
    let first_pack = format!("2/{}", made.objects);
    let commands: [&[&str]; 7] = [
        &["pg", "ls"],
        &["pg", "show", &key],
        &["pg", "show", &key, "--json"],
        &["pg", "verify", &key, "--read", "none"],
        &["pg", "verify", &key, "--read", &first_pack],
        &["pg", "restore", &key, "--into", &copy, "-n"],
        &["pg", "restore", &key, "--into", &copy, "--table", "orders", "--table", "customers"],
    ];
    let mut peaks = Vec::new();
    for command in commands {
        let (output, peak) = with_peak(world, command).await?;
        output.expect_code(0)?;
        peaks.push((command[1], peak));
    }
    let told: Vec<String> = peaks.iter().map(|(verb, peak)| format!("{verb} {} MiB", peak >> 20)).collect();
    note(&format!("      peak memory with {} frames: {}", made.frames, told.join(", ")));
    for (verb, peak) in peaks {
        ensure!(peak <= MEMORY_BYTES_MAX, "`{verb}` took {} MiB", peak >> 20);
    }
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM orders")?, "3000", "rows of the restored table");

    let run = |command: &[&str]| world.lastgood(command.iter().copied());
    let path = world.folder().join("location").join(&made.list);
    let whole = std::fs::read(&path)?;
    std::fs::write(&path, &whole[..whole.len() - 10])?;
    run(&["pg", "verify", &key, "--read", "none"]).fails(INTEGRITY).await?.says(&made.list)?;
    run(&["pg", "restore", &key, "--into", &world.name("other"), "-n"]).fails(INTEGRITY).await?.says(&made.list)?;
    // The list that is damaged has none of their frames.
    run(&["pg", "restore", &key, "--into", &world.name("third"), "--table", "customers"]).ok().await?;
    Ok(())
}

/// Runs a command, and says how much memory it took at most.
async fn with_peak(world: &World, command: &[&str]) -> RowResult<(Output, u64)> {
    let mut running = world.lastgood(command.iter().copied()).start()?;
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while !running.has_ended()? {
        let seen = std::fs::read_to_string(&status).ok().and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.split_ascii_whitespace().next()?.parse::<u64>().ok()
        });
        peak = peak.max(seen.unwrap_or_default() * 1024);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    ensure!(peak > 0, "the memory of {command:?} was never seen");
    Ok((running.finish().await?, peak))
}
