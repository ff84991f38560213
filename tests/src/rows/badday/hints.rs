//! What a listing keeps for the next one: it is faster with it, and never says anything else.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::try_join_all;
use rustix::fs::{CWD, Mode, mkfifoat};
use sha2::{Digest as _, Sha256};

use super::planted;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, Place, RowResult, World};
use crate::many::Content;
use crate::{ensure, ensure_eq};

/// More than are read as fast as a hint is.
const DUMPS: u32 = 80;

/// Until what was written can be told from what is written in the same moment.
const SETTLES: Duration = Duration::from_secs(4);

/// Some other user.
const NOBODY: u32 = 65_534;

/// Listings beside each other.
const LISTINGS: usize = 6;

/// Q-hint.
pub(super) async fn only_hints(world: &World) -> RowResult {
    world.init().await?;
    planted(world, 0..DUMPS, Content::Manifest).await?;
    tokio::time::sleep(SETTLES).await;
    let before = world.place().picture().await?;
    let cache = world.folder().join("home/.cache/lastgood");
    let expected = listed(world, "never").await?;
    ensure!(!cache.exists(), "it keeps something although it may not");
    ensure_eq!(listed(world, "auto").await?, expected, "the first listing");
    let Place::Folder(root) = world.place() else {
        ensure!(!cache.exists(), "it keeps something that costs as many requests as it saves");
        return Ok(());
    };
    ensure_eq!(listed(world, "auto").await?, expected, "the second listing");
    ensure_eq!(world.place().picture().await?, before, "the location");
    let hint = file(&cache)?;
    ensure_eq!(mode(&hint)?, 0o600, "the mode of `{}`", hint.display());
    ensure_eq!(mode(&cache)?, 0o700, "the mode of `{}`", cache.display());
    believed(world, &hint).await.within("what is kept")?;
    spoiled(world, &cache, &hint).await?;
    stale(world, root).await?;
    beside_each_other(world, &cache).await
}

async fn listed(world: &World, hints: &str) -> RowResult<String> {
    Ok(world.lastgood(["pg", "ls", "--json"]).env("LASTGOOD_HINTS", hints).ok().await?.stdout)
}

/// A listing says what one says that reads everything.
async fn compared(world: &World) -> RowResult {
    let expected = listed(world, "never").await?;
    ensure_eq!(listed(world, "auto").await?, expected, "the listing");
    ensure_eq!(listed(world, "auto").await?, expected, "the listing after it");
    Ok(())
}

/// It is what the listing says: otherwise nothing below would be tried.
async fn believed(world: &World, hint: &Path) -> RowResult {
    let whole = fs::read(hint)?;
    fs::write(hint, forge(&whole))?;
    ensure!(listed(world, "auto").await?.contains("77777"), "the hint is not used");
    fs::write(hint, whole)?;
    Ok(())
}

/// A hint that is not as it was written, or may be somebody else's.
async fn spoiled(world: &World, cache: &Path, hint: &Path) -> RowResult {
    let whole = fs::read(hint)?;
    let changed = String::from_utf8_lossy(&whole).replace("\"rows\":20000", "\"rows\":77777").into_bytes();
    for body in [changed, whole[..whole.len() / 2].to_vec(), Vec::new(), vec![0xff; 100_000]] {
        fs::write(hint, &body)?;
        compared(world).await.within(&format!("a hint of {} bytes", body.len()))?;
        ensure_eq!(fs::read(hint)?, whole, "the hint that is written anew");
    }
    let forged = forge(&whole);
    for what in ["others can write it", "it is another user's", "nobody may read it", "others can put one in its place"]
    {
        fs::write(hint, if what.starts_with("nobody") { &whole } else { &forged })?;
        let set = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        match what {
            "others can write it" => set(hint, 0o666)?,
            "it is another user's" => chown(hint, Some(NOBODY), None)
                .map_err(|error| Failure::Skipped(format!("a file cannot be given away, which needs root: {error}")))?,
            "nobody may read it" => set(hint, 0)?,
            _ => set(cache, 0o777)?,
        }
        compared(world).await.within(what)?;
        set(cache, 0o700)?;
        fs::remove_file(hint)?;
        compared(world).await.within("without one")?;
    }
    let elsewhere = world.folder().join("elsewhere");
    fs::write(&elsewhere, &forged)?;
    fs::remove_file(hint)?;
    symlink(&elsewhere, hint)?;
    compared(world).await.within("a link")?;
    ensure_eq!(fs::read(&elsewhere)?, forged, "what the link leads to");
    fs::remove_file(hint)?;
    mkfifoat(CWD, hint, Mode::RUSR | Mode::WUSR)?;
    compared(world).await.within("a FIFO")?;
    for nowhere in ["/proc", "/dev/full", "relative"] {
        let listing = world.lastgood(["pg", "ls", "--json"]).env("XDG_CACHE_HOME", nowhere).ok().await?;
        ensure_eq!(listing.stdout, listed(world, "never").await?, "with XDG_CACHE_HOME={nowhere}");
    }
    Ok(())
}

/// The same hint, telling something else and whole.
fn forge(whole: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(whole);
    let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let forged = format!("{}\n", lines.replace("\"rows\":20000", "\"rows\":77777"));
    let digest = Sha256::digest(&forged).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{forged}{digest}").into_bytes()
}

/// Manifests that are forged, gone, new, or in another's place since the hint was kept.
async fn stale(world: &World, root: &Path) -> RowResult {
    compared(world).await?;
    let manifests = world.place().keys_ending("manifest.json").await?;
    let path = |at: usize| root.join(&manifests[at]);
    let forged = fs::read_to_string(path(3))?.replace("\"rows\":20000", "\"rows\":77777");
    let written = fs::metadata(path(3))?.modified()?;
    fs::write(path(3), forged)?;
    File::options().write(true).open(path(3))?.set_modified(written)?;
    compared(world).await.within("a manifest that is forged in place")?;
    ensure!(listed(world, "auto").await?.contains("damaged"), "the forged one is not damaged");

    fs::copy(path(4), path(5))?;
    compared(world).await.within("a manifest in another's place")?;
    fs::remove_file(path(6))?;
    fs::remove_dir(path(6).parent().unwrap_or(root))?;
    fs::remove_file(path(7))?;
    symlink(path(8), path(7))?;
    compared(world).await.within("one that is gone, and one that is a link")?;
    planted(world, DUMPS..DUMPS + 2, Content::Manifest).await?;
    compared(world).await.within("new ones")?;
    tokio::time::sleep(SETTLES).await;
    compared(world).await.within("the same a while later")
}

/// Listings at the same time leave one file that is whole.
async fn beside_each_other(world: &World, cache: &Path) -> RowResult {
    fs::remove_dir_all(cache)?;
    let expected = listed(world, "never").await?;
    for said in try_join_all((0..LISTINGS).map(|_| listed(world, "auto"))).await? {
        ensure_eq!(said, expected, "one of them");
    }
    believed(world, &file(cache)?).await.within("what several kept")
}

/// The only file in a folder.
fn file(folder: &Path) -> RowResult<PathBuf> {
    let found = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    ensure_eq!(found.len(), 1, "files in `{}`: {found:?}", folder.display());
    found.into_iter().next().ok_or_else(|| Failure::new("there is no file"))
}

fn mode(path: &Path) -> RowResult<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}
