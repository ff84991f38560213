//! What SQLite finds beside a database, and names that merge: rows W6 and W7.

mod beside;
mod folder;
mod names;

use std::collections::BTreeMap;
use std::process::Command;

use crate::ensure;
use crate::harness::{Area, Locations, Row, RowResult, World};

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "W6",
            "restore to a missing SQLite file beside its -wal, -shm, -journal",
            Area::Truth,
            Locations::Both,
            |world| Box::pin(beside::refused(world)),
        ),
        Row::new("W6-again", "… that appear while the restore runs", Area::Truth, Locations::Both, |world| {
            Box::pin(beside::appearing(world))
        }),
        Row::new(
            "W6-live",
            "restore into a database in use, and into one cut off in a change",
            Area::Truth,
            Locations::Both,
            |world| Box::pin(beside::live(world)),
        ),
        Row::new(
            "W6-folder",
            "files that come and go while a folder is restored into",
            Area::Truth,
            Locations::Both,
            |world| Box::pin(folder::meanwhile(world)),
        ),
        Row::new(
            "W6-source",
            "back up beside a hot journal, a log, and nothing",
            Area::Truth,
            Locations::Both,
            |world| Box::pin(beside::source(world)),
        ),
        Row::new("W7-case", "tables and columns that differ in case alone", Area::Truth, Locations::Both, |world| {
            Box::pin(names::case(world))
        }),
        Row::new("W7-table", "two types with one table", Area::Truth, Locations::Both, |world| {
            Box::pin(names::one_table(world))
        }),
        Row::new("W7-long", "names that PostgreSQL cuts", Area::Truth, Locations::Both, |world| {
            Box::pin(names::long(world))
        }),
        Row::new("W7-index", "names of our own that the records have too", Area::Truth, Locations::Both, |world| {
            Box::pin(names::ours(world))
        }),
        Row::new(
            "W7-folder",
            "files that differ in case alone, on disks that fold it and that do not",
            Area::Truth,
            Locations::Both,
            |world| Box::pin(folder::folded(world)),
        ),
    ]
}

/// Runs a script of Python, whose `sqlite3` is another build of SQLite than ours, and returns what it prints.
fn python(world: &World, script: &str) -> RowResult<String> {
    let run = Command::new("python3").args(["-c", script]).current_dir(world.folder()).output()?;
    ensure!(run.status.success(), "the script failed: {}", String::from_utf8_lossy(&run.stderr));
    Ok(String::from_utf8_lossy(&run.stdout).trim().to_owned())
}

/// The answer of SQLite.
fn sqlite(world: &World, file: &str, query: &str) -> RowResult<String> {
    let script =
        format!("import sqlite3\nfor row in sqlite3.connect({file:?}).execute({query:?}): print(*row, sep='|')");
    python(world, &script)
}

/// Everything in the working directory but the location, by name: what a refused restore may not change.
fn picture(world: &World) -> RowResult<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(world.folder())? {
        let entry = entry?;
        if entry.file_name() == "location" {
            continue;
        }
        let bytes = if entry.file_type()?.is_file() { std::fs::read(entry.path())? } else { Vec::new() };
        files.insert(entry.file_name().to_string_lossy().into_owned(), bytes);
    }
    Ok(files)
}
