//! Restores that carry tables over, killed: the bookkeeping is never lost, whichever database is live.

use super::{all_is_well, points};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::pg::carry::{BOOKS, books};
use crate::{ensure, ensure_eq};

/// The switch: before this step the old database is live, after it the new one.
const SWITCHED: &str = "swap.committed";

/// Steps that a restore cannot be without that makes tables anew and carries them over.
const EXPECTED: [&str; 6] =
    ["restore.carry", "restore.carry_definitions", "swap.carry", "swap.carry#2", "swap.carry_commit", SWITCHED];

/// Killed at each step: the live database is the old one whole, or the new one with today's books; then recovered.
pub(super) async fn every_step(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.psql(&shop, BOOKS)?;
    let key = world.dump(&shop).await?;
    // The dump has another definition of them, and one entry.
    world.psql(&shop, "ALTER TABLE books ADD COLUMN note text DEFAULT 'today'")?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop, "--carry-over", "public.books"];
    let restore = [&restore[..], &["--carry-over", "public.links"]].concat();
    today(world, &shop)?;
    let steps = world.lastgood(restore.clone()).env("LASTGOOD_PROGRESS", "json").ok().await?.steps();
    let points = points(&steps);
    for expected in EXPECTED {
        ensure!(points.iter().any(|point| point == expected), "no step `{expected}` in {points:?}");
    }
    let position = |wanted: &str| points.iter().position(|point| point == wanted);
    for point in &points {
        let place = format!("killed at {point}");
        today(world, &shop)?;
        let (before, written) = (world.checksum(&shop)?, books(world, &shop)?);
        let command = world.lastgood(restore.clone()).env("LASTGOOD_CRASH_AT", point);
        command.run().await?.expect_killed().within(&place)?;
        world.lastgood(["pg", "recover"]).ok().await.within(&place)?;
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left behind");
        ensure_eq!(world.closed()?, Vec::<String>::new(), "{place}: databases that let nobody in");
        ensure_eq!(books(world, &shop)?, written, "{place}: the books");
        let switched = position(point) >= position(SWITCHED);
        let version = world.psql(&shop, "SELECT DISTINCT version FROM orders")?;
        ensure_eq!(version, if switched { "1" } else { "2" }, "{place}: the version of what is live");
        if !switched {
            ensure_eq!(world.checksum(&shop)?, before, "{place}: the live database");
        }
    }
    all_is_well(world).await
}

/// One entry more, and everything else is version 2.
fn today(world: &World, shop: &str) -> RowResult {
    world.set_version(shop, 2)?;
    world.psql(shop, "INSERT INTO books (name) VALUES ('x'); INSERT INTO links SELECT max(id), 1 FROM books").map(drop)
}
