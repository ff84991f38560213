//! Bad days: disks without room, files of other users, devices where files should be, and prunes beside each other.

mod full;
mod hints;
mod lists;
mod many;
mod prunes;
mod targets;
mod unreadable;

use std::ops::Range;

use crate::harness::{Area, Failure, Locations, Row, RowResult, World};
use crate::many::{self as dumps, Content};

/// Somebody has to confirm first.
const CONFIRMATION: i32 = 15;

/// Some of it could not be done.
const PARTIAL: i32 = 3;

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("B-targets", "devices, links and FIFOs as what to restore into", Area::BadDay, Folder, |world| {
            Box::pin(targets::none_is_replaced(world))
        }),
        Row::new("B-full", "prune on a full disk, also killed at each step", Area::BadDay, Folder, |world| {
            Box::pin(full::pruned(world))
        }),
        Row::new("B-left", "leftovers of a dump that filled the disk", Area::BadDay, Folder, |world| {
            Box::pin(full::leftovers(world))
        }),
        Row::new("B-inodes", "no inode left: said, and pruned all the same", Area::BadDay, Folder, |world| {
            Box::pin(full::inodes(world))
        }),
        Row::new("B-unreadable", "one manifest that cannot be read", Area::BadDay, Both, |world| {
            Box::pin(unreadable::dumps(world))
        }),
        Row::new("B-large", "a manifest longer than any is", Area::BadDay, Both, |world| {
            Box::pin(unreadable::large(world))
        }),
        Row::new("B-manifest", "a manifest for 2 TiB: memory, and a list that is cut", Area::BadDay, Folder, |world| {
            Box::pin(lists::of_two_tebibytes(world))
        })
        .elective(),
        Row::new("B-lists", "tables and frames in lists beside the manifest", Area::BadDay, Both, |world| {
            Box::pin(lists::beside_the_manifest(world))
        }),
        Row::new("B-by-hand", "restored by hand as FORMAT.md says", Area::BadDay, Folder, |world| {
            Box::pin(lists::restored_by_hand(world))
        })
        .elective(),
        Row::new("B-others", "a dump and a database of another user's", Area::BadDay, Folder, |world| {
            Box::pin(unreadable::of_others(world))
        }),
        Row::new("B-records", "the same for records", Area::BadDay, Both, |world| Box::pin(unreadable::records(world))),
        Row::new("B-archives", "the same for files in cold storage", Area::BadDay, Both, |world| {
            Box::pin(unreadable::archives(world))
        }),
        Row::new("B-stores", "the same for stores in memory", Area::BadDay, Both, |world| {
            Box::pin(unreadable::stores(world))
        }),
        Row::new("B-prunes", "prunes of the same backups at the same time", Area::BadDay, Both, |world| {
            Box::pin(prunes::together(world))
        }),
        Row::new("B-many", "many dumps deleted at once, killed at each step", Area::BadDay, Both, |world| {
            Box::pin(many::deleted_at_once(world))
        }),
        Row::new("Q-hint", "what ls keeps: stale, forged, spoiled, another's", Area::BadDay, Both, |world| {
            Box::pin(hints::only_hints(world))
        }),
    ]
}

/// A sample database with `count` dumps, oldest first.
async fn dumped(world: &World, base: &str, count: u32) -> RowResult<(String, Vec<String>)> {
    let database = world.sample(base)?;
    let mut keys = Vec::new();
    for version in 1..=count {
        world.set_version(&database, version)?;
        keys.push(world.dump_full(&database).await?);
    }
    Ok((database, keys))
}

/// `count` backups of records, oldest first.
async fn recorded(world: &World, count: u32) -> RowResult<Vec<String>> {
    let folder = world.folder().join("records");
    std::fs::create_dir_all(&folder)?;
    let mut keys = Vec::new();
    for number in 0..count {
        std::fs::write(folder.join("users.json"), format!("{{\"id\": \"1\", \"n\": {number}}}\n"))?;
        let report = world.lastgood(["app", "backup", "--source", "ndjson:records", "--json"]).ok().await?.json()?;
        keys.push(report["key"].as_str().unwrap_or_default().to_owned());
    }
    Ok(keys)
}

/// Dumps that no server was asked for, in the location.
async fn planted(world: &World, numbers: Range<u32>, content: Content) -> RowResult {
    for number in numbers {
        let objects = dumps::dump(number, content).map_err(|error| Failure::new(error.to_string()))?;
        for (key, body) in objects {
            world.place().write(&key, &body).await?;
        }
    }
    Ok(())
}
