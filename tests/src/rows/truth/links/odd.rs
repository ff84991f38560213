//! Links in place of files of the location's own, FIFOs, and the other two kinds of backups.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::{INTEGRITY, PARTIAL, dumped, folder_of, moved_back, moved_out, outside, root, tells, told};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// How long a command may take that must not wait for a writer.
const LIMIT: Duration = Duration::from_secs(20);

/// W9-own.
pub(super) async fn own_files(world: &World) -> RowResult {
    let (shop, keys) = dumped(world, 2).await?;
    let hint = format!("pg/{shop}/latest.json");
    moved_out(world, &hint)?;
    let before = outside(world).picture().await?;
    tells(world, world.lastgood(["pg", "ls"]).ok().await?, &hint)?;
    world.lastgood(["pg", "show", &shop]).ok().await?.says(&keys[1])?;
    // The dump is there; only its hint is not.
    tells(world, world.lastgood(["pg", "dump", &shop]).ok().await?, &hint)?;
    ensure_eq!(world.keys(&shop).await?.len(), 3, "dumps");
    ensure_eq!(outside(world).picture().await?, before, "what is outside");
    moved_back(world, &hint)?;

    moved_out(world, "lastgood.json")?;
    let before = outside(world).picture().await?;
    for command in [&["pg", "ls"][..], &["pg", "dump", &shop], &["init"], &["pg", "prune", "--keep-last", "1", "--yes"]]
    {
        let refused = world.lastgood(command.iter().copied()).fails(INTEGRITY).await?;
        tells(world, refused, "lastgood.json")?;
    }
    ensure_eq!(outside(world).picture().await?, before, "what is outside");
    moved_back(world, "lastgood.json")?;

    // Deletions wait for the lock; somebody may have put a link there, to a file that must not be made or emptied.
    let precious = world.folder().join("precious");
    fs::write(&precious, "x")?;
    let lock = root(world)?.join(".lastgood-lock");
    fs::remove_file(&lock)?;
    symlink(&precious, &lock)?;
    let unfinished = format!("pg/{shop}/.lastgood-tmp-{:032x}-x", 0);
    symlink(&precious, root(world)?.join(&unfinished))?;
    tells(world, world.lastgood(["pg", "prune", "--keep-last", "1", "--yes"]).fails(PARTIAL).await?, ".lastgood-lock")?;
    ensure_eq!(fs::read_to_string(&precious)?.as_str(), "x", "the file behind the links");
    fs::remove_file(&lock)?;
    tells(world, world.lastgood(["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?, &unfinished)?;
    ensure_eq!(fs::read_to_string(&precious)?.as_str(), "x", "the file behind the links");
    world.lastgood(["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(world.keys(&shop).await?.len(), 1, "dumps");
    Ok(())
}

/// Puts a FIFO in the place of a file.
fn fifo_at(path: &Path) -> RowResult {
    fs::remove_file(path)?;
    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// W9-fifo.
pub(super) async fn fifo(world: &World) -> RowResult {
    let (shop, keys) = dumped(world, 3).await?;
    let manifest = format!("{}/manifest.json", folder_of(&keys[2]));
    let told = |key: &str| format!("`{key}` is a FIFO, which is not read");
    for key in [manifest.clone(), format!("pg/{shop}/latest.json")] {
        fifo_at(&root(world)?.join(key))?;
    }
    let run = |command: &[&str]| world.lastgood(command.iter().copied()).limit(LIMIT);
    run(&["pg", "ls"]).ok().await?.says("DAMAGED")?.says(&told(&manifest))?;
    run(&["pg", "show", &keys[2]]).fails(INTEGRITY).await?.says(&told(&manifest))?;
    run(&["pg", "restore", &shop, "--into", &world.name("copy")]).ok().await?.says(&keys[1])?;
    let parts = world.place().keys_ending(".pack").await?.len();
    for command in
        [&["pg", "prune", "--incomplete", "--grace", "0s"][..], &["pg", "prune", "--keep-last", "2", "--yes"]]
    {
        run(command).ok().await?.says(&told(&manifest))?;
        // `objects` would read a FIFO, so that names are counted.
        ensure_eq!(world.place().keys_ending(".pack").await?.len(), parts, "packs after {command:?}");
    }
    fifo_at(&root(world)?.join("lastgood.json"))?;
    run(&["pg", "ls"]).fails(INTEGRITY).await?.says(&told("lastgood.json"))?;
    run(&["pg", "dump", &shop]).fails(INTEGRITY).await?.says(&told("lastgood.json"))?;
    Ok(())
}

/// W9-records.
pub(super) async fn records(world: &World) -> RowResult {
    fs::create_dir(world.folder().join("records"))?;
    fs::write(world.folder().join("records/users.json"), "{\"id\": \"1\"}\n")?;
    let mut keys = Vec::new();
    for _ in 0..4 {
        let report = world.lastgood(["app", "backup", "--source", "ndjson:records", "--json"]).ok().await?.json()?;
        keys.push(format!("app/{}", report["key"].as_str().unwrap_or_default()));
    }
    // A tarball, the manifest of another, and a whole name.
    let (tarball, manifest) = (keys[0].clone(), format!("{}.manifest.json", keys[1]));
    world.lastgood(["app", "backup", "--source", "ndjson:records", "--name", "other"]).ok().await?;
    for linked in [&tarball, &manifest, "app/other"] {
        moved_out(world, linked)?;
    }
    let (before, within) = (outside(world).picture().await?, world.place().objects().await?.len());
    let listed = world.lastgood(["app", "ls"]).ok().await?;
    let listed = tells(world, tells(world, tells(world, listed, &tarball)?, &manifest)?, "app/other")?;
    ensure!(!listed.stdout.contains("other/"), "a name behind a link is listed:\n{}", listed.stdout);
    let named = tarball.trim_start_matches("app/").to_owned();
    world.lastgood(["app", "restore", &named, "--to", "ndjson:out"]).fails(INTEGRITY).await?.says(&told(&tarball))?;
    world.lastgood(["app", "verify"]).fails(INTEGRITY).await?.says(&told(&tarball))?;
    // Neither the tarball whose manifest is a link nor anything else is what an interrupted run left.
    for command in [
        &["app", "prune", "--incomplete", "--grace", "0s", "-n"][..],
        &["app", "prune", "--incomplete", "--grace", "0s"],
    ] {
        let pruned = world.lastgood(command.iter().copied()).ok().await?;
        tells(world, pruned, &manifest)?;
        ensure_eq!(world.place().objects().await?.len(), within, "objects after {command:?}");
    }
    tells(world, world.lastgood(["app", "prune", "--keep-last", "1", "--yes"]).fails(PARTIAL).await?, &tarball)?;
    ensure!(root(world)?.join(&keys[1]).is_file(), "the tarball whose manifest is a link is gone");
    ensure!(root(world)?.join(&keys[3]).is_file(), "the last good one is gone");
    let other = ["app", "backup", "--source", "ndjson:records", "--name", "other"];
    tells(world, world.lastgood(other).fails(INTEGRITY).await?, "app/other")?;
    ensure_eq!(outside(world).picture().await?, before, "what is outside");
    Ok(())
}

/// W9-dict.
pub(super) async fn dict(world: &World) -> RowResult {
    let fixtures = Path::new(super::super::DICT_CHAIN).with_file_name("ours");
    for below in ["", "manifests"] {
        for entry in fs::read_dir(fixtures.join(below))? {
            let entry = entry?;
            let key = Path::new(below).join(entry.file_name()).display().to_string();
            if entry.file_type()?.is_file() && key != "lastgood.json" {
                world.place().write(&key, &fs::read(entry.path())?).await?;
            }
        }
    }
    // An older marker: what has no manifest is then ours and unfinished, and not DictDB's.
    world.place().write("lastgood.json", &fs::read(fixtures.join("lastgood.json"))?).await?;
    let mut files = world.place().keys_ending(".json").await?;
    files.retain(|key| key.starts_with("manifests/dictdb_backup_"));
    let manifest = files.first().cloned().unwrap_or_default();
    let file = manifest.trim_start_matches("manifests/").trim_end_matches(".manifest.json").to_owned();
    let run = |command: &[&str]| world.lastgood(command.iter().copied());
    for linked in [manifest.as_str(), file.as_str(), "manifests"] {
        moved_out(world, linked)?;
        let (before, within) = (outside(world).picture().await?, world.place().objects().await?.len());
        tells(world, run(&["dict", "ls"]).ok().await?, linked)?;
        for command in [
            &["dict", "prune", "--incomplete", "--grace", "0s", "-n"][..],
            &["dict", "prune", "--incomplete", "--grace", "0s"],
        ] {
            let pruned = run(command).ok().await?;
            tells(world, pruned, linked)?;
            ensure_eq!(world.place().objects().await?.len(), within, "objects after {command:?}, `{linked}` a link");
        }
        let restored = run(&["dict", "restore", "--force", "--to", "out.json", "--up-to", &file]).run().await?;
        ensure!(restored.code() != Some(0) || linked == "manifests", "what is behind `{linked}` was restored");
        ensure_eq!(outside(world).picture().await?, before, "what is outside, `{linked}` a link");
        moved_back(world, linked)?;
        run(&["dict", "restore", "--force", "--to", "out.json", "--up-to", &file]).ok().await?;
    }
    Ok(())
}
