//! Links in place of what a dump is made of, and of the folders above it.

use std::fs;
use std::os::unix::fs::symlink;

use super::{INTEGRITY, PARTIAL, dumped, folder_of, moved_back, moved_out, outside, root as location, tells, told};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// W9. The accident it began with: an old dump was moved to another disk.
pub(super) async fn dump_folder(world: &World) -> RowResult {
    let (shop, keys) = dumped(world, 4).await?;
    let linked = folder_of(&keys[0]);
    moved_out(world, &linked)?;
    // A link that leads back into the location, and one to nowhere, as somebody's "current" and a disk that is gone.
    let database = location(world)?.join("pg").join(&shop);
    symlink(&database, database.join("current"))?;
    symlink("/nowhere", database.join("gone"))?;
    let before = outside(world).picture().await?;
    let listed = world.lastgood(["pg", "ls"]).ok().await?;
    let listed =
        tells(world, listed, &linked)?.says("a link")?.says("/current` is a link")?.says("/gone` is a link")?;
    ensure!(!listed.stdout.contains(&keys[0]), "a dump behind a link is listed:\n{}", listed.stdout);
    let json = world.lastgood(["pg", "ls", "--json"]).ok().await?;
    ensure!(json.stderr.lines().all(|line| line.starts_with('{')), "no JSON line:\n{}", json.stderr);
    tells(world, json, &linked)?;
    let asked = world.lastgood(["pg", "restore", &keys[0], "--into", &world.name("copy")]).fails(INTEGRITY).await?;
    tells(world, asked, &linked)?;
    for command in [
        &["pg", "prune", "--keep-last", "2", "-n"][..],
        &["pg", "prune", "--keep-last", "2", "--yes"],
        &["pg", "prune", &shop, "--keep-last", "1", "--yes"],
        &["pg", "prune", "--incomplete", "--grace", "0s"],
    ] {
        tells(world, world.lastgood(command.iter().copied()).ok().await?, &linked)?;
        ensure_eq!(outside(world).picture().await?, before, "what is outside after {command:?}");
    }
    ensure_eq!(world.keys(&shop).await?, keys[3..].to_vec(), "dumps");
    world.lastgood(["pg", "verify", &keys[3], "--read", "all"]).ok().await?;
    // Back in its place it is a dump again.
    moved_back(world, &linked)?;
    world.lastgood(["pg", "verify", &keys[0], "--read", "all"]).ok().await?;
    Ok(())
}

/// W9-manifest.
pub(super) async fn manifest(world: &World) -> RowResult {
    let (shop, keys) = dumped(world, 3).await?;
    let linked = format!("{}/manifest.json", folder_of(&keys[2]));
    moved_out(world, &linked)?;
    let (before, within) = (outside(world).picture().await?, world.place().picture().await?);
    let listed = world.lastgood(["pg", "ls"]).ok().await?.says("DAMAGED")?;
    tells(world, listed, &linked)?;
    for command in
        [&["pg", "show", &keys[2]][..], &["pg", "verify", &keys[2]], &["pg", "restore", &keys[2], "--into", "x"]]
    {
        world.lastgood(command.iter().copied()).fails(INTEGRITY).await?.says(&told(&linked))?;
    }
    for command in [
        &["pg", "prune", "--incomplete", "--grace", "0s", "-n"][..],
        &["pg", "prune", "--incomplete", "--grace", "0s"],
        // Of the good ones the newest is kept: what is behind the link counts neither for nor against it.
        &["pg", "prune", "--keep-last", "2", "--yes"],
    ] {
        let pruned = world.lastgood(command.iter().copied()).ok().await?;
        tells(world, pruned, &linked)?.never_says(&format!("deleted `{}`", keys[2]))?;
        ensure_eq!(world.place().picture().await?, within, "the location after {command:?}");
    }
    ensure_eq!(outside(world).picture().await?, before, "what is outside");
    world.lastgood(["pg", "restore", &shop, "--into", &world.name("copy")]).ok().await?.says(&keys[1])?;
    moved_back(world, &linked)?;
    world.lastgood(["pg", "verify", &keys[2], "--read", "all"]).ok().await?;
    Ok(())
}

