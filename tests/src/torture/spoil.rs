//! Objects of a location damaged as a disk, a careless hand or an intruder would.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use backup_testkit::dice::Dice;
use backup_testkit::mutations;
use rustix::fs::{CWD, Mode, mkfifoat};

use super::stored::Stored;
use crate::harness::{Place, RowResult, World};

/// What was done.
pub(super) struct Spoiled {
    /// For people.
    pub(super) what: String,
    /// Whether digests are right again: whoever can write to a location can put other backups there.
    pub(super) is_sealed: bool,
}

/// Damages one to three objects.
pub(super) async fn spoil(world: &World, stored: &Stored, dice: &mut Dice) -> RowResult<Spoiled> {
    let mut spoiled = Spoiled { what: String::new(), is_sealed: false };
    for _ in 0..dice.between(1, 4) {
        let one = one(world, stored, dice).await?;
        spoiled.what = format!("{}{}{}", spoiled.what, if spoiled.what.is_empty() { "" } else { ", " }, one.what);
        spoiled.is_sealed |= one.is_sealed;
    }
    Ok(spoiled)
}

async fn one(world: &World, stored: &Stored, dice: &mut Dice) -> RowResult<Spoiled> {
    // Half of the time one of the documents that everything else hangs on.
    let is_document = dice.once_in(2);
    let of_kind: Vec<&(String, Vec<u8>)> =
        stored.0.iter().filter(|(key, _)| !is_document || key.ends_with(".json")).collect();
    let (key, bytes) = *dice.pick(&of_kind);
    // Without its manifest a file may count as one of a program that writes none.
    let is_manifest = key.ends_with("manifest.json");
    let done = |what: &str, is_sealed| Ok(Spoiled { what: format!("`{key}` {what}"), is_sealed });
    if let Place::Folder(root) = world.place()
        && dice.once_in(4)
    {
        return done(special(root, key, dice)?, is_manifest);
    }
    let (_, other) = dice.pick(&stored.0);
    match dice.below(8) {
        0 => {
            // It may be gone already.
            let _ = world.place().remove(key).await;
            return done("removed", is_manifest);
        }
        1 => {
            written(world, key, other).await?;
            return done("replaced by another object", true);
        }
        2 => {
            written(world, key, &[]).await?;
            return done("emptied", false);
        }
        3 => {
            let added = format!("{key}{}", *dice.pick(&[".tmp", "/manifest.json", ".deleted.json", "~", "/x/y/z"]));
            written(world, &added, bytes).await?;
            return done(&format!("beside `{added}`"), false);
        }
        4 | 5 => {
            if let Some(sealed) = mutations::manifest(dice, bytes) {
                written(world, key, &sealed).await?;
                return done("with other fields under a right digest", true);
            }
        }
        _ => {}
    }
    let changed = mutations::bytes(dice, bytes, std::slice::from_ref(other), &["null", "\"..\"", "PGDMP", "\n"]);
    written(world, key, &changed).await?;
    done("with other bytes", false)
}

/// Writes an object, and never through what an earlier damage put there.
async fn written(world: &World, key: &str, bytes: &[u8]) -> RowResult {
    if let Place::Folder(root) = world.place() {
        let mut path = root.clone();
        for segment in key.split('/') {
            path.push(segment);
            match path.symlink_metadata() {
                Ok(about) if about.is_dir() && path == root.join(key) => fs::remove_dir_all(&path)?,
                Ok(about) if about.is_dir() => {}
                Ok(about) if about.is_file() && path == root.join(key) => {}
                Ok(_) => fs::remove_file(&path)?,
                Err(_) => break,
            }
        }
    }
    world.place().write(key, bytes).await
}

/// Puts something that is no regular file where a file was.
fn special(root: &Path, key: &str, dice: &mut Dice) -> RowResult<&'static str> {
    let path = root.join(key);
    if path.is_dir() {
        fs::remove_dir_all(&path)?;
    } else if path.symlink_metadata().is_ok() {
        fs::remove_file(&path)?;
    }
    if let Some(folder) = path.parent() {
        // Another damage may have put a file there.
        if fs::create_dir_all(folder).is_err() {
            return Ok("not changed");
        }
    }
    Ok(match dice.below(6) {
        0 => {
            symlink(&path, &path)?;
            "linked to itself"
        }
        1 => {
            symlink(precious(root), &path)?;
            "linked to a file outside"
        }
        2 => {
            symlink("..", &path)?;
            "linked to its folder"
        }
        3 => {
            mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR)?;
            "replaced by a FIFO"
        }
        4 => {
            symlink("/dev/zero", &path)?;
            "linked to a device"
        }
        _ => {
            fs::create_dir(&path)?;
            "replaced by a folder"
        }
    })
}

/// A folder beside the location that nobody may touch.
const OUTSIDE: &str = "outside";

/// The file in it, as seen from a location in a folder.
pub(super) fn precious(root: &Path) -> PathBuf {
    root.with_file_name(OUTSIDE).join("precious")
}

/// Makes what nobody may touch.
pub(super) fn guarded(world: &World) -> RowResult {
    let folder = world.folder().join(OUTSIDE);
    fs::create_dir_all(folder.join("below"))?;
    fs::write(folder.join("precious"), "precious")?;
    fs::write(folder.join("below/other"), "other")?;
    Ok(())
}
