//! Reversible restores, toggles and local copies that are killed.

use super::{all_is_well, points, signal};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::pg::local::Trio;
use crate::{ensure, ensure_eq};

/// The switch: before this step the names mean what they did, after it what they should.
const SWITCHED: &str = "swap.committed";

/// Versions the three databases have before each run: live, previous, current.
const BEFORE: [u32; 3] = [3, 2, 9];

/// Version of the dump.
const DUMPED: u32 = 1;

/// A live database with both its copies, each of another version.
struct Scene<'w> {
    world: &'w World,
    trio: Trio,
    key: String,
}

impl<'w> Scene<'w> {
    async fn set(world: &'w World) -> RowResult<Self> {
        let shop = world.sample("shop")?;
        world.set_version(&shop, DUMPED)?;
        let key = world.dump(&shop).await?;
        world.lastgood(["pg", "restore", &key, "--confirm-database", &shop, "--reversible"]).ok().await?;
        let scene = Self { world, trio: Trio::of(&shop), key };
        scene.again()?;
        Ok(scene)
    }

    fn again(&self) -> RowResult {
        for (name, version) in self.names().into_iter().zip(BEFORE) {
            self.world.set_version(name, version)?;
        }
        Ok(())
    }

    fn names(&self) -> [&String; 3] {
        [&self.trio.live, &self.trio.previous, &self.trio.current]
    }

    /// The versions of all three; fails where one is half of something.
    fn versions(&self) -> RowResult<[u32; 3]> {
        let mut versions = [0; 3];
        for (name, version) in self.names().into_iter().zip(&mut versions) {
            *version = version_of(self.world, name)?;
        }
        Ok(versions)
    }

    fn over_live(&self, source: &str) -> Vec<String> {
        let shop = self.trio.live.as_str();
        ["pg", "restore", source, "--into", shop, "--confirm-database", shop].map(str::to_owned).into()
    }
}

fn version_of(world: &World, name: &str) -> RowResult<u32> {
    let sql = "SELECT array_agg(DISTINCT version)::text || count(*) FROM \
               (SELECT version FROM customers UNION ALL SELECT version FROM orders) v";
    let seen = world.psql(name, sql)?;
    let version = seen.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix("}3500")).map(str::parse);
    match version {
        Some(Ok(version)) => Ok(version),
        _ => Err(crate::harness::Failure::new(format!("`{name}` holds {seen}"))),
    }
}

/// A restore that makes both copies anew, over those of before.
pub(super) async fn reversible(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let shop = scene.trio.live.as_str();
    let restore = ["pg", "restore", &scene.key, "--confirm-database", shop, "--reversible"].map(str::to_owned);
    every_step(&scene, &restore, [DUMPED, BEFORE[0], DUMPED], &["restore.current", "copy.mark", "swap.drop"]).await
}

/// A restore that drops both copies.
pub(super) async fn plain(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let shop = scene.trio.live.clone();
    let restore = ["pg", "restore", &scene.key, "--confirm-database", &shop].map(str::to_owned);
    let steps = world.lastgood(restore.clone()).env("LASTGOOD_PROGRESS", "json").ok().await?.steps();
    let points: Vec<String> = points(&steps).into_iter().filter(|point| point.starts_with("swap.")).collect();
    ensure!(points.contains(&"swap.drop#2".to_owned()), "nothing is dropped in {points:?}");
    for point in &points {
        let again = ["pg", "restore", &scene.key, "--confirm-database", &shop, "--reversible"];
        world.lastgood(again).ok().await.within(point)?;
        scene.again()?;
        world.lastgood(restore.clone()).env("LASTGOOD_CRASH_AT", point).run().await?.expect_killed().within(point)?;
        let switched = is_after_switch(point, &points);
        world.lastgood(["pg", "recover"]).ok().await.within(point)?;
        if switched {
            ensure_eq!(world.databases()?, vec![shop.clone()], "databases after a kill at {point}");
            ensure_eq!(version_of(world, &shop)?, DUMPED, "the live database after a kill at {point}");
        } else {
            ensure_eq!(scene.versions()?, BEFORE, "live, previous, current after a kill at {point}");
        }
    }
    all_is_well(world).await
}

/// Live and previous exchange their names.
pub(super) async fn toggle(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    every_step(&scene, &scene.over_live(":previous"), [BEFORE[1], BEFORE[0], BEFORE[2]], &["swap.forbid"]).await
}

/// A copy of `:current` takes the live database's place.
pub(super) async fn current(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    every_step(&scene, &scene.over_live(":current"), [BEFORE[2], BEFORE[1], BEFORE[2]], &["copy.mark", "swap.drop"])
        .await
}

