//! The files of the differential check, on servers of other versions.

use std::path::Path;

use super::{Pair, page, start};
use crate::ensure;
use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::differential;

/// The first version that knows everything in them.
pub(super) const OLDEST: u32 = 15;

/// What a server says that was built without something a file needs.
const NOT_BUILT: [&str; 3] = ["is not available", "ICU is not supported", "could not load library"];

/// So many of the files can be created on every server at least.
const LEAST: usize = 10;

/// A file names the version that an extension has in 15; a restore takes the server's own, as `pg_restore` does.
const UPDATED: &str = "DO $$ DECLARE e name; BEGIN FOR e IN SELECT extname FROM pg_extension LOOP \
    EXECUTE format('ALTER EXTENSION %I UPDATE', e); END LOOP; END $$";

/// Creates each file's database, and compares what dump and restore make of it.
pub(super) async fn all(world: &World, pair: &Pair) -> RowResult {
    let world = &start(world, &pair.server, &pair.client)?;
    let (mut compared, mut left_out) = (0, Vec::new());
    for file in differential::files()? {
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if one(world, pair, &file).await.within(&name)? {
            compared += 1;
        } else {
            left_out.push(name);
        }
        world.clear_server()?;
    }
    ensure!(compared >= LEAST, "only {compared} files could be created, without {left_out:?}");
    page::files(&pair.server, compared, left_out);
    Ok(())
}

/// Whether the file could be created here.
async fn one(world: &World, pair: &Pair, file: &Path) -> RowResult<bool> {
    let source = world.create("source")?;
    if let Err(error) = world.cluster().psql_file(&source, file) {
        let said = error.to_string();
        return if NOT_BUILT.iter().any(|text| said.contains(text)) { Ok(false) } else { Err(error.into()) };
    }
    world.psql(&source, UPDATED)?;
    let copy = world.name("copy");
    let lastgood = |words: &[&str]| world.lastgood(words.iter().copied()).env("LASTGOOD_PG_BIN", &pair.client.bin_dir);
    lastgood(&["pg", "dump", &source]).ok().await?;
    // Functions in C are among the objects.
    lastgood(&["pg", "restore", &source, "--into", &copy, "--allow-outside", "languages"]).ok().await?;
    Picture::of(world.cluster(), &source)?.expect(&Picture::of(world.cluster(), &copy)?, "the copy")?;
    Ok(true)
}
