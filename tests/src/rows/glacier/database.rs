//! A database and its files in cold storage.

use super::shared::{BULK, check, fill, glacier, lose, paid, store};
use crate::harness::command::Lastgood;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::pg::carry::{BOOKS, books};
use crate::{ensure, ensure_eq};

/// What a restore over the live database is given.
pub(super) fn restore<'a>(backup: &'a str, shop: &'a str) -> [&'a str; 6] {
    ["restore", backup, "--files", "store", "--confirm-database", shop]
}

/// Packs of rows, and everything else of dumps.
async fn objects(world: &World, folder: &str) -> RowResult<usize> {
    let all = world.place().objects().await?;
    Ok(all.iter().filter(|object| object.key.contains(folder)).count())
}

/// Retrieves and fetches everything of the backup; on a location that is always readable, fetches.
async fn bring(world: &World, backup: &str) -> RowResult {
    bring_by(world, backup, &[]).await
}

/// The same with options that every command is given.
async fn bring_by(world: &World, backup: &str, options: &[&str]) -> RowResult {
    let command = |verb: &[&str]| glacier(world, verb).args(options.iter().copied());
    if let Some(peer) = world.place().peer() {
        command(&["retrieve", backup]).ok().await?;
        peer.advance(BULK);
        command(&["watch", "--once", backup]).ok().await?;
    }
    command(&["fetch", backup]).ok().await?;
    Ok(())
}

/// GL-catalogue: the catalogue lies in the very database that is backed up and restored.
pub(super) async fn catalogue_within(world: &World) -> RowResult {
    fill(world)?;
    let shop = world.sample("shop")?;
    let within = ["--catalogue", shop.as_str()];
    let backup = ["backup", "--database", &shop, "--files", "store", "--name", "shop"];
    let first = glacier(world, &backup).args(within).arg("--json").ok().await?.json()?;
    let week = first["key"].as_str().unwrap_or_default().to_owned();
    std::fs::write(store(world).join("later"), "yesterday's")?;
    glacier(world, &backup).args(within).ok().await?.says("5 archived before; wrote 1 archive")?;
    let files = "SELECT count(*) FROM glacier_files";
    ensure_eq!(world.psql(&shop, files)?, "6", "files that are known");
    ensure!(!world.folder().join("state/shop/catalogue.sqlite").exists(), "a catalogue in a file");
    world.set_version(&shop, 2)?;
    bring_by(world, &week, &within).await?;
    glacier(world, &restore(&week, &shop)).args(within).ok().await?.says("public.glacier_files (6 rows)")?;
    ensure_eq!(world.psql(&shop, "SELECT DISTINCT version FROM orders")?, "1", "the version");
    ensure_eq!(world.psql(&shop, files)?, "6", "files that are known after last week's restore");
    ensure!(!store(world).join("later").exists(), "a file that last week did not know is in the folder");
    let again = glacier(world, &backup).args(within).ok().await?;
    again.says("5 archived before; wrote 0 archives")?;
    let names = ["--catalogue-tables", "public.other_"];
    glacier(world, &["status", "shop"]).args(within).args(names).ok().await?;
    ensure_eq!(world.psql(&shop, "SELECT count(*) FROM other_files")?, "0", "another catalogue");
    Ok(())
}

