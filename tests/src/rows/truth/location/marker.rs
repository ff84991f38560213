//! Locations without a marker that hold backups: the originals', and ours whose marker is gone.

use super::{NO_LOCATION, beside};
use crate::harness::{Place, RowResult, World};
use crate::rows::pg::damage::pg_dump;
use crate::{ensure, ensure_eq};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");

/// Plants the files of a folder of fixtures at the root of a location.
async fn plant(place: &Place, folder: &str) -> RowResult<Vec<String>> {
    let mut planted = Vec::new();
    for entry in std::fs::read_dir(format!("{FIXTURES}/{folder}"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            place.write(&name, &std::fs::read(entry.path())?).await?;
            planted.push(name);
        }
    }
    planted.sort();
    Ok(planted)
}

/// W11-old.
pub(super) async fn originals(world: &World) -> RowResult {
    pgclone(world).await?;
    gludb(world).await?;
    dictdb(world).await
}

/// What writes or deletes ends with 10 and changes nothing, until `init` was run; then it goes on.
async fn needs_init(world: &World, place: &Place, writing: &[&[&str]]) -> RowResult {
    let before = place.picture().await?;
    let run = |command: &[&str]| world.lastgood(command.iter().copied()).env("LASTGOOD_REPO", place.url());
    for command in writing {
        let output = run(command).fails(NO_LOCATION).await?;
        output.says(&format!("lastgood init -r {}", place.url()))?.says("no `lastgood.json`")?;
        ensure_eq!(place.picture().await?, before, "the location after {command:?}");
    }
    run(&["init", "-n"]).ok().await?;
    ensure_eq!(place.picture().await?, before, "the location after a dry run of init");
    run(&["init"]).ok().await?;
    for (key, digest) in &before {
        ensure_eq!(place.picture().await?.get(key), Some(digest), "`{key}` after init");
    }
    for command in writing {
        run(command).ok().await?;
    }
    Ok(())
}

async fn pgclone(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let place = beside(world, "pgclone");
    let (key, other) = (
        format!("{shop}/2020_01_02_03_04_05_000001.nightly.dump"),
        format!("prod/{shop}/weekly/2022-01-02-03-04-05-000003.dump"),
    );
    for key in [&key, &other] {
        place.write(key, &pg_dump(world, &shop)?).await?;
    }
    let run = |command: &[&str]| world.lastgood(command.iter().copied()).env("LASTGOOD_REPO", place.url());
    for key in [&key, &other] {
        run(&["pg", "ls"]).ok().await?.says(key)?;
        run(&["pg", "show", key]).ok().await?;
        run(&["pg", "verify", key, "--read", "all"]).ok().await?;
        run(&["pg", "restore", key, "--into", &world.name("old")]).ok().await?;
        ensure_eq!(world.checksum(&world.name("old"))?, world.checksum(&shop)?, "what `{key}` restores");
        world.psql("postgres", &format!("DROP DATABASE \"{}\"", world.name("old")))?;
    }
    needs_init(
        world,
        &place,
        &[
            &["pg", "dump", &shop, "-n"],
            &["pg", "dump", &shop],
            &["pg", "prune", "--keep-last", "9", "--include-legacy", "-n"],
            &["pg", "prune", "--keep-last", "9", "--include-legacy", "--yes"],
        ],
    )
    .await?;
    run(&["pg", "ls"]).ok().await?.says(&key)?.says(".default.dump")?;
    Ok(())
}

async fn gludb(world: &World) -> RowResult {
    let place = beside(world, "gludb");
    let planted = plant(&place, "object-backup/tests/fixtures/plain").await?;
    let key = planted.first().cloned().unwrap_or_default();
    let run = |command: &[&str]| world.lastgood(command.iter().copied()).env("LASTGOOD_REPO", place.url());
    run(&["app", "ls"]).ok().await?.says("written by gludb, unchecked")?;
    run(&["app", "show", &key]).ok().await?;
    run(&["app", "verify"]).ok().await?;
    run(&["app", "restore", &key, "--to", "sqlite:old.db"]).ok().await?;
    let backup = ["app", "backup", "--source", "sqlite:old.db"];
    needs_init(
        world,
        &place,
        &[&[&backup[..], &["-n"]].concat(), &backup, &["app", "prune", "--keep-last", "9", "--yes"]],
    )
    .await?;
    run(&["app", "ls"]).ok().await?.says("written by gludb, unchecked")?.says("good")?;
    Ok(())
}

async fn dictdb(world: &World) -> RowResult {
    let place = beside(world, "dictdb");
    let planted = plant(&place, "dictstore-backup/tests/fixtures/chain").await?;
    ensure!(planted.iter().any(|file| file.starts_with("dictdb_")), "no fixture of DictDB: {planted:?}");
    for file in planted.iter().filter(|file| !file.starts_with("dictdb_")) {
        place.remove(file).await?;
    }
    let url = place.url();
    let run = |command: &[&str]| world.lastgood(command.iter().copied()).env("LASTGOOD_REPO", &url);
    let listed = run(&["dict", "ls"]).ok().await?.stdout;
    ensure_eq!(
        world.lastgood(["dict", "ls", &url]).ok().await?.stdout,
        listed,
        "the listing of a location as argument"
    );
    run(&["dict", "verify"]).ok().await?;
    run(&["dict", "restore", "--to", "old.json"]).ok().await?;
    needs_init(
        world,
        &place,
        &[&["dict", "compact", "-n"], &["dict", "compact"], &["dict", "prune", "--keep-last", "9", "--yes"]],
    )
    .await?;
    run(&["dict", "restore", "--to", "new.json"]).ok().await?;
    run(&["dict", "diff", "old.json", "new.json"]).ok().await?.says("No differences")?;
    Ok(())
}

/// W11-lost.
pub(super) async fn lost(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let first = world.dump(&shop).await?;
    let second = world.dump(&shop).await?;
    world.place().remove("lastgood.json").await?;
    let before = world.place().picture().await?;
    let restore = ["init", "-r", &world.place().url()].join(" ");
    for command in [
        &["pg", "ls"][..],
        &["pg", "show", &first],
        &["pg", "verify", &second, "--read", "all"],
        &["pg", "restore", &first, "--into", &world.name("copy")],
    ] {
        world.lastgood(command.iter().copied()).ok().await?.says("no `lastgood.json`")?.says(&restore)?;
    }
    for command in [
        &["pg", "dump", &shop][..],
        &["pg", "dump", &shop, "-n"],
        &["pg", "prune", "--keep-last", "1", "--yes"],
        &["pg", "prune", "--keep-last", "1", "-n"],
        &["pg", "prune", "--incomplete", "--grace", "0s"],
    ] {
        let output = world.lastgood(command.iter().copied()).fails(NO_LOCATION).await?;
        output.says("it holds dumps of lastgood but no `lastgood.json`")?.says(&restore)?;
    }
    ensure_eq!(world.place().picture().await?, before, "the location without its marker");
    world.lastgood(["init"]).ok().await?;
    ensure!(world.place().read("lastgood.json").await.is_ok(), "the marker is not back");
    world.lastgood(["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 1 dump")?;
    ensure_eq!(world.keys(&shop).await?, vec![second], "dumps");
    world.dump(&shop).await?;
    Ok(())
}
