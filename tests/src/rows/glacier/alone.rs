//! GL26 and GL27: a database without files, a folder that need not be named again, and passwords from `~/.pgpass`.

use std::os::unix::fs::PermissionsExt as _;

use super::shared::{BULK, check, fill, glacier, lose, store};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// GL26.
pub(super) async fn of_parts(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let content = world.checksum(&shop)?;
    let alone = ["backup", "--database", shop.as_str(), "--name", "shop"];
    glacier(world, &["backup", "--name", "shop"]).fails(2).await?.says("no folder of files was named")?;
    glacier(world, &["backup", "--name", "shop", "--database-only"]).fails(2).await?.says("no database was named")?;
    glacier(world, &alone).arg("-n").ok().await?.says("Would dump")?;
    glacier(world, &alone).ok().await?.says("with the dump")?.says("0 files")?;
    // What it says nothing of stays where it is.
    let files = fill(world)?;
    world.psql("postgres", &format!("DROP DATABASE \"{shop}\""))?;
    bring(world).await?;
    glacier(world, &["restore", "shop", "--files-only"]).fails(2).await?.says("has a database and no files")?;
    glacier(world, &["restore", "shop"]).ok().await?;
    ensure_eq!(world.checksum(&shop)?, content, "the database");
    check(world, &files)?;
    world.lastgood(["glacier", "orphans", "ls"]).fails(2).await?.says("--files")?;
    remembered(world, &alone, &files).await
}

async fn bring(world: &World) -> RowResult {
    if let Some(peer) = world.place().peer() {
        glacier(world, &["retrieve", "shop"]).ok().await?;
        peer.advance(BULK);
    }
    glacier(world, &["fetch", "shop"]).ok().await?;
    Ok(())
}

/// The folder that was backed up last is known.
async fn remembered(world: &World, alone: &[&str], files: &std::collections::BTreeMap<String, Vec<u8>>) -> RowResult {
    glacier(world, alone).args(["--files", "store"]).ok().await?.says("5 files")?;
    glacier(world, alone).ok().await?.says("5 archived before; wrote 0 archives")?;
    glacier(world, alone).arg("--database-only").ok().await?.says("0 files")?;
    // Also behind one that has no files.
    glacier(world, alone).ok().await?.says("5 archived before; wrote 0 archives")?;
    let status = glacier(world, &["status", "shop", "--files-only"]).ok().await?;
    status.says("exists (5 exists)")?;
    glacier(world, &["plan", "shop", "--files-only"]).ok().await?.says("Nothing has to be retrieved")?;
    std::fs::remove_file(store(world).join("twin"))?;
    bring(world).await?;
    glacier(world, &["restore", "shop", "--files-only"]).ok().await?.says("Restored 1 file")?;
    check(world, files)?;
    let elsewhere = glacier(world, alone).env("LASTGOOD_HOST", "another").fails(2).await?;
    elsewhere.says("not a folder of this machine")?.says("--database-only")?;
    lose(world)?;
    std::fs::remove_dir(store(world))?;
    glacier(world, alone).fails(2).await?.says("not a folder of this machine")?;
    glacier(world, &["catalogue", "rebuild", "shop"]).ok().await?;
    glacier(world, &["status", "shop", "--files-only"]).ok().await?.never_says("exists")?;
    glacier(world, &["restore", "shop", "--files-only"]).fails(2).await?.says("--files")?;
    std::fs::create_dir(store(world))?;
    std::fs::write(world.folder().join("lastgood.toml"), "[glacier]\nfiles = 'store'\n")?;
    bring(world).await?;
    glacier(world, &["restore", "shop", "--files-only"]).ok().await?.says("Restored 5 files")?;
    world.lastgood(["glacier", "orphans", "ls"]).ok().await?;
    check(world, files)
}

/// GL27.
pub(super) async fn passwords(world: &World) -> RowResult {
    fill(world)?;
    let shop = world.sample("shop")?;
    let role = world.name("gem_role");
    let password = "p:a\\ss wörd";
    let quoted = password.replace('\\', "\\\\");
    world.psql("postgres", &format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD E'{quoted}'"))?;
    let (host, port) = (world.cluster().host(), world.cluster().port());
    let home = world.folder().join("home");
    std::fs::create_dir_all(&home)?;
    let passfile = home.join(".pgpass");
    let escaped = password.replace('\\', "\\\\").replace(':', "\\:");
    std::fs::write(&passfile, format!("{host}:{port}:*:{role}:{escaped}\n"))?;
    let mode = |mode| std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(mode));
    mode(0o600)?;
    // As GlacierOnRails has it: a user, a database, and a password in ~/.pgpass alone.
    let run = |words: &[&str]| {
        let command = glacier(world, words).env("PGUSER", &role).env("PGPASSWORD", "").env("PGPASSFILE", "");
        command.env("HOME", home.display().to_string())
    };
    let within = ["--catalogue", shop.as_str()];
    let backup = ["backup", "--database", shop.as_str(), "--files", "store", "--name", "shop"];
    run(&backup).args(within).arg("-v").ok().await?.says("with the dump")?.never_says(password)?;
    let content = world.checksum(&shop)?;
    world.set_version(&shop, 2)?;
    if let Some(peer) = world.place().peer() {
        run(&["retrieve", "shop"]).args(within).ok().await?;
        peer.advance(BULK);
    }
    run(&["fetch", "shop"]).args(within).ok().await?;
    let restore = ["restore", "shop", "--files", "store", "--confirm-database", shop.as_str()];
    run(&restore).args(within).ok().await?.never_says(password)?;
    ensure_eq!(world.checksum(&shop)?, content, "the database");
    mode(0o644)?;
    let open = run(&backup).fails(2).await?;
    open.says("chmod 0600")?.never_says(password)?;
    std::fs::remove_file(&passfile)?;
    let nobody = run(&backup).run().await?;
    ensure!(nobody.code() != Some(0), "a backup without a password");
    nobody.says("no password was found")?;
    world.psql("postgres", &format!("REASSIGN OWNED BY {role} TO CURRENT_USER"))?;
    world.psql(&shop, &format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}"))?;
    world.psql("postgres", &format!("DROP ROLE {role}"))?;
    Ok(())
}
