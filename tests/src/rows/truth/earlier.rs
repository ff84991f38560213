//! A location that an earlier version wrote reads, restores and prunes safely: row W-earlier.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Area, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// What version 0.1.0 of 2026-11-22 wrote; see its README.
const LOCATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/location-0.1");

/// Its dumps, oldest first: two full ones and one without the rows of `orders`.
const DUMPS: [&str; 3] = [
    "shop/2026-11-29-13-41-58-033249.nightly.dump",
    "shop/2026-11-29-13-41-58-356907.nightly.dump",
    "shop/2026-11-29-13-41-58-655238.lite.dump",
];

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    vec![Row::new(
        "W-earlier",
        "what version 0.1 wrote reads, restores and prunes",
        Area::Truth,
        Locations::Both,
        |world| Box::pin(reads_restores_prunes(world)),
    )]
}

async fn reads_restores_prunes(world: &World) -> RowResult {
    for file in files(Path::new(LOCATION))? {
        let key = file.strip_prefix(LOCATION).unwrap_or(&file).display().to_string();
        world.place().write(&key, &fs::read(&file)?).await?;
    }
    let listing = world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?;
    let field = |name: &str| -> Vec<Value> {
        listing.as_array().into_iter().flatten().map(|dump| dump[name].clone()).collect()
    };
    ensure_eq!(field("key"), DUMPS, "dumps of the listing");
    ensure_eq!(field("state"), ["good", "good", "partial"], "their states");
    world.lastgood(["pg", "verify", "shop", "--read", "all"]).ok().await?.says(DUMPS[1])?;

    let copy = world.name("copy");
    let plan = world.lastgood(["pg", "restore", "shop", "--into", &copy, "-n", "--json"]).ok().await?.json()?;
    ensure_eq!((&plan["key"], &plan["passed_over"]), (&json!(DUMPS[1]), &json!([DUMPS[2]])), "the dump that is meant");
    world.lastgood(["pg", "restore", "shop", "--into", &copy]).ok().await?;
    ensure_eq!(world.psql(&copy, "SELECT count(*), sum(cents) FROM orders")?, "200|201000", "orders of the copy");

    world.lastgood(["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?.says(DUMPS[0])?;
    ensure_eq!(world.keys("shop").await?, DUMPS[1..], "dumps after the prune");
    world.lastgood(["pg", "verify", DUMPS[1], "--read", "all"]).ok().await?;
    world.lastgood(["app", "verify"]).ok().await?;
    // A dump of today stands beside them, and neither decides about the other.
    let shop = world.create("shop")?;
    world.psql(&shop, "CREATE TABLE t AS SELECT 1 AS id")?;
    world.dump(&shop).await?;
    world.lastgood(["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    ensure!(world.keys("shop").await?.contains(&DUMPS[1].to_owned()), "the last complete dump of before is gone");
    Ok(())
}

fn files(folder: &Path) -> RowResult<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}
