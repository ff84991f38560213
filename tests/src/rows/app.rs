//! Backups of an application's records: gludb's own files, cycles, damage, hostile tarballs, kills, retention.

mod cycle;
mod damage;
mod elsewhere;
mod kill;
mod lifecycle;
mod postgres;
mod publish;
mod requests;
mod secrets;
pub(crate) mod sources;
mod tags;
mod targets;

use crate::harness::{Area, Locations, Row, RowResult, World};

/// What gludb 0.2 itself wrote.
pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/object-backup/tests/fixtures");

/// Two records.
const USERS: &str = "{\"id\": \"1\", \"name\": \"Zoë\"}\n{\"id\": \"2\", \"name\": null}\n";

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::{Both, Folder};
    let mut rows = vec![
        Row::new("A1", "backup, ls, show, verify, cat, restore, prune of records", Area::App, Both, |world| {
            Box::pin(cycle::whole(world))
        }),
        Row::new("A-tags", "tags given and taken later: listed, filtered, kept by", Area::App, Both, |world| {
            Box::pin(tags::come_and_go(world))
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
        Row::new("A9", "lifecycle rules: printed, set, those of others kept", Area::App, Both, |world| {
            Box::pin(lifecycle::rules(world))
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
    ];
    rows.extend(as_people_have_them());
    rows.extend(at_the_location());
    rows.push(Row::new("A10", "there and back on ministack, a server of others", Area::App, Folder, |world| {
        Box::pin(elsewhere::there_and_back(world))
    }));
    rows
}

/// Sources, targets and tarballs that were met elsewhere.
fn as_people_have_them() -> Vec<Row> {
    use Locations::{Both, Folder, S3};
    vec![
        Row::new(
            "A11",
            "SQLite in UTF-16, with a generated id, full-text and unknown tables",
            Area::App,
            Folder,
            |world| Box::pin(sources::odd_databases(world)),
        ),
        Row::new("A12", "writers of a rollback-journal database do not wait for the store", Area::App, S3, |world| {
            Box::pin(sources::writers_go_on(world))
        }),
        Row::new("A13", "a WAL database in a folder that nobody may write to", Area::App, Folder, |world| {
            Box::pin(sources::no_place_for_a_log(world))
        }),
        Row::new("A14", "a folder with byte order marks, other files, one id twice", Area::App, Folder, |world| {
            Box::pin(sources::odd_folders(world))
        }),
        Row::new("A15", "restore into a mounted volume, and into somebody else's folder", Area::App, Folder, |world| {
            Box::pin(targets::folders(world))
        }),
        Row::new("A16", "tables that cannot take records; columns that are computed", Area::App, Folder, |world| {
            Box::pin(targets::tables(world))
        }),
        Row::new("A17", "tarballs with padding, `./`, global headers, one id twice", Area::App, Both, |world| {
            Box::pin(targets::as_tar_reads_them(world))
        }),
        Row::new("A18", "a tarball at another place: where it belongs", Area::App, Both, |world| {
            Box::pin(targets::misplaced(world))
        }),
    ]
}

/// What row C1 to C17 of the core ask, of this kind of backup. C1, C2, C5, C6 and C16 are in A3, A6 and A7.
fn at_the_location() -> Vec<Row> {
    use Locations::{Both, Folder, S3};
    vec![
        Row::new("C1-app", "the connection lost amid a body: sent again", Area::App, S3, |world| {
            Box::pin(requests::dropped_half_way(world))
        }),
        Row::new("C3-app", "answers to successful creates lost", Area::App, S3, |world| {
            Box::pin(publish::lost_response(world))
        }),
        Row::new("C4-app", "two writers publish one key: one wins, both named", Area::App, Both, |world| {
            Box::pin(publish::two_writers(world))
        }),
        Row::new("C7-app", "manifest edited; unknown field of this format tolerated", Area::App, Both, |world| {
            Box::pin(publish::edited_manifest(world))
        }),
        Row::new("C8-app", "manifest or location of a newer format", Area::App, Both, |world| {
            Box::pin(publish::newer_format(world))
        }),
        Row::new("C9-app", "503 SlowDown five times, then ok", Area::App, S3, |world| {
            Box::pin(requests::slow_down(world))
        }),
        Row::new("C10-app", "403 on put: no retry, the IAM action named", Area::App, S3, |world| {
            Box::pin(requests::denied(world))
        }),
        Row::new("C11-app", "listing omits the newest", Area::App, S3, |world| {
            Box::pin(publish::lagging_listing(world))
        }),
        Row::new("C12-app", "disk full while writing", Area::App, Folder, |world| Box::pin(requests::full_disk(world))),
        Row::new("C17-app", "random secrets through every failure: seen nowhere", Area::App, Both, |world| {
            Box::pin(secrets::nowhere(world))
        }),
    ]
}

/// A folder of records in the working directory of every command.
pub(crate) fn records(world: &World, folder: &str, files: &[(&str, &str)]) -> RowResult {
    let path = world.folder().join(folder);
    std::fs::create_dir_all(&path)?;
    for (file, content) in files {
        std::fs::write(path.join(file), content)?;
    }
    Ok(())
}

/// The keys that `app ls` shows, oldest first.
pub(in crate::rows) async fn keys(world: &World) -> RowResult<Vec<String>> {
    let listed = world.lastgood(["app", "ls", "--json"]).ok().await?.json()?;
    Ok(listed.as_array().into_iter().flatten().filter_map(|entry| Some(entry["key"].as_str()?.to_owned())).collect())
}

/// What is in a file of the working directory.
pub(in crate::rows) fn read(world: &World, path: &str) -> RowResult<String> {
    Ok(String::from_utf8_lossy(&std::fs::read(world.folder().join(path))?).into_owned())
}
