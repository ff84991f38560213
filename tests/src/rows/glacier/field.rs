//! What public bug reports of other tools tell of: halves that a killed run left, rules that move archives, machines that go back to
//! an older image of themselves, files that change although they must not, catalogues that are damaged.

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::key::Key;
use backup_core::lifecycle::{ColdClass, LifecycleAction, LifecycleRule};
use backup_core::store::s3::S3Store;
use backup_core::store::{PutMode, PutOptions, StoreWrite as _};
use backup_testkit::s3_server::{ACCESS_KEY_ID, BUCKET, REGION, S3Peer, SECRET_ACCESS_KEY};

use super::shared::{ARCHIVES, BULK, check, fill, glacier, lose, paid, payloads, store};
use crate::harness::{Place, RowResult, World};
use crate::{ensure, ensure_eq};

const BACKUP: [&str; 5] = ["backup", "--files", "store", "--name", "uploads"];

/// Everything is lost, and fetched again.
async fn fetched(world: &World) -> RowResult {
    lose(world)?;
    glacier(world, &["catalogue", "rebuild", "uploads"]).ok().await?;
    if let Some(peer) = world.place().peer() {
        glacier(world, &["retrieve", "uploads"]).ok().await?;
        peer.advance(BULK);
    }
    glacier(world, &["fetch", "uploads"]).ok().await?;
    Ok(())
}

/// GL34. What a killed fetch and a killed restore leave is nobody's file, and goes.
pub(super) async fn halves(world: &World) -> RowResult {
    let files = fill(world)?;
    glacier(world, &BACKUP).ok().await?;
    fetched(world).await?;
    let fetching = world.folder().join("state/uploads/local/.fetch-Ab12Cd");
    let restoring = store(world).join(".lastgood-restore-0123456789abcdef");
    std::fs::write(&fetching, vec![7; 70_000])?;
    std::fs::write(&restoring, vec![7; 70_000])?;
    glacier(world, &BACKUP).fails(15).await?.says("has no files")?;
    glacier(world, &["fetch", "uploads"]).ok().await?;
    ensure!(!fetching.exists(), "half of a fetched content is left");
    glacier(world, &["restore", "uploads", "--files", "store"]).ok().await?.says("Restored 5 files")?;
    ensure!(!restoring.exists(), "half of a restored file is left");
    check(world, &files)?;
    glacier(world, &BACKUP).ok().await?.says("5 archived before; wrote 0 archives")?;
    Ok(())
}

/// GL35. A machine that was restored from an image of last week archives nothing again, and a dry run says so.
pub(super) async fn image(world: &World) -> RowResult {
    fill(world)?;
    glacier(world, &BACKUP).ok().await?;
    let (state, last_week) = (world.folder().join("state/uploads"), world.folder().join("last-week"));
    std::fs::create_dir(&last_week)?;
    let copy = |from: &std::path::Path, to: &std::path::Path| -> RowResult {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        Ok(())
    };
    copy(&state, &last_week)?;
    for name in ["later", "later still"] {
        std::fs::write(store(world).join(name), name)?;
        glacier(world, &BACKUP).ok().await?.says("wrote 1 archive")?;
    }
    std::fs::remove_dir_all(&state)?;
    std::fs::create_dir(&state)?;
    copy(&last_week, &state)?;
    glacier(world, &BACKUP).arg("-n").ok().await?.says("Would archive 0 files")?;
    glacier(world, &BACKUP).ok().await?.says("wrote 0 archives")?;
    ensure_eq!(payloads(world).await?, ARCHIVES + 2, "archives");
    Ok(())
}

/// GL36. A file that has changed although it must not is reported, and the backup has what was archived.
pub(super) async fn changed(world: &World) -> RowResult {
    let files = fill(world)?;
    glacier(world, &BACKUP).ok().await?;
    std::fs::write(store(world).join("large"), "cut off by a full disk")?;
    std::fs::remove_file(store(world).join("a/9a41f.pdf"))?;
    std::os::unix::fs::symlink("/etc/passwd", store(world).join("a/9a41f.pdf"))?;
    let said = glacier(world, &BACKUP).fails(3).await?;
    let said = said.says("(partial): 5 files")?.says("`large` was not archived: it has another content")?;
    said.says("`a/9a41f.pdf` was not archived: it is no regular file")?;
    fetched(world).await?;
    glacier(world, &["restore", "uploads", "--files", "store"]).ok().await?.says("Restored 5 files")?;
    check(world, &files)
}