fn is_after_switch(point: &str, points: &[String]) -> bool {
    let position = |wanted: &str| points.iter().position(|point| point == wanted);
    position(point) >= position(SWITCHED)
}

/// Killed at every step, `command` has done nothing or everything: what a name means is never in between, and both the
/// old and the new copies are never gone together. At every other step the command itself is what recovers.
async fn every_step(scene: &Scene<'_>, command: &[String], after: [u32; 3], expected: &[&str]) -> RowResult {
    let world = scene.world;
    let run = world.lastgood(command.to_vec()).env("LASTGOOD_PROGRESS", "json").ok().await?;
    ensure_eq!(scene.versions()?, after, "live, previous, current after a run that was not killed");
    let points = points(&run.steps());
    for expected in expected.iter().chain(&[SWITCHED]) {
        ensure!(points.iter().any(|point| point == expected), "no step `{expected}` in {points:?}");
    }
    for (at, point) in points.iter().enumerate() {
        scene.again()?;
        let place = format!("killed at {point}");
        let output = world.lastgood(command.to_vec()).env("LASTGOOD_CRASH_AT", point).run().await?;
        output.expect_killed().within(&place)?;
        let switched = is_after_switch(point, &points);
        let wanted = if switched { after } else { BEFORE };
        let closed = world.closed()?;
        let there = world.databases()?;
        for (name, version) in scene.names().into_iter().zip(wanted) {
            ensure!(there.contains(name), "{place}: there is no database `{name}`");
            if !closed.contains(name) {
                ensure_eq!(version_of(world, name).within(&place)?, version, "{place}: the version of `{name}`");
            }
        }
        if at % 2 == 1 && !switched {
            world.lastgood(command.to_vec()).ok().await.within(&place)?;
            ensure_eq!(scene.versions().within(&place)?, after, "{place}, run again: live, previous, current");
        } else {
            world.lastgood(["pg", "recover"]).ok().await.within(&place)?;
            ensure_eq!(scene.versions().within(&place)?, wanted, "{place}, recovered: live, previous, current");
        }
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left behind");
        ensure_eq!(world.closed()?, Vec::<String>::new(), "{place}: databases that let nobody in");
        ensure_eq!(world.databases()?.len(), 3, "{place}: databases");
        let again = world.lastgood(["pg", "recover", "--json"]).ok().await?.json()?;
        ensure_eq!(again["actions"].as_array().map(Vec::len), Some(0), "{place}: actions of a second recover");
    }
    signals(scene, command, after, &points).await?;
    all_is_well(world).await
}

/// Asked to stop as each step begins, it leaves nothing behind either, without a recovery.
async fn signals(scene: &Scene<'_>, command: &[String], after: [u32; 3], points: &[String]) -> RowResult {
    let world = scene.world;
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    for (at, point) in points.iter().filter(|point| !point.contains('#')).enumerate() {
        scene.again()?;
        let place = format!("signal at {point}");
        let output = signal::stopped_at(world, &command, point, signal::signal(at)).await.within(&place)?;
        let wanted = if output.code() == Some(0) { after } else { BEFORE };
        ensure_eq!(scene.versions().within(&place)?, wanted, "{place}: live, previous, current");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left behind");
        ensure_eq!(world.closed()?, Vec::<String>::new(), "{place}: databases that let nobody in");
    }
    Ok(())
}

/// A local copy appears whole or not at all, and its source is open all the while.
pub(super) async fn copy(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let content = world.checksum(&shop)?;
    let test = world.name("test");
    let command = ["pg", "copy", &shop, &test];
    let steps = world.lastgood(command).env("LASTGOOD_PROGRESS", "json").ok().await?.steps();
    let points = points(&steps);
    ensure!(points.contains(&"copy.mark".to_owned()), "no step `copy.mark` in {points:?}");
    for point in &points {
        let place = format!("killed at {point}");
        if world.databases()?.contains(&test) {
            world.lastgood(["pg", "drop-local", &test]).ok().await.within(&place)?;
        }
        world.lastgood(command).env("LASTGOOD_CRASH_AT", point).run().await?.expect_killed().within(&place)?;
        let switched = is_after_switch(point, &points);
        ensure_eq!(world.databases()?.contains(&test), switched, "{place}: whether the copy is there");
        ensure_eq!(world.checksum(&shop)?, content, "{place}: the source");
        world.lastgood(["pg", "recover"]).ok().await.within(&place)?;
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left behind");
        ensure_eq!(world.closed()?, Vec::<String>::new(), "{place}: databases that let nobody in");
        ensure_eq!(world.databases()?.contains(&test), switched, "{place}: whether it is there after recover");
        if switched {
            ensure_eq!(world.checksum(&test)?, content, "{place}: the copy");
        }
    }
    Ok(())
}
