//! Source and copy compared by PostgreSQL's own `pg_dump`, for every SQL file.

mod extension;
mod limits;
#[cfg(test)]
mod page;

use std::path::{Path, PathBuf};

use crate::harness::compare::Picture;
use crate::harness::{Area, Locations, Row, RowResult, World};

/// The files that come with this package.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql");

/// Databases in other encodings, with every byte that can be stored in them.
const ENCODINGS: [(&str, &str); 3] = [
    // No encoding at all: bytes that are no UTF-8, in rows, in a default and in a comment.
    (
        "SQL_ASCII",
        "SET client_encoding = 'SQL_ASCII'; CREATE TABLE bytes (id integer PRIMARY KEY, t text); \
         INSERT INTO bytes SELECT g, convert_from(decode(to_hex(256 * 120 + g), 'hex'), 'SQL_ASCII') FROM generate_series(1, 255) g; \
         INSERT INTO bytes VALUES (300, convert_from('\\xc328a0a1ff5c0a09', 'SQL_ASCII')); \
         DO $$ BEGIN EXECUTE format('COMMENT ON TABLE bytes IS %L', convert_from('\\xfe', 'SQL_ASCII')); \
           EXECUTE format('ALTER TABLE bytes ALTER t SET DEFAULT %L', convert_from('\\xfd28', 'SQL_ASCII')); END $$",
    ),
    (
        "LATIN1",
        "SET client_encoding = 'UTF8'; CREATE TABLE \"Grüße\" (\"ß\" text DEFAULT 'é'); \
         INSERT INTO \"Grüße\" SELECT convert_from(decode(to_hex(256 * 120 + g), 'hex'), 'LATIN1') FROM generate_series(1, 255) g; \
         COMMENT ON TABLE \"Grüße\" IS 'über'; SELECT lo_from_bytea(5, '\\xe9ff00')",
    ),
    (
        "EUC_JP",
        "SET client_encoding = 'UTF8'; CREATE TABLE \"表\" (\"列\" text, b bytea); INSERT INTO \"表\" VALUES ('日本語 テスト', '\\xa4a2'), ('a\\b', NULL)",
    ),
];

/// The files, by name.
pub(super) fn files() -> RowResult<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(FILES)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    Ok(files)
}

/// A row for every file, and for databases that need another encoding.
///
/// # Errors
/// If the folder of files cannot be read.
pub fn rows() -> RowResult<Vec<Row>> {
    let mut rows: Vec<Row> = files()?.iter().map(|file| of_file(file)).collect::<RowResult<_>>()?;
    for (encoding, sql) in ENCODINGS {
        let title = format!("source and restored copy of a database in {encoding} are equal");
        rows.push(Row::new(format!("D-{encoding}"), title, Area::Differential, Locations::Both, move |world| {
            Box::pin(check_encoding(world, encoding, sql))
        }));
    }
    let title = "rows of an extension's configuration tables are equal";
    rows.push(Row::new("D-config", title, Area::Differential, Locations::Both, |world| {
        Box::pin(extension::configuration_rows(world))
    }));
    rows.extend(others());
    Ok(rows)
}

/// What no SQL file can make, or what a copy has otherwise on purpose.
fn others() -> Vec<Row> {
    use Locations::{Both, Folder};
    let area = Area::Differential;
    vec![
        Row::new("D-version", "extensions of another version, and of none, on the target", area, Folder, |world| {
            Box::pin(extension::other_version(world))
        }),
        Row::new("D-config-first", "rows of extensions come before those that need them", area, Folder, |world| {
            Box::pin(extension::configuration_first(world))
        }),
        Row::new("D-config-numbers", "numbering of extensions goes on behind their rows", area, Folder, |world| {
            Box::pin(extension::numbers(world))
        }),
        Row::new(
            "D-packages",
            "extensions are installed and removed while a restore is planned",
            area,
            Folder,
            |world| Box::pin(extension::installed_meanwhile(world)),
        ),
        Row::new("D-event-triggers", "no event trigger fires on what a restore does", area, Folder, |world| {
            Box::pin(extension::event_triggers(world))
        }),
        Row::new("D-deadlock", "event triggers that a role cannot stop, and four jobs", area, Folder, |world| {
            Box::pin(extension::event_triggers_of_others(world))
        }),
        Row::new("D-gigabyte", "rows near the 1 GiB that COPY allows, and one beyond it", area, Folder, |world| {
            Box::pin(limits::long_rows(world))
        }),
        Row::new("D-objects-gigabyte", "large objects of more than 1 GiB together", area, Folder, |world| {
            Box::pin(limits::large_objects(world))
        }),
        Row::new("D-stale", "materialized views that cannot be computed again", area, Both, |world| {
            Box::pin(limits::stale_matviews(world))
        }),
        Row::new("D-labels", "security labels of a provider the server does not have", area, Folder, |world| {
            Box::pin(limits::labels(world))
        }),
        Row::new("D-detach", "a partition whose detaching was interrupted", area, Folder, |world| {
            Box::pin(limits::pending_detach(world))
        }),
    ]
}

/// The row for one file.
///
/// # Errors
/// If the file is not there.
pub fn of_file(file: &Path) -> RowResult<Row> {
    let file = file.canonicalize()?;
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let title = format!("source and restored copy of {name}.sql are equal");
    Ok(Row::new(format!("D-{name}"), title, Area::Differential, Locations::Both, move |world| {
        let file = file.clone();
        Box::pin(async move { check_file(world, &file).await })
    }))
}

async fn check_file(world: &World, file: &Path) -> RowResult {
    let source = world.create("source")?;
    world.cluster().psql_file(&source, file)?;
    compare_copy(world, &source).await
}

/// Dumps `source`, restores it beside itself, and compares.
async fn compare_copy(world: &World, source: &str) -> RowResult {
    let copy = world.name("copy");
    world.lastgood(["pg", "dump", source]).ok().await?;
    // Functions in C are among the objects.
    world.lastgood(["pg", "restore", source, "--into", &copy, "--allow-outside", "languages"]).ok().await?;
    let before = Picture::of(world.cluster(), source)?;
    before.expect(&Picture::of(world.cluster(), &copy)?, "the copy")
}

async fn check_encoding(world: &World, encoding: &str, sql: &str) -> RowResult {
    let source = world.name("source");
    let create =
        format!("CREATE DATABASE \"{source}\" TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
    world.psql("postgres", &create)?;
    world.psql(&source, sql)?;
    compare_copy(world, &source).await
}