/// W9-part.
pub(super) async fn part(world: &World) -> RowResult {
    let (_, keys) = dumped(world, 3).await?;
    let parts = [format!("{}/schema.pgdump", folder_of(&keys[0])), format!("{}/data", folder_of(&keys[1]))];
    for linked in &parts {
        moved_out(world, linked)?;
    }
    let before = outside(world).picture().await?;
    for (key, linked) in keys.iter().zip(&parts) {
        for command in [&["pg", "verify", key][..], &["pg", "verify", key, "--read", "all"]] {
            let verified = world.lastgood(command.iter().copied()).fails(INTEGRITY).await?;
            tells(world, verified, linked)?;
        }
        let copy = world.name("copy");
        let restored = world.lastgood(["pg", "restore", key, "--into", &copy]).fails(INTEGRITY).await?;
        tells(world, restored, linked)?;
        ensure!(!world.databases()?.contains(&copy), "something was restored");
    }
    // They are dumps with a manifest: rules delete them, and what is behind the links stays.
    let prune = ["pg", "prune", "--keep-last", "1", "--yes"];
    let pruned = world.lastgood(prune).fails(PARTIAL).await?;
    tells(world, tells(world, pruned, &parts[0])?, &parts[1])?;
    ensure_eq!(outside(world).picture().await?, before, "what is outside after prune");
    for linked in &parts {
        fs::remove_file(location(world)?.join(linked))?;
    }
    world.lastgood(prune).ok().await?;
    for key in &keys[..2] {
        ensure!(!location(world)?.join(folder_of(key)).exists(), "`{key}` is still there when its link is gone");
    }
    world.lastgood(["pg", "verify", &keys[2], "--read", "all"]).ok().await?;
    Ok(())
}

/// W9-above.
pub(super) async fn above(world: &World) -> RowResult {
    let (shop, keys) = dumped(world, 2).await?;
    for linked in [folder_of(&shop), "pg".to_owned()] {
        moved_out(world, &linked)?;
        let (before, within) = (outside(world).picture().await?, world.place().objects().await?.len());
        for command in [
            &["pg", "ls"][..],
            &["pg", "ls", &shop],
            &["pg", "ls", "--only-db-names"],
            &["pg", "prune", "--keep-last", "1", "--yes"],
            &["pg", "prune", "--incomplete", "--grace", "0s"],
        ] {
            let output = world.lastgood(command.iter().copied()).ok().await?;
            ensure!(!output.stdout.contains(&shop), "`{}` looked behind the link:\n{}", output.line, output.stdout);
            tells(world, output, &linked)?;
        }
        tells(world, world.lastgood(["pg", "dump", &shop]).fails(INTEGRITY).await?, &linked)?;
        tells(world, world.lastgood(["pg", "show", &keys[0]]).fails(INTEGRITY).await?, &linked)?;
        ensure_eq!(outside(world).picture().await?, before, "what is outside");
        ensure_eq!(world.place().objects().await?.len(), within, "objects of the location");
        moved_back(world, &linked)?;
        ensure_eq!(world.keys(&shop).await?, keys, "dumps when everything is in its place");
    }
    Ok(())
}

/// W9-root.
async fn root_link(world: &World, through: &str) -> RowResult {
    let shop = world.name("shop");
    let run = |command: &[&str]| world.lastgood(command.iter().copied()).args(["-r", through]);
    run(&["init"]).ok().await?.never_says("is a link")?;
    run(&["pg", "dump", &shop]).ok().await?.never_says("is a link")?;
    run(&["pg", "ls"]).ok().await?.never_says("is a link")?;
    run(&["pg", "verify", &shop, "--read", "all"]).ok().await?;
    run(&["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 1 dump")?;
    Ok(())
}

/// W9-root.
pub(super) async fn root(world: &World) -> RowResult {
    dumped(world, 1).await?;
    let (root, link) = (location(world)?, world.folder().join("link"));
    symlink(root, &link)?;
    root_link(world, &link.display().to_string()).await?;
    // A link on the way, and the location moved to another disk.
    let disk = world.folder().join("disk");
    fs::create_dir(&disk)?;
    fs::rename(root, disk.join("location"))?;
    symlink(disk.join("location"), root)?;
    symlink(&disk, world.folder().join("mnt"))?;
    root_link(world, &world.folder().join("mnt/location").display().to_string()).await?;
    root_link(world, &root.display().to_string()).await
}
