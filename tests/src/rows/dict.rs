//! Backups of stores in memory: DictDB's own files, compaction, damage, pickle, retention.

mod beside;
mod chain;
mod damage;
mod files;
mod ours;
mod reserved;

use crate::harness::{Area, Locations, Row, RowResult, World};

/// What DictDB 1.11 itself wrote.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/dictstore-backup/tests/fixtures");

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("D1", "DictDB's folder: ls, show, verify, restore by its chain", Area::Dict, Both, |world| {
            Box::pin(chain::of_dictdb(world))
        }),
        Row::new("D2", "compact, restore, prune: whole chains, never the last good one", Area::Dict, Both, |world| {
            Box::pin(chain::compacted(world))
        }),
        Row::new("D3", "file and manifest cut, flipped, longer, missing", Area::Dict, Both, |world| {
            Box::pin(damage::refused(world))
        }),
        Row::new("D4", "files DictDB left half-written are skipped with a word", Area::Dict, Both, |world| {
            Box::pin(damage::torn(world))
        }),
        Row::new("D5", "pickle there and back; hostile pickle executes nothing", Area::Dict, Folder, |world| {
            Box::pin(files::pickle(world))
        }),
        Row::new(
            "D6",
            "defects of DictDB: left out by our rules, reproduced by its own",
            Area::Dict,
            Folder,
            |world| Box::pin(files::semantics(world)),
        ),
        Row::new("D7", "watch runs a program after a new backup", Area::Dict, Both, |world| {
            Box::pin(files::watch(world))
        }),
        Row::new("D7-secrets", "what the program prints is shown without secrets", Area::Dict, Folder, |world| {
            Box::pin(files::watch_secrets(world))
        }),
        Row::new("D8", "our own chains: every command, points by time, name and number", Area::Dict, Both, |world| {
            Box::pin(ours::every_command(world))
        }),
        Row::new("D9", "a manifest of a newer format: nothing read, nothing written", Area::Dict, Both, |world| {
            Box::pin(ours::newer(world))
        }),
        Row::new("D10", "prune beside a service that publishes a delta", Area::Dict, Both, |world| {
            Box::pin(reserved::beside_a_service(world))
        }),
        Row::new("D10-killed", "what a killed service reserved goes as a leftover", Area::Dict, Both, |world| {
            Box::pin(reserved::abandoned(world))
        }),
        Row::new("D11", "restore to a file that is there: refused without --force", Area::Dict, Folder, |world| {
            Box::pin(beside::existing(world))
        }),
        Row::new("D12", "a lock that a service in Python takes too", Area::Dict, Both, |world| {
            Box::pin(beside::locked(world))
        }),
        Row::new("D13", "records that fit no table: verify and restore agree", Area::Dict, Folder, |world| {
            Box::pin(files::unfit(world))
        }),
    ]
}

fn fixture(name: &str) -> RowResult<Vec<u8>> {
    Ok(std::fs::read(format!("{FIXTURES}/{name}"))?)
}

/// Puts the files of a folder of fixtures, and of the folders in it, into the location.
pub(crate) async fn plant(world: &World, folder: &str) -> RowResult {
    for (name, content) in files_of(folder)? {
        world.place().write(&name, &content).await?;
    }
    Ok(())
}

/// The files of a folder of fixtures, and of the folders in it, by their names below it.
pub(crate) fn files_of(folder: &str) -> RowResult<Vec<(String, Vec<u8>)>> {
    let (mut files, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(format!("{FIXTURES}/{folder}/{below}"))? {
            let entry = entry?;
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(format!("{name}/"));
            } else {
                let content = fixture(&format!("{folder}/{name}"))?;
                files.push((name, content));
            }
        }
    }
    Ok(files)
}

/// A file in the working directory of every command.
fn local(world: &World, name: &str) -> std::path::PathBuf {
    world.folder().join(name)
}
