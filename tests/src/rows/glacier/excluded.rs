//! What of a folder is left out on request: it makes no backup partial, is nowhere in it, and is no orphan of a restore.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::shared::{BULK, check, fill, glacier, store};
use crate::ensure;
use crate::harness::{RowResult, World};

const EXCLUDE: [&str; 6] = ["--exclude", "current", "--exclude", "*.tmp", "--exclude", "a/thumbs"];

/// GL39.
pub(super) async fn patterns(world: &World) -> RowResult {
    let files = fill(world)?;
    let there: Vec<PathBuf> =
        ["current", "half.tmp", "a/thumbs/1.png", "a/thumbs/more/2.png"].map(|name| store(world).join(name)).into();
    std::fs::create_dir_all(store(world).join("a/thumbs/more"))?;
    symlink("large", &there[0])?;
    for path in &there[1..] {
        std::fs::write(path, "drawn anew at any time")?;
    }
    let shop = world.sample("shop")?;
    let backup = ["backup", "--files", "store", "--database", &shop, "--name", "shop"];
    glacier(world, &backup).arg("-n").fails(3).await?.says("leave out  current: it is no regular file")?;
    let planned = glacier(world, &backup).args(EXCLUDE).arg("-n").ok().await?;
    planned.says("Would archive 5 files")?.says("leave out  3 files or folders by `exclude`")?;
    let written = glacier(world, &backup).args(EXCLUDE).ok().await?;
    written.says("5 files")?.says("left out 3 files or folders by `exclude`")?.never_says("partial")?;

    if let Some(peer) = world.place().peer() {
        std::fs::remove_file(store(world).join("twin"))?;
        glacier(world, &["retrieve", "shop", "--files", "store"]).ok().await?;
        peer.advance(BULK);
    }
    glacier(world, &["fetch", "shop", "--files", "store"]).ok().await?;
    std::fs::write(store(world).join("a/later.tmp"), "as its like")?;
    std::fs::write(store(world).join("orphan"), "nobody knows me")?;
    let restore = ["restore", "shop", "--files", "store", "--confirm-database", &shop];
    glacier(world, &restore).ok().await?.says("Moved 1 file")?;
    check(world, &files)?;
    for path in there.iter().chain([&store(world).join("a/later.tmp")]) {
        ensure!(path.symlink_metadata().is_ok(), "`{}` is gone", path.display());
    }

    // What is always left out stands in the configuration file, and adds to what a run leaves out.
    std::fs::write(world.folder().join("lastgood.toml"), "[glacier]\nexclude = ['*.tmp', 'current']\n")?;
    let json = glacier(world, &backup).args(["--exclude", "thumbs", "--json"]).ok().await?.json()?;
    ensure!(json["excluded"] == 4 && json["outcome"] == "good", "with the configuration file: {json}");
    // A pattern less: they are files as others.
    std::fs::remove_file(world.folder().join("lastgood.toml"))?;
    glacier(world, &backup).args(["--exclude", "current"]).ok().await?.says("9 files")?;
    Ok(())
}
