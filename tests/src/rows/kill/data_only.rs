//! Loads of rows alone that are killed: a transaction that nobody commits changes nothing.

use std::time::{Duration, Instant};

use super::{all_is_well, points};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::rows::pg::data_only::Scene;
use crate::{ensure, ensure_eq};

/// The first step with everything in place.
const COMMITTED: &str = "data_only.done";

/// Steps that a load cannot be without.
const EXPECTED: [&str; 8] = [
    "data_only.tables",
    "data_only.empty",
    "data_only.rows",
    "data_only.sequences",
    "data_only.keys",
    "data_only.compare",
    "data_only.commit",
    COMMITTED,
];

/// How long the server may take to see that a client is gone.
const GONE_MAX: Duration = Duration::from_secs(120);

/// A loop over the steps.
pub(super) async fn every_step(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let run = scene.command(&["--replace-rows"]).env("LASTGOOD_PROGRESS", "json").ok().await?;
    scene.is_filled()?;
    let points = points(&run.steps());
    for expected in EXPECTED {
        ensure!(points.iter().any(|point| point == expected), "no step `{expected}` in {points:?}");
    }
    for point in &points {
        let change = "ALTER TABLE ord DISABLE TRIGGER USER; DELETE FROM line; SELECT setval('tickets', 99); \
            SELECT setval('ord_id_seq', 5000); ALTER TABLE ord ENABLE TRIGGER plain";
        world.psql(&scene.target, &format!("DELETE FROM \"Odd \"\" t\"; {change}"))?;
        let before = scene.picture()?;
        let killed = scene.command(&["--replace-rows"]).env("LASTGOOD_CRASH_AT", point);
        killed.run().await?.expect_killed().within(point)?;
        gone(world, &scene.target).await.within(point)?;
        match point == COMMITTED {
            true => scene.is_filled()?,
            false => ensure_eq!(scene.picture()?, before, "the database, killed at {point}"),
        }
    }
    all_is_well(world).await?;
    scene.command(&["--replace-rows"]).ok().await?;
    scene.is_filled()
}

/// Waits until the server has cleared away after a client that is no more.
async fn gone(world: &World, database: &str) -> RowResult {
    let begun = Instant::now();
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND backend_type = 'client backend'"
    );
    while world.psql("postgres", &sql)? != "0" {
        if begun.elapsed() > GONE_MAX {
            return Err(Failure::new("the server still has a session of the killed load"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
