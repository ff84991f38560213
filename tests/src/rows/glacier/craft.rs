//! GL30 to GL33: damage, full disks, signals, and secrets.

use std::os::unix::fs::PermissionsExt as _;

use rand::Rng as _;
use rustix::process::Signal;
use serde_json::Value;

use super::shared::{BULK, check, fill, glacier, lose, payloads, store};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, Place, RowResult, SmallDisk, World};
use crate::{ensure, ensure_eq};

/// Exit codes of damage, and of what a newer version made.
const INTEGRITY: i32 = 13;
const NEWER: i32 = 16;

/// Mebibytes of the small disk; the files of a row fit once.
const DISK_MIB: u32 = 8;

async fn key_of(world: &World, is_it: impl Fn(&str) -> bool) -> RowResult<String> {
    let mut keys = world.place().objects().await?.into_iter().map(|object| object.key);
    keys.find(|key| is_it(key)).ok_or_else(|| Failure::new("there is no such object"))
}

/// One bit in the middle is another, a byte is missing, a byte too many.
fn damaged(good: &[u8]) -> [Vec<u8>; 3] {
    let mut flipped = good.to_vec();
    flipped[good.len() / 2] ^= 1;
    [flipped, good[..good.len() - 1].to_vec(), [good, b"x"].concat()]
}

/// GL30.
pub(super) async fn refused(world: &World) -> RowResult {
    fill(world)?;
    let shop = world.sample("shop")?;
    let backup = ["backup", "--database", shop.as_str(), "--files", "store", "--name", "shop"];
    glacier(world, &backup).ok().await?;
    manifests(world).await?;
    // An archive: whoever reads it notices, and nothing of it is placed.
    lose(world)?;
    glacier(world, &["catalogue", "rebuild", "shop"]).ok().await?;
    if let Some(peer) = world.place().peer() {
        glacier(world, &["retrieve", "shop"]).ok().await?;
        peer.advance(BULK);
    }
    let large = key_of(world, |key| key.contains("/archives/")).await?;
    let good = world.place().read(&large).await?;
    for bad in damaged(&good) {
        // What is there stands for what the service would hand out.
        world.place().write(&large, &bad).await?;
        let fetched = glacier(world, &["fetch", "shop", "--only", "large"]).run().await?;
        if bad.len() <= good.len() {
            fetched.expect_code(INTEGRITY)?.says(&large)?;
            ensure_eq!(
                std::fs::read_dir(world.folder().join("state/shop/local"))?.count(),
                0,
                "contents that are local"
            );
            glacier(world, &["audit", "shop", "--sample", "100%"]).fails(INTEGRITY).await?.says(&large)?;
        }
        if bad.len() != good.len() {
            glacier(world, &["reconcile", "shop"]).fails(INTEGRITY).await?.says("DIFFERS")?.says(&large)?;
        }
        let _fetched_for_nothing = std::fs::remove_dir_all(world.folder().join("state/shop/local"));
    }
    world.place().write(&large, &good).await?;
    glacier(world, &["fetch", "shop"]).ok().await?;
    dumps(world, &shop).await
}

/// A manifest that was edited, or that a newer version wrote.
async fn manifests(world: &World) -> RowResult {
    let key = key_of(world, |key| key.contains("/backups/") && key.ends_with("manifest.json")).await?;
    let good = world.place().read(&key).await?;
    for bad in damaged(&good) {
        world.place().write(&key, &bad).await?;
        glacier(world, &["status", "shop"]).fails(1).await?.says("no backup")?;
        let time = key.rsplit('/').nth(1).unwrap_or_default();
        glacier(world, &["status", &format!("shop/{time}")]).fails(INTEGRITY).await?;
        world.lastgood(["glacier", "ls"]).ok().await?.says("DAMAGED")?;
    }
    let mut manifest: Value = serde_json::from_slice(&good)?;
    manifest["format"] = 99.into();
    world.place().write(&key, manifest.to_string().as_bytes()).await?;
    let before = world.place().picture().await?;
    for verb in [&["prune", "shop", "--keep-last", "1", "--yes"][..], &["prune", "shop", "--incomplete"]] {
        let refused = glacier(world, verb).run().await?;
        ensure!(
            refused.code() == Some(NEWER) || verb.contains(&"--incomplete"),
            "a newer manifest was passed over: {verb:?}"
        );
    }
    let mut after = world.place().picture().await?;
    after.retain(|key, _| before.contains_key(key));
    ensure_eq!(after.len(), before.len(), "objects after refused prunes");
    world.place().write(&key, &good).await?;
    glacier(world, &["status", "shop"]).ok().await?;
    Ok(())
}

/// P4: what was fetched of a dump is damaged on the disk.
async fn dumps(world: &World, shop: &str) -> RowResult {
    let fetched = glacier(world, &["fetch", "shop", "--json"]).ok().await?.json()?;
    let folder = world.folder().join(fetched["database"].as_str().unwrap_or_default());
    let mut packs = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "pack") => packs.push(path),
                false => {}
            }
        }
    }
    let pack = packs.first().ok_or_else(|| Failure::new("no pack was fetched"))?;
    let (good, before) = (std::fs::read(pack)?, world.checksum(shop)?);
    let restore = ["restore", "shop", "--files", "store", "--confirm-database", shop];
    std::fs::write(store(world).join("orphan"), "nobody knows me")?;
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    std::fs::write(pack, &flipped)?;
    glacier(world, &restore).fails(INTEGRITY).await?;
    ensure_eq!(world.checksum(shop)?, before, "the live database after a refused restore");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    ensure!(store(world).join("orphan").exists(), "a file was moved away although nothing was restored");
    ensure!(!store(world).join("twin").exists(), "a file was placed although nothing was restored");
    // What was damaged was not kept, so that fetching again helps.
    glacier(world, &restore).fails(3).await?.says("nothing was restored")?;
    glacier(world, &["fetch", "shop"]).ok().await?;
    glacier(world, &restore).ok().await?.says("Restored 5 files")?;
    ensure_eq!(world.checksum(shop)?, before, "the database");
    Ok(())
}

