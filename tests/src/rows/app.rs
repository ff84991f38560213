//! Backups of an application's records: gludb's own files, cycles, damage, hostile tarballs, kills, retention.

mod cycle;
mod damage;
mod kill;
mod postgres;

use crate::harness::{Area, Locations, Row, RowResult, World};

/// What gludb 0.2 itself wrote.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/object-backup/tests/fixtures");

/// Two records.
const USERS: &str = "{\"id\": \"1\", \"name\": \"Zoë\"}\n{\"id\": \"2\", \"name\": null}\n";

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("A1", "backup, ls, show, verify, cat, restore, prune of records", Area::App, Both, |world| {
            Box::pin(cycle::whole(world))
        }),
        Row::new("A2", "gludb's own tarballs: ls, verify, cat, restore", Area::App, Both, |world| {
            Box::pin(cycle::of_gludb(world))
        }),
        Row::new("A3", "tarball and manifest cut, flipped, longer, missing", Area::App, Both, |world| {
            Box::pin(damage::refused(world))
        }),
        Row::new("A4", "records there already: fail, skip, replace; SQLite to SQLite", Area::App, Folder, |world| {
            Box::pin(cycle::conflicts(world))
        }),
        Row::new("A5", "--min-age skips; -n changes nothing", Area::App, Both, |world| Box::pin(cycle::min_age(world))),
        Row::new("A6", "kill -9 at every step and amid the upload; prune frees it", Area::App, Both, |world| {
            Box::pin(kill::every_step(world))
        }),
        Row::new("A7", "SIGTERM amid a backup: 143, nothing left", Area::App, Both, |world| {
            Box::pin(kill::terminated(world))
        }),
        Row::new("A8", "PostgreSQL there and back, and into SQLite", Area::App, Both, |world| {
            Box::pin(postgres::there_and_back(world))
        }),
        Row::new("O1", "the source fails after 40 % of its records", Area::App, Both, |world| {
            Box::pin(damage::failing_source(world))
        }),
        Row::new("O2", "no records where there were 10,000", Area::App, Both, |world| Box::pin(damage::emptied(world))),
        Row::new("O3", "records of 1 MiB, with NUL, not UTF-8, with one id", Area::App, Folder, |world| {
            Box::pin(damage::odd_records(world))
        }),
        Row::new("O4", "hostile tarballs, made by tar and Python", Area::App, Folder, |world| {
            Box::pin(damage::hostile(world))
        }),
        Row::new("O5", "the same records twice: one digest", Area::App, Both, |world| Box::pin(cycle::same(world))),
    ]
}

/// A folder of records in the working directory of every command.
fn records(world: &World, folder: &str, files: &[(&str, &str)]) -> RowResult {
    let path = world.folder().join(folder);
    std::fs::create_dir_all(&path)?;
    for (file, content) in files {
        std::fs::write(path.join(file), content)?;
    }
    Ok(())
}

/// The keys that `app ls` shows, oldest first.
async fn keys(world: &World) -> RowResult<Vec<String>> {
    let listed = world.lastgood(["app", "ls", "--json"]).ok().await?.json()?;
    Ok(listed.as_array().into_iter().flatten().filter_map(|entry| Some(entry["key"].as_str()?.to_owned())).collect())
}

/// What is in a file of the working directory.
fn read(world: &World, path: &str) -> RowResult<String> {
    Ok(String::from_utf8_lossy(&std::fs::read(world.folder().join(path))?).into_owned())
}
