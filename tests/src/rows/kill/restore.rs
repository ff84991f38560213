//! Restores and swaps that are killed.

use std::time::Duration;

use super::{all_is_well, points};
use crate::harness::failure::Within as _;
use crate::harness::{Output, RowResult, World};
use crate::rows::pg::damage::pg_dump;
use crate::{ensure, ensure_eq};

/// What is run after the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// `pg recover`.
    Recover,
    /// Simply the next restore.
    Restore,
    /// Simply the next dump, which needs a database that lets it in.
    Dump,
}

/// The switch: before this step the old database is live, after it the new one.
const SWITCHED: &str = "swap.committed";

/// Steps that a restore over a live database cannot be without.
const EXPECTED: [&str; 8] = [
    "restore.check",
    "restore.create",
    "restore.pre_data",
    "restore.data",
    "restore.post_data",
    "swap.forbid",
    "swap.rename",
    SWITCHED,
];

/// A dump of version 1, a live database of version 2, and what both look like.
struct Scene<'w> {
    world: &'w World,
    shop: String,
    key: String,
    old: String,
    new: String,
}

impl<'w> Scene<'w> {
    async fn set(world: &'w World) -> RowResult<Self> {
        let shop = world.sample("shop")?;
        let new = world.checksum(&shop)?;
        let key = world.dump(&shop).await?;
        let mut scene = Self { world, shop, key, old: String::new(), new };
        scene.again()?;
        Ok(scene)
    }

    /// The live database becomes version 2 once more.
    fn again(&mut self) -> RowResult {
        self.world.set_version(&self.shop, 2)?;
        self.old = self.world.checksum(&self.shop)?;
        ensure!(self.old != self.new, "both versions look the same");
        Ok(())
    }

    fn restore(&self) -> [&str; 5] {
        ["pg", "restore", &self.key, "--confirm-database", &self.shop]
    }

    async fn points(&mut self) -> RowResult<Vec<String>> {
        let run = self.world.lastgood(self.restore()).env("LASTGOOD_PROGRESS", "json").ok().await?;
        ensure_eq!(self.world.checksum(&self.shop)?, self.new, "the restored database");
        self.again()?;
        Ok(points(&run.steps()))
    }

    async fn crash(&self, point: &str) -> RowResult {
        let command = self.world.lastgood(self.restore()).env("LASTGOOD_CRASH_AT", point);
        command.run().await?.expect_killed()?;
        Ok(())
    }

    /// The live database is there, and is exactly old or exactly new; if its door is shut, that is for recovery.
    fn is_whole(&self, switched: bool) -> RowResult<bool> {
        let there = self.world.databases()?.contains(&self.shop);
        ensure!(there, "there is no database `{}`", self.shop);
        let closed = self.world.closed()?.contains(&self.shop);
        if !closed {
            let expected = if switched { &self.new } else { &self.old };
            ensure_eq!(&self.world.checksum(&self.shop)?, expected, "the live database");
        }
        ensure!(!(closed && switched), "the new database lets nobody in");
        Ok(closed)
    }
}

/// Whether the switch had happened when `point` began.
fn is_after_switch(point: &str, points: &[String]) -> bool {
    let position = |wanted: &str| points.iter().position(|point| point == wanted);
    position(point) >= position(SWITCHED)
}

/// A loop over the steps.
pub(super) async fn every_step(world: &World, next: Next) -> RowResult {
    let mut scene = Scene::set(world).await?;
    let points = scene.points().await?;
    for expected in EXPECTED {
        ensure!(points.iter().any(|point| point == expected), "no step `{expected}` in {points:?}");
    }
    for point in &points {
        let switched = is_after_switch(point, &points);
        mended(&mut scene, point, switched, next).await.within(&format!("killed at {point}"))?;
    }
    all_is_well(world).await?;
    let key = world.dump(&scene.shop).await?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &scene.shop]).ok().await?;
    ensure_eq!(world.checksum(&scene.shop)?, scene.old, "the database after all kills, dumped and restored");
    Ok(())
}

async fn mended(scene: &mut Scene<'_>, point: &str, switched: bool, next: Next) -> RowResult {
    let world = scene.world;
    scene.crash(point).await?;
    let closed = scene.is_whole(switched)?;
    let left = world.leftovers()?;
    let output = match next {
        Next::Recover => world.lastgood(["pg", "recover"]).ok().await?,
        Next::Restore => world.lastgood(scene.restore()).ok().await?,
        Next::Dump => world.lastgood(["pg", "dump", &scene.shop]).ok().await?,
    };
    says_what_it_found(&output, &left, closed)?;
    let expected = if switched || next == Next::Restore { &scene.new } else { &scene.old };
    ensure_eq!(&world.checksum(&scene.shop)?, expected, "the live database after {next:?}");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after {next:?}");
    ensure_eq!(world.closed()?, Vec::<String>::new(), "databases that let nobody in after {next:?}");
    if next == Next::Recover {
        let again = world.lastgood(["pg", "recover", "--json"]).ok().await?.json()?;
        ensure_eq!(again["actions"].as_array().map(Vec::len), Some(0), "actions of a second recover");
    }
    scene.again()
}

