//! Source and copy compared by PostgreSQL's own `pg_dump`, for every SQL file.

use std::path::{Path, PathBuf};

use crate::harness::compare::Picture;
use crate::harness::{Area, Locations, Row, RowResult, World};

/// The files that come with this package.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql");

/// A row for every file, and for databases that need another encoding.
///
/// # Errors
/// If the folder of files cannot be read.
pub fn rows() -> RowResult<Vec<Row>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(FILES)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    files.iter().map(|file| of_file(file)).collect()
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
    world.lastgood(["pg", "restore", source, "--into", &copy]).ok().await?;
    let before = Picture::of(world.cluster(), source)?;
    before.expect(&Picture::of(world.cluster(), &copy)?, "the copy")
}