/// GL-database.
pub(super) async fn there_and_back(world: &World) -> RowResult {
    let files = fill(world)?;
    let shop = world.sample("shop")?;
    let content = world.checksum(&shop)?;
    let backup = ["backup", "--database", &shop, "--files", "store", "--name", "shop"];
    let before = world.place().picture().await?;
    glacier(world, &backup).arg("-n").ok().await?.says("Would dump")?.says("Would archive 5 files")?;
    ensure_eq!(world.place().picture().await?, before, "the location after a dry run");
    let published = glacier(world, &backup).ok().await?;
    published.says("Published `shop/")?.says("with the dump")?.says("2 tables")?;
    ensure!(objects(world, "/database/").await? >= 1, "no pack is an archive");
    ensure_eq!(objects(world, "/dumps/pg/").await?, 3, "schema, manifest and pointer");
    world.lastgood(["glacier", "ls"]).ok().await?.says(&shop)?.says("good")?;
    world.lastgood(["pg", "ls"]).ok().await?.says("no dumps")?;
    lose(world)?;
    world.psql("postgres", &format!("DROP DATABASE \"{shop}\""))?;
    glacier(world, &["catalogue", "rebuild", "shop"]).ok().await?;
    if world.place().peer().is_some() {
        glacier(world, &["status", "shop"]).ok().await?.says("database: ")?.says("available")?;
        let early = glacier(world, &["restore", "shop", "--files", "store"]).fails(3).await?;
        early.says("must be retrieved first")?.says("nothing was restored")?;
        glacier(world, &["plan", "shop", "--database-only"]).ok().await?.says("archive")?;
        ensure_eq!(paid(world), 0, "retrievals that were started");
    }
    bring(world, "shop").await?;
    // What was fetched is a location that any lastgood restores from.
    let fetched = glacier(world, &["fetch", "shop", "--json"]).ok().await?.json()?;
    let folder = fetched["database"].as_str().unwrap_or_default().to_owned();
    world.lastgood(["-r", &folder, "pg", "verify", &shop, "--read", "all"]).ok().await?;
    let twin = world.name("twin");
    world.lastgood(["-r", &folder, "pg", "restore", &shop, "--into", &twin]).ok().await?;
    ensure_eq!(world.checksum(&twin)?, content, "the dump restored by `pg restore`");
    glacier(world, &["restore", "shop", "--database-only", "-n"]).ok().await?.says("Will restore")?;
    ensure!(!world.databases()?.contains(&shop), "a dry run made the database");
    std::fs::write(store(world).join("orphan"), "nobody knows me")?;
    glacier(world, &restore("shop", &shop)).ok().await?.says("Moved 1 file")?.says("Restored 5 files")?;
    ensure_eq!(world.checksum(&shop)?, content, "the database");
    check(world, &files)?;
    ensure!(!std::path::Path::new(&folder).exists(), "what was fetched is still there");
    orphans(world).await?;
    parts(world, &shop).await
}

/// The file that the backup did not know is away, and comes back.
async fn orphans(world: &World) -> RowResult {
    let orphan = store(world).join("orphan");
    ensure!(!orphan.exists(), "the orphan is still in the folder");
    let listed = world.lastgood(["glacier", "orphans", "ls", "--files", "store", "--json"]).ok().await?.json()?;
    let name = listed[0]["restore"].as_str().unwrap_or_default().to_owned();
    ensure_eq!(listed[0]["files"][0].as_str(), Some("orphan"), "what is listed");
    std::fs::write(&orphan, "in its place")?;
    let undo = ["glacier", "orphans", "undo", &name, "--files", "store"];
    world.lastgood(undo).fails(3).await?.says("was not moved back")?;
    ensure_eq!(std::fs::read_to_string(&orphan)?, "in its place", "the file in its place");
    std::fs::remove_file(&orphan)?;
    world.lastgood(undo).ok().await?.says("Moved 1 file back")?;
    ensure_eq!(std::fs::read_to_string(&orphan)?, "nobody knows me", "the orphan");
    world.lastgood(undo).fails(2).await?.says("no orphans")?;
    Ok(std::fs::remove_file(&orphan)?)
}

/// One part without the other.
async fn parts(world: &World, shop: &str) -> RowResult {
    let small = store(world).join("twin");
    std::fs::remove_file(&small)?;
    let moved = store(world).join("later");
    std::fs::write(&moved, "x")?;
    bring(world, "shop").await?;
    world.set_version(shop, 2)?;
    let changed = world.checksum(shop)?;
    glacier(world, &["restore", "shop", "--files", "store", "--files-only"]).ok().await?;
    ensure!(small.exists() && moved.exists(), "files only: one is restored, none is moved");
    ensure_eq!(world.checksum(shop)?, changed, "the database of files only");
    bring(world, "shop").await?;
    glacier(world, &["restore", "shop", "--database-only"]).fails(15).await?.says("--confirm-database")?;
    glacier(world, &["restore", "shop", "--database-only", "--confirm-database", shop]).ok().await?;
    ensure!(world.checksum(shop)? != changed, "the database was not restored");
    ensure!(moved.exists(), "a file was moved although only the database was restored");
    let plain = ["backup", "--files", "store", "--name", "plain"];
    glacier(world, &plain).ok().await?;
    glacier(world, &["restore", "plain", "--database-only"]).fails(2).await?.says("has no database")?;
    Ok(())
}