/// Every database that was left, and the door that was shut, is named.
fn says_what_it_found(output: &Output, left: &[String], closed: bool) -> RowResult {
    for database in left {
        output.clone().says(database)?;
    }
    if closed {
        output.clone().says("connections were allowed again")?;
    }
    Ok(())
}

/// Into a database that does not exist: it appears whole or not at all.
pub(super) async fn into_new(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let fresh = world.name("fresh");
    let restore = ["pg", "restore", &scene.key, "--into", &fresh];
    let run = world.lastgood(restore).env("LASTGOOD_PROGRESS", "json").ok().await?;
    let points = points(&run.steps());
    let drop = format!("DROP DATABASE \"{fresh}\"");
    world.psql("postgres", &drop)?;
    for point in &points {
        let place = format!("killed at {point}");
        world.lastgood(restore).env("LASTGOOD_CRASH_AT", point).run().await?.expect_killed().within(&place)?;
        let switched = is_after_switch(point, &points);
        ensure_eq!(world.databases()?.contains(&fresh), switched, "{place}: whether the new database is there");
        let left = world.leftovers()?;
        let output = world.lastgood(["pg", "recover"]).ok().await.within(&place)?;
        says_what_it_found(&output, &left, false).within(&place)?;
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left behind");
        ensure_eq!(world.databases()?.contains(&fresh), switched, "{place}: whether it is there after recover");
        if switched {
            ensure_eq!(world.checksum(&fresh)?, scene.new, "{place}: the new database");
            world.psql("postgres", &drop)?;
        }
        ensure_eq!(world.checksum(&scene.shop)?, scene.old, "{place}: the database that was dumped");
    }
    all_is_well(world).await
}

/// Recovery itself is killed before each thing it does, and is run again.
pub(super) async fn recover_killed(world: &World) -> RowResult {
    let mut scene = Scene::set(world).await?;
    for point in ["restore.data", "swap.forbid", "swap.terminate", "swap.rename", SWITCHED, "swap.drop"] {
        let place = format!("killed at {point}");
        scene.crash(point).await.within(&place)?;
        let switched = matches!(point, SWITCHED | "swap.drop");
        let mut kills = 0;
        loop {
            let nth = format!("recover.act#{}", kills + 1);
            let output = world.lastgood(["pg", "recover"]).env("LASTGOOD_CRASH_AT", &nth).run().await?;
            scene.is_whole(switched).within(&place)?;
            if output.code() == Some(0) {
                break;
            }
            output.expect_killed().within(&place)?;
            kills += 1;
            ensure!(kills < 10, "{place}: recovery never ends");
        }
        ensure!(kills > 0, "{place}: recovery found nothing to do");
        ensure!(!scene.is_whole(switched)?, "{place}: recovery left the door shut");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left behind");
        scene.again()?;
    }
    Ok(())
}

/// The other way through a restore: one archive through a pipe.
pub(super) async fn single_file(world: &World) -> RowResult {
    let mut scene = Scene::set(world).await?;
    let archive = pg_dump(world, &scene.shop)?;
    let copy = format!("{}/2030_01_02_03_04_05_000006.default.dump", scene.shop);
    world.place().write(&copy, &archive).await?;
    (scene.key, scene.new) = (copy, scene.old.clone());
    world.set_version(&scene.shop, 3)?;
    scene.old = world.checksum(&scene.shop)?;
    let run = world.lastgood(scene.restore()).env("LASTGOOD_PROGRESS", "json").ok().await?;
    let points = points(&run.steps());
    ensure!(points.iter().any(|point| point == "restore.archive"), "no step for the archive in {points:?}");
    for point in &points {
        let place = format!("killed at {point}");
        world.set_version(&scene.shop, 3)?;
        scene.old = world.checksum(&scene.shop)?;
        scene.crash(point).await.within(&place)?;
        let switched = is_after_switch(point, &points);
        scene.is_whole(switched).within(&place)?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.lastgood(["pg", "recover"]).ok().await.within(&place)?;
        ensure!(!scene.is_whole(switched).within(&place)?, "{place}: recovery left the door shut");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left behind");
    }
    Ok(())
}