/// GL31: C12.
pub(super) async fn full_disk(world: &World) -> RowResult {
    let files = fill(world)?;
    let disk = SmallDisk::mount(&world.folder().join("location"), DISK_MIB)?;
    world.init().await?;
    let backup = ["backup", "--files", "store", "--name", "uploads", "--no-bundles"];
    glacier(world, &backup).ok().await?;
    let before = world.place().picture().await?;
    std::fs::write(store(world).join("huge"), vec![9; 8 << 20])?;
    glacier(world, &backup).fails(1).await?.says("no space left to write")?;
    ensure_eq!(world.place().unfinished().await?, 0, "temporary files");
    let mut after = world.place().picture().await?;
    after.retain(|key, _| !key.ends_with("/lease.json"));
    let before: Vec<_> = before.into_iter().filter(|(key, _)| !key.ends_with("/lease.json")).collect();
    ensure_eq!(after.into_iter().collect::<Vec<_>>(), before, "the location");
    std::fs::remove_file(store(world).join("huge"))?;
    glacier(world, &backup).ok().await?.says("wrote 0 archives")?;
    drop(disk);
    check(world, &files)
}

/// GL32: C16.
pub(super) async fn terminated(world: &World) -> RowResult {
    let Place::S3 { peer, .. } = world.place() else { return Ok(()) };
    fill(world)?;
    std::fs::write(store(world).join("huge"), vec![9; 24 << 20])?;
    peer.latency(std::time::Duration::from_millis(30));
    let mut run = glacier(world, &["backup", "--files", "store", "--name", "uploads"]).start()?;
    // Before its answer to the beginning came, it could not know what to end.
    while world.place().unfinished().await? == 0 || !peer.log().iter().any(|call| call.op == "UploadPart") {
        ensure!(!run.has_ended()?, "the backup ended, and no object was ever seen half there");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    run.signal(Signal::TERM)?;
    run.finish().await?.expect_code(143)?;
    peer.latency(std::time::Duration::ZERO);
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
    let lease: Value = serde_json::from_slice(&world.place().read("glacier/uploads/lease.json").await?)?;
    ensure_eq!(lease["released"], true, "whether the lease was given back");
    world.lastgood(["glacier", "ls"]).ok().await?.says("no backups")?;
    // Another machine need not wait.
    let other = ["glacier", "backup", "--files", "store", "--name", "uploads", "--state", "other"];
    world.lastgood(other).ok().await?.says("Published")?;
    ensure_eq!(payloads(world).await?, 3, "archives");
    Ok(())
}

/// GL33: C17.
pub(super) async fn secrets(world: &World) -> RowResult {
    fill(world)?;
    let shop = world.sample("shop")?;
    let secret = || format!("{:024x}", rand::rng().random::<u128>() >> 32);
    let (database, aws) = (secret(), secret());
    let role = world.name("leaky");
    world.psql("postgres", &format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{database}'"))?;
    let backup = ["backup", "--database", shop.as_str(), "--files", "store", "--name", "shop"];
    let restore = ["restore", "shop", "--files", "store", "--confirm-database", shop.as_str()];
    let commands: [&[&str]; 9] = [
        &backup,
        &["status", "shop"],
        &["plan", "shop"],
        &["retrieve", "shop"],
        &["fetch", "shop"],
        &restore,
        &["audit", "shop", "--sample", "100%"],
        &["prune", "shop", "--keep-last", "1"],
        &["adopt", "--database", shop.as_str()],
    ];
    let right = [("PGUSER", role.as_str()), ("PGPASSWORD", database.as_str()), ("PGPASSFILE", "/nonexistent")];
    let wrong_key = [("AWS_SECRET_ACCESS_KEY", aws.as_str()), ("AWS_SESSION_TOKEN", aws.as_str())];
    let wrong_password = [("PGUSER", role.as_str()), ("PGPASSWORD", aws.as_str()), ("PGPASSFILE", "/nonexistent")];
    let both = [&right[..], &wrong_key[..]].concat();
    for more in [&right[..], &both[..], &wrong_password[..]] {
        for command in commands {
            for extra in ["--json", "-vvv"] {
                let run = glacier(world, command).arg(extra);
                let output = more.iter().fold(run, |run, (name, value)| run.env(*name, *value)).run().await?;
                let said = format!("{}{}", output.stdout, output.stderr);
                let leaks = said.contains(&database) || said.contains(&aws);
                ensure!(!leaks, "a secret is in what `{}` says", command.join(" "));
            }
        }
    }
    for object in world.place().objects().await? {
        let bytes = world.place().read(&object.key).await?;
        let is_in = [&database, &aws].iter().any(|secret| bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
        ensure!(!is_in, "a secret is in the object `{}`", object.key);
    }
    for file in ["catalogue.sqlite", "lock"] {
        let path = world.folder().join("state/shop").join(file);
        let mode = std::fs::metadata(&path)?.permissions().mode() & 0o777;
        ensure_eq!(format!("{mode:04o}"), "0600", "the mode of `{file}`");
    }
    world.psql(&shop, &format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}")).within("roles")?;
    world.psql("postgres", &format!("DROP ROLE {role}"))?;
    Ok(())
}