/// GL37. A catalogue that is no database is named, with what helps.
pub(super) async fn damaged(world: &World) -> RowResult {
    fill(world)?;
    glacier(world, &BACKUP).ok().await?;
    let state = world.folder().join("state/uploads");
    std::fs::write(state.join("catalogue.sqlite"), vec![b'x'; 5000])?;
    for verb in [&["status", "uploads"][..], &BACKUP, &["catalogue", "rebuild", "uploads"]] {
        glacier(world, verb).fails(1).await?.says("is damaged")?.says("lastgood glacier catalogue rebuild")?;
    }
    for file in ["catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"] {
        let _missing = std::fs::remove_file(state.join(file));
    }
    glacier(world, &["catalogue", "rebuild", "uploads"]).ok().await?.says("Read 1 backup")?;
    glacier(world, &BACKUP).ok().await?.says("5 archived before; wrote 0 archives")?;
    Ok(())
}

fn bucket(peer: &S3Peer, prefix: &str) -> RowResult<S3Store> {
    let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    let (url, region) = (peer.endpoint().to_owned(), REGION.to_owned());
    Ok(S3Store::new(&Settings::of_endpoint(&Endpoint { url, region, credentials }), BUCKET, prefix)?)
}

/// GL38. Archives that a rule of the bucket has moved are planned and retrieved as where they are now, and a rule that would move
/// manifests is told at the backup.
pub(super) async fn moved(world: &World) -> RowResult {
    let Place::S3 { peer, prefix } = world.place() else { return Ok(()) };
    let (files, bucket) = (fill(world)?, bucket(peer, prefix)?);
    let backup = [&BACKUP[..], &["--class", "GLACIER_IR"]].concat();
    glacier(world, &backup).ok().await?.never_says("lifecycle rule")?;
    let freeze = |folder: &str| {
        let action = LifecycleAction::Freeze { after_days: 30, class: ColdClass::DeepArchive, over_bytes: 1 << 20 };
        LifecycleRule { folder: folder.to_owned(), action }
    };
    bucket.set_lifecycle("glacier/", &[freeze("glacier/")]).await?;
    let said = glacier(world, &backup).ok().await?;
    said.says("lifecycle rule `lastgood")?.says("to DEEP_ARCHIVE after 30 days: manifests and lists")?;
    bucket.set_lifecycle("glacier/", &[freeze("glacier/uploads/archives/")]).await?;
    glacier(world, &backup).ok().await?.never_says("lifecycle rule")?;
    // What such a rule does in the end.
    let options = PutOptions::new(PutMode::Replace).storage_class(Some("DEEP_ARCHIVE".to_owned()));
    for key in peer.keys().iter().filter(|key| key.contains("/archives/") || key.contains("/bundles/")) {
        let below = key.strip_prefix(&format!("{prefix}/")).unwrap_or(key);
        let body = peer.object(key).unwrap_or_default();
        bucket.put(&Key::new(below)?, body, &options).await?;
    }
    lose(world)?;
    glacier(world, &["catalogue", "rebuild", "uploads"]).ok().await?;
    glacier(world, &["plan", "uploads"]).ok().await?.says("2 archives")?.says("48 h")?;
    glacier(world, &["retrieve", "uploads", "--tier", "expedited"]).fails(2).await?.says("in DEEP_ARCHIVE")?;
    glacier(world, &["audit", "uploads", "--sample", "100%", "-n"]).ok().await?.says("2 archives")?;
    ensure_eq!(paid(world), 0, "retrievals that plans and refusals started");
    glacier(world, &["retrieve", "uploads"]).ok().await?.says("Requested 2 archives by Bulk, expected within 48 h")?;
    peer.advance(BULK);
    glacier(world, &["watch", "--once", "uploads"]).fails(3).await?.says("pending")?;
    peer.advance(3 * BULK);
    glacier(world, &["fetch", "uploads"]).ok().await?.says("Fetched 3 contents")?;
    glacier(world, &["audit", "uploads", "--sample", "100%"]).ok().await?.says("Verified 2 of a sample of 2")?;
    glacier(world, &["restore", "uploads", "--files", "store"]).ok().await?.says("Restored 5 files")?;
    ensure_eq!(paid(world), ARCHIVES, "retrievals that were paid");
    check(world, &files)
}