/// GL-week.
pub(super) async fn last_week(world: &World) -> RowResult {
    fill(world)?;
    let shop = world.sample("shop")?;
    world.psql(&shop, BOOKS)?;
    // The tables of GlacierOnRails, which nobody has to name.
    world.psql(&shop, "CREATE TABLE application_data_backups (id serial PRIMARY KEY, created_at timestamp)")?;
    let backups = "SELECT count(*) FROM application_data_backups";
    let note = "INSERT INTO application_data_backups (created_at) VALUES (now())";
    world.psql(&shop, note)?;
    let backup = ["backup", "--database", &shop, "--files", "store", "--name", "shop", "--json"];
    let key = |output: serde_json::Value| output["key"].as_str().unwrap_or_default().to_owned();
    let week = key(glacier(world, &backup).ok().await?.json()?);
    world.set_version(&shop, 2)?;
    world.psql(&shop, "INSERT INTO books (name) VALUES ('yesterday')")?;
    world.psql(&shop, note)?;
    let yesterday = key(glacier(world, &backup).ok().await?.json()?);
    let (written, version) = (books(world, &shop)?, "SELECT DISTINCT version FROM orders");
    for (backup, wanted) in [(&week, "1"), (&yesterday, "2"), (&week, "1")] {
        bring(world, backup).await?;
        let carried = ["--carry-over", "public.books", "--carry-over", "public.links"];
        glacier(world, &restore(backup, &shop)).args(carried).ok().await.within(backup)?;
        ensure_eq!(world.psql(&shop, version)?, wanted, "the version of {backup}");
        ensure_eq!(books(world, &shop)?, written, "the books after {backup}");
        ensure_eq!(world.psql(&shop, backups)?, "2", "the backups after {backup}");
    }
    bring(world, &week).await?;
    glacier(world, &restore(&week, &shop)).arg("--no-carry-over").ok().await?;
    ensure_eq!(world.psql(&shop, backups)?, "1", "the backups of the dump");
    Ok(())
}

/// GL-kill.
pub(super) async fn killed(world: &World) -> RowResult {
    let files = fill(world)?;
    let shop = world.sample("shop")?;
    world.psql(&shop, BOOKS)?;
    let backup = ["backup", "--database", &shop, "--files", "store", "--name", "shop"];
    for step in ["dump.data", "dump.published", "glacier.database", "glacier.bundle", "glacier.manifest"] {
        glacier(world, &backup).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed().within(step)?;
        world.lastgood(["glacier", "ls"]).ok().await?.never_says("shop/").within(step)?;
    }
    glacier(world, &backup).ok().await?;
    let content = world.checksum(&shop)?;
    for step in ["glacier.fetch", "glacier.assemble"] {
        if let Some(peer) = world.place().peer() {
            glacier(world, &["retrieve", "shop"]).ok().await?;
            peer.advance(BULK);
        }
        glacier(world, &["fetch", "shop"]).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed().within(step)?;
    }
    glacier(world, &["fetch", "shop"]).ok().await?;
    killed_restores(world, (&shop, &content), |verb| glacier(world, verb)).await?;
    check(world, &files)
}

/// Kills restores of what was fetched over the live database `shop` at each step, and lets the last one end. `content` is what
/// the backup has.
pub(super) async fn killed_restores<'w>(
    world: &'w World,
    (shop, content): (&str, &str),
    run: impl Fn(&[&str]) -> Lastgood<'w>,
) -> RowResult {
    let command = restore("shop", shop);
    let carried = ["--carry-over", "public.books", "--carry-over", "public.links"];
    for (step, switched) in [
        ("restore.data", false),
        ("swap.carry", false),
        ("swap.rename", false),
        ("swap.committed", true),
        ("glacier.orphans", true),
        ("glacier.orphan", true),
        ("glacier.place", true),
    ] {
        world.set_version(shop, 2)?;
        world.psql(shop, "INSERT INTO books (name) VALUES ('since')")?;
        let (changed, written) = (world.checksum(shop)?, books(world, shop)?);
        std::fs::write(store(world).join("orphan"), "nobody knows me")?;
        let killed = run(&command).args(carried).env("LASTGOOD_CRASH_AT", step).run().await?;
        killed.expect_killed().within(step)?;
        world.lastgood(["pg", "recover"]).ok().await.within(step)?;
        let expected = if switched { content } else { &changed };
        ensure_eq!(world.checksum(shop)?, expected, "the database after a kill at {step}");
        ensure_eq!(books(world, shop)?, written, "the books after a kill at {step}");
        let here = store(world).join("orphan").exists();
        ensure!(switched || here, "an orphan was moved before the database was restored: {step}");
        let listed = world.lastgood(["glacier", "orphans", "ls", "--files", "store", "--json"]).ok().await?.json()?;
        let away = listed.as_array().into_iter().flatten().any(|set| set["files"][0] == "orphan");
        ensure!(here || away, "the orphan is nowhere after a kill at {step}");
    }
    run(&command).args(carried).ok().await?;
    ensure_eq!(world.checksum(shop)?, content, "the database");
    Ok(())
}
