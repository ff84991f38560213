//! Killed at every step: the live database is never lost and never half-restored, and the next run mends what is left.

mod carry;
mod data_only;
mod dump;
mod local;
mod random;
mod restore;
mod signal;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::place::is_temporary;
use crate::harness::{Area, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("K-dump", "kill -9 at every step of a dump; prune frees what it left", Area::Kill, Both, |world| {
            Box::pin(dump::every_step(world))
        }),
        Row::new("K-upload", "kill -9 amid an upload; prune frees what it left", Area::Kill, Both, |world| {
            Box::pin(dump::amid_upload(world))
        }),
        Row::new("K-restore", "kill -9 at every step of restore and swap, then recover", Area::Kill, Both, |world| {
            Box::pin(restore::every_step(world, restore::Next::Recover))
        }),
        Row::new("K-again", "kill -9 at every step of restore and swap, then restore", Area::Kill, Both, |world| {
            Box::pin(restore::every_step(world, restore::Next::Restore))
        }),
        Row::new("K-next", "kill -9 at every step of restore and swap, then dump", Area::Kill, Both, |world| {
            Box::pin(restore::every_step(world, restore::Next::Dump))
        }),
        Row::new("K-into", "kill -9 at every step of a restore into a new database", Area::Kill, Both, |world| {
            Box::pin(restore::into_new(world))
        }),
        Row::new("K-recover", "kill -9 during recover, then recover", Area::Kill, Both, |world| {
            Box::pin(restore::recover_killed(world))
        }),
        Row::new("K-legacy", "kill -9 at every step of restoring a single-file dump", Area::Kill, Both, |world| {
            Box::pin(restore::single_file(world))
        }),
        Row::new("K-reversible", "kill -9 at every step of a reversible restore", Area::Kill, Folder, |world| {
            Box::pin(local::reversible(world))
        }),
        Row::new("K-plain", "kill -9 while a restore drops both copies", Area::Kill, Folder, |world| {
            Box::pin(local::plain(world))
        }),
        Row::new("K-toggle", "kill -9 at every step of `restore :previous`", Area::Kill, Folder, |world| {
            Box::pin(local::toggle(world))
        }),
        Row::new("K-current", "kill -9 at every step of `restore :current`", Area::Kill, Folder, |world| {
            Box::pin(local::current(world))
        }),
        Row::new("K-copy", "kill -9 at every step of a local copy", Area::Kill, Folder, |world| {
            Box::pin(local::copy(world))
        }),
        Row::new("K-data", "kill -9 at every step of putting rows into a live database", Area::Kill, Both, |world| {
            Box::pin(data_only::every_step(world))
        }),
        Row::new("K-carry", "kill -9 at every step of a restore that carries tables over", Area::Kill, Both, |world| {
            Box::pin(carry::every_step(world))
        }),
        Row::new("P9", "kill -9 at random times of dump and restore (seeded)", Area::Kill, Both, |world| {
            Box::pin(random::kills(world))
        }),
        Row::new("K-term", "SIGTERM and SIGINT at every step: 143 and 130, all cleaned", Area::Kill, Both, |world| {
            Box::pin(signal::every_step(world))
        }),
    ]
}

/// The names of `steps`, each with its number if it comes several times; the second time stands for all later ones.
fn points(steps: &[String]) -> Vec<String> {
    let mut points: Vec<String> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match steps[..at].iter().filter(|earlier| *earlier == step).count() {
            0 => points.push(step.clone()),
            1 => points.push(format!("{step}#2")),
            _ => {}
        }
    }
    points
}

/// Nothing is left of lastgood's, nobody is kept out, and every dump there is is whole.
pub(crate) async fn all_is_well(world: &World) -> RowResult {
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    ensure_eq!(world.closed()?, Vec::<String>::new(), "databases that let nobody in");
    let listing = world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?;
    for dump in listing.as_array().into_iter().flatten() {
        let state = dump["state"].as_str().unwrap_or_default();
        ensure!(matches!(state, "good" | "unchecked"), "`{}` is {state}", dump["key"]);
        world.lastgood(["pg", "verify", dump["key"].as_str().unwrap_or_default(), "--read", "all"]).ok().await?;
    }
    Ok(())
}

/// Folders of dumps that hold objects and no manifest, but for packs that other dumps name. What is half there is no object.
pub(crate) async fn unpublished(world: &World) -> RowResult<Vec<String>> {
    let keys = world.place().objects().await?.into_iter().map(|object| object.key);
    let keys: Vec<String> = keys.filter(|key| !is_temporary(key)).collect();
    let folder = |key: &String| key.find(".dump/").map(|at| key[..at + ".dump/".len()].to_owned());
    let mut folders: Vec<String> = keys.iter().filter_map(folder).collect();
    folders.dedup();
    folders.retain(|folder| !keys.contains(&format!("{folder}manifest.json")));
    if !folders.is_empty() {
        let named = named(world, &keys).await?;
        folders.retain(|folder| keys.iter().any(|key| key.starts_with(folder) && !named.contains(key)));
    }
    Ok(folders)
}

/// The objects that the dumps name that are there.
pub(crate) async fn named(world: &World, keys: &[String]) -> RowResult<BTreeSet<String>> {
    let mut named = BTreeSet::new();
    for manifest in keys.iter().filter(|key| key.ends_with(".dump/manifest.json")) {
        let manifest: Value = serde_json::from_slice(&world.place().read(manifest).await?).unwrap_or_default();
        let parts = manifest["parts"].as_array().into_iter().flatten();
        named.extend(parts.filter_map(|part| part["key"].as_str()).map(str::to_owned));
    }
    Ok(named)
}

/// Clears away at once what killed dumps left, whatever its age, and looks that nothing else went.
pub(crate) async fn prune_incomplete(world: &World) -> RowResult {
    let (left, dumps) = (unpublished(world).await?, all_keys(world).await?);
    let output = world.lastgood(["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
    for folder in &left {
        let key = folder.trim_start_matches("pg/").trim_end_matches('/');
        output.clone().says(key)?;
    }
    ensure_eq!(unpublished(world).await?, Vec::<String>::new(), "folders without a manifest after prune");
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads after prune");
    ensure_eq!(all_keys(world).await?, dumps, "dumps after prune");
    Ok(())
}

pub(crate) async fn all_keys(world: &World) -> RowResult<Vec<String>> {
    let listing = world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?;
    Ok(listing.as_array().into_iter().flatten().filter_map(|dump| Some(dump["key"].as_str()?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_comes_again_is_two_points() {
        let steps = ["a", "b", "a", "a"].map(str::to_owned);
        assert_eq!(points(&steps), ["a", "b", "a#2"]);
    }
}
