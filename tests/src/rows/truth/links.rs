//! Links below a folder location are reported, never followed: rows W9.

mod odd;
mod swapped;
mod tree;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::harness::{Area, Failure, Locations, Output, Place, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// What is stored is not what was backed up.
const INTEGRITY: i32 = 13;

/// Some of it could not be done.
const PARTIAL: i32 = 3;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new(
            "W9",
            "a linked dump folder: nothing behind it is deleted, and it is told of",
            Area::Truth,
            Folder,
            |world| Box::pin(tree::dump_folder(world)),
        ),
        Row::new("W9-manifest", "a link in place of a manifest: its dump stays whole", Area::Truth, Folder, |world| {
            Box::pin(tree::manifest(world))
        }),
        Row::new("W9-part", "a link in place of a part or of the folder of parts", Area::Truth, Folder, |world| {
            Box::pin(tree::part(world))
        }),
        Row::new("W9-above", "the folder of a database, or of all, is a link", Area::Truth, Folder, |world| {
            Box::pin(tree::above(world))
        }),
        Row::new("W9-root", "the location itself may be reached through a link", Area::Truth, Folder, |world| {
            Box::pin(tree::root(world))
        }),
        Row::new("W9-own", "links in place of marker, hint, lock and unfinished files", Area::Truth, Folder, |world| {
            Box::pin(odd::own_files(world))
        }),
        Row::new("W9-fifo", "a FIFO in place of a manifest keeps nobody waiting", Area::Truth, Folder, |world| {
            Box::pin(odd::fifo(world))
        }),
        Row::new("W9-records", "the same for records", Area::Truth, Folder, |world| Box::pin(odd::records(world))),
        Row::new("W9-dict", "the same for stores in memory", Area::Truth, Folder, |world| Box::pin(odd::dict(world))),
        Row::new("W9-race", "a folder swapped for a link while prune works", Area::Truth, Folder, |world| {
            Box::pin(swapped::during_prune(world))
        }),
    ]
}

/// The folder of the location.
fn root(world: &World) -> RowResult<&Path> {
    match world.place() {
        Place::Folder(root) => Ok(root),
        Place::S3 { .. } => Err(Failure::new("this row needs a folder")),
    }
}

/// A place outside the location.
fn outside(world: &World) -> Place {
    Place::Folder(world.folder().join("outside"))
}

/// Moves what is at `key` out of the location and leaves a link to it; where it is now.
fn moved_out(world: &World, key: &str) -> RowResult<PathBuf> {
    let (from, to) = (root(world)?.join(key), world.folder().join("outside").join(key));
    fs::create_dir_all(to.parent().unwrap_or(&to))?;
    fs::rename(&from, &to)?;
    symlink(&to, &from)?;
    Ok(to)
}

/// Puts it back.
fn moved_back(world: &World, key: &str) -> RowResult {
    let (at, from) = (root(world)?.join(key), world.folder().join("outside").join(key));
    fs::remove_file(&at)?;
    Ok(fs::rename(from, at)?)
}

/// What is told of a link.
fn told(key: &str) -> String {
    format!("`{key}` is a link, which is not followed")
}

/// The folder of a dump in the location.
fn folder_of(key: &str) -> String {
    format!("pg/{key}")
}

/// The command tells of the link, and the link is still there.
fn tells(world: &World, output: Output, key: &str) -> RowResult<Output> {
    ensure!(root(world)?.join(key).is_symlink(), "`{}` removed the link `{key}`", output.line);
    output.says(&told(key))
}

/// A sample database with `count` dumps, oldest first, none of which needs another: what is behind a link is missing for all that do.
async fn dumped(world: &World, count: u32) -> RowResult<(String, Vec<String>)> {
    let shop = world.sample("shop")?;
    let mut keys = Vec::new();
    for version in 1..=count {
        world.set_version(&shop, version)?;
        keys.push(world.dump_full(&shop).await?);
    }
    ensure_eq!(world.keys(&shop).await?, keys, "dumps");
    Ok((shop, keys))
}
