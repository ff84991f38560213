//! C12, C18: full disks and folders that others can look into.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::{RowResult, SmallDisk, World};
use crate::{ensure, ensure_eq};

/// Mebibytes of the small disk; the sample fits several times.
const DISK_MIB: u32 = 8;

/// Mebibytes of rows that do not compress: far more than the disk has.
const BULK_MIB: u32 = 16;

/// C12.
pub(super) async fn full_disk(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let disk = SmallDisk::mount(&world.folder().join("location"), DISK_MIB)?;
    world.init().await?;
    let kept = world.dump(&shop).await?;
    let before = world.place().picture().await?;
    world.add_bulk(&shop, BULK_MIB)?;
    let output = world.lastgood(["pg", "dump", &shop]).fails(1).await?;
    let needed = output.stderr.split("no space left to write ").nth(1).and_then(|rest| rest.split(' ').next());
    let size: f64 = needed.and_then(|size| size.parse().ok()).unwrap_or_default();
    let says_how_much = size > 0.0;
    ensure!(says_how_much, "it should say how many bytes were needed:\n{}", output.stderr);
    ensure_eq!(world.place().unfinished().await?, 0, "temporary files");
    ensure_eq!(world.place().picture().await?, before, "the location");
    ensure_eq!(world.keys(&shop).await?, vec![kept.clone()], "dumps");
    world.lastgood(["pg", "verify", &kept, "--read", "all"]).ok().await?;
    // There is room again.
    world.psql(&shop, "DROP TABLE bulk")?;
    world.dump(&shop).await?;
    drop(disk);
    Ok(())
}

/// C18.
pub(super) async fn open_to_others(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let location = world.folder().join("location");
    fs::set_permissions(&location, fs::Permissions::from_mode(0o755))?;
    let remedy = format!("chmod 700 {}", location.display());
    let output = world.lastgood(["pg", "dump", &shop, "--json"]).ok().await?.says(&remedy)?;
    let key = output.json()?["key"].as_str().unwrap_or_default().to_owned();
    for command in [&["pg", "ls"][..], &["pg", "show", &key], &["doctor"]] {
        world.lastgood(command.iter().copied()).ok().await?.says(&remedy)?;
    }
    for object in world.place().objects().await? {
        let mode = fs::metadata(location.join(&object.key))?.permissions().mode() & 0o777;
        ensure_eq!(format!("{mode:04o}"), "0600", "the mode of `{}`", object.key);
    }
    fs::set_permissions(&location, fs::Permissions::from_mode(0o700))?;
    world.lastgood(["pg", "ls"]).ok().await?.never_says("chmod")?;

    let passfile = world.folder().join("passfile");
    fs::copy(world.cluster().passfile(), &passfile)?;
    let path = passfile.display().to_string();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o644))?;
    let before = world.place().picture().await?;
    let output = world.lastgood(["pg", "dump", &shop]).env("PGPASSFILE", &path).fails(2).await?;
    output.says(&format!("chmod 0600 {path}"))?.never_says(world.cluster().password())?;
    ensure_eq!(world.place().picture().await?, before, "the location after the refused dump");
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600))?;
    world.lastgood(["pg", "dump", &shop]).env("PGPASSFILE", &path).ok().await?;
    Ok(())
}
