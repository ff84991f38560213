//! Backups, prunes and verifies that run beside each other.

use backup_testkit::dice::Dice;
use futures::future::try_join_all;

use super::app::{BACKUP, Shelf};
use super::kind::{Lane, Part};
use super::pg::Shop;
use super::runs::{self, ok, sane};
use super::stored::Stored;
use crate::ensure;
use crate::harness::failure::Within as _;
use crate::harness::{Output, RowResult, World};
use crate::rows::kill::{all_is_well, all_keys, prune_incomplete};

/// Runs beside each other.
const RUNS: (usize, usize) = (3, 7);

/// Records of each file.
const RECORDS: usize = 500;

/// Another run is at it: nothing was done, and that is said.
const HELD: i32 = 11;

/// Something was not there when it was looked at: another run deleted it.
const FAILED: i32 = 1;

/// Starts each command after a while of its own, and waits for all.
async fn together(world: &World, commands: Vec<Vec<String>>, dice: &mut Dice) -> RowResult<Vec<Output>> {
    let mut all = Vec::new();
    for args in commands {
        let wait = std::time::Duration::from_millis(dice.below(200) as u64);
        all.push(async move {
            tokio::time::sleep(wait).await;
            sane(world.lastgood(args).run().await?)
        });
    }
    try_join_all(all).await
}

/// Dumps.
pub(super) struct Dumps {
    shop: Shop,
    stored: Stored,
}

impl Part for Dumps {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shop = Shop::set(world, 0).await?;
        for _ in 0..2 {
            shop.world.dump(&shop.name).await?;
        }
        let killed = shop.world.lastgood(["pg", "dump", &shop.name]).env("LASTGOOD_CRASH_AT", "dump.manifest");
        killed.run().await?.expect_killed()?;
        let stored = Stored::of(&shop.world).await?;
        Ok(Self { shop, stored })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, key, content } = &self.shop;
        self.stored.put_back(world).await?;
        let before = all_keys(world).await?;
        let newest = before.last().cloned().unwrap_or_default();
        let copy = world.name("beside");
        let mut commands: Vec<Vec<String>> = Vec::new();
        for _ in 0..dice.between(RUNS.0, RUNS.1) {
            let words: &[&str] = match dice.below(8) {
                0 | 1 => &["pg", "dump", name],
                2 | 3 => &["pg", "prune", "--keep-last", "2", "--yes"],
                4 => &["pg", "prune", "--keep-last", "2", "--incomplete", "--yes"],
                5 => &["pg", "verify", &newest, "--read", "all"],
                6 => &["pg", "verify", key, "--read", "all"],
                _ => &["pg", "ls"],
            };
            commands.push(words.iter().map(ToString::to_string).collect());
        }
        let dumps = commands.iter().filter(|words| words[1] == "dump").count();
        let place = commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join("; ");
        let ended = together(world, commands, dice).await.within(&place)?;
        for output in &ended {
            let code = output.code();
            // With two new dumps the newest of before is one too many.
            let may_be_gone = output.line.contains(key.as_str()) || output.line.contains(&newest) && dumps >= 2;
            let is_right = code == Some(0)
                || output.line.contains("pg dump") && code == Some(HELD)
                || output.line.contains("pg verify") && may_be_gone && code == Some(FAILED);
            if !is_right {
                let text = output.fault("beside the others it should end well");
                return Err(text.within(&format!("{place}\n{}", output.transcript())));
            }
        }
        let after = all_keys(world).await?;
        ensure!(after.len() >= 2, "{place}: only {after:?} are left");
        all_is_well(world).await.within(&place)?;
        ok(world, &["pg", "prune", "--keep-last", "2", "--grace", "0s", "--yes"]).await.within(&place)?;
        let last: Vec<String> = after[after.len() - 2..].to_vec();
        ensure!(all_keys(world).await? == last, "{place}: a prune afterwards does not leave {last:?}");
        prune_incomplete(world).await.within(&place)?;
        ok(world, &["pg", "restore", name, "--into", &copy]).await.within(&place)?;
        ensure!(world.checksum(&copy)? == *content, "{place}: the newest dump gives another database");
        world.drop_database(&copy)?;
        Ok(true)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

/// Records.
pub(super) struct Records {
    shelf: Shelf,
    stored: Stored,
}

impl Part for Records {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shelf = Shelf::set(world, RECORDS).await?;
        for _ in 0..4 {
            ok(&shelf.world, &BACKUP).await?;
        }
        for _ in 0..2 {
            let killed = shelf.world.lastgood(BACKUP).env("LASTGOOD_CRASH_AT", "app.manifest");
            killed.run().await?.expect_killed()?;
        }
        let stored = Stored::of(&shelf.world).await?;
        Ok(Self { shelf, stored })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let world = &self.shelf.world;
        self.stored.put_back(world).await?;
        let mut commands: Vec<Vec<String>> = Vec::new();
        for _ in 0..dice.between(RUNS.0, RUNS.1) {
            let words: &[&str] = match dice.below(6) {
                0 => &BACKUP,
                1..=3 => &["app", "prune", "--keep-last", "2", "--grace", "1h", "--yes"],
                4 => &["app", "prune", "--keep-last", "2", "--incomplete", "--yes"],
                _ => &["app", "ls"],
            };
            commands.push(words.iter().map(ToString::to_string).collect());
        }
        let place = commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join("; ");
        for output in together(world, commands, dice).await.within(&place)? {
            if output.code() != Some(0) {
                let text = output.fault("beside the others it should end well");
                return Err(text.within(&format!("{place}\n{}", output.transcript())));
            }
        }
        let after = runs::good(world, "app").await?;
        ensure!(after.len() >= 2, "{place}: only {after:?} are left");
        ok(world, &["app", "verify"]).await.within(&place)?;
        ok(world, &["app", "prune", "--keep-last", "2", "--grace", "0s", "--yes"]).await.within(&place)?;
        let last: Vec<String> = after[after.len() - 2..].to_vec();
        ensure!(runs::good(world, "app").await? == last, "{place}: a prune afterwards does not leave {last:?}");
        self.shelf.without_leftovers().await.within(&place)?;
        self.shelf.gives_back().await.within(&place)?;
        Ok(true)
    }

    fn world(&self) -> &World {
        &self.shelf.world
    }
}
