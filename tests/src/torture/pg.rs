//! Dumps, restores and prunes of dumps that are killed.

use std::time::Duration;

use backup_testkit::dice::Dice;
use backup_testkit::postgres::quote_identifier;

use super::kind::{Lane, Part};
use super::runs::{self, killed, ok, timed};
use super::stored::Stored;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::kill::{all_is_well, all_keys, named, prune_incomplete, unpublished};
use crate::{ensure, ensure_eq};

/// Mebibytes of rows, so that a good share of the time is spent amid rows.
const BULK_MIB: u32 = 2;

/// Dumps that are kept from round to round.
const KEPT: &str = "2";

/// A database, a dump of it, and what both hold.
pub(super) struct Shop {
    pub(super) world: World,
    pub(super) name: String,
    pub(super) key: String,
    pub(super) content: String,
}

impl Shop {
    pub(super) async fn set(world: World, bulk_mib: u32) -> RowResult<Self> {
        world.init().await?;
        let name = world.sample("shop")?;
        if bulk_mib > 0 {
            world.add_bulk(&name, bulk_mib)?;
        }
        let content = world.checksum(&name)?;
        let key = world.dump(&name).await?;
        Ok(Self { world, name, key, content })
    }

    /// A dump gives back what was dumped, in a database of its own.
    pub(super) async fn gives_back(&self, key: &str, content: &str) -> RowResult {
        let copy = self.world.name("copy");
        ok(&self.world, &["pg", "restore", key, "--into", &copy]).await?;
        ensure_eq!(self.world.checksum(&copy)?.as_str(), content, "what was restored of {key}");
        self.world.drop_database(&copy)
    }

    /// Drops the copies that a reversible restore leaves on purpose.
    pub(super) fn without_copies(&self) -> RowResult {
        let copies = [format!("{}__previous", self.name), format!("{}__current", self.name)];
        for copy in self.world.databases()?.into_iter().filter(|name| copies.contains(name)) {
            let quoted = quote_identifier(&copy);
            self.world.psql("postgres", &format!("ALTER DATABASE {quoted} ALLOW_CONNECTIONS true"))?;
            self.world.drop_database(&copy)?;
        }
        Ok(())
    }
}

/// Kills of dumps.
pub(super) struct Dumps {
    shop: Shop,
    usual: Duration,
}

impl Part for Dumps {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shop = Shop::set(world, BULK_MIB).await?;
        let usual = timed(&shop.world, &["pg", "dump", &shop.name]).await?;
        Ok(Self { shop, usual })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, content, .. } = &self.shop;
        let before = all_keys(world).await?;
        let wait = self.usual.mul_f64(dice.share() * 1.05);
        let midway = killed(world, &["pg", "dump", name], wait).await?;
        let place = format!("killed after {wait:?}");
        let after = all_keys(world).await?;
        let is_new = runs::published(&before, &after).within(&place)?;
        ensure!(midway || is_new, "{place}: a dump ended well and published nothing");
        ensure_eq!(&world.checksum(name)?, content, "{place}: the database");
        all_is_well(world).await.within(&place)?;
        if dice.once_in(2) {
            prune_incomplete(world).await.within(&place)?;
        }
        if dice.once_in(3) {
            let key = world.dump(name).await.within(&place)?;
            self.shop.gives_back(&key, content).await.within(&place)?;
        } else if dice.once_in(3) {
            let newest = after.last().cloned().unwrap_or_default();
            self.shop.gives_back(&newest, content).await.within(&place)?;
        }
        if after.len() > 4 {
            ok(world, &["pg", "prune", "--keep-last", KEPT, "--yes"]).await?;
        }
        Ok(midway)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

/// Kills of restores.
pub(super) struct Restores {
    shop: Shop,
    stored: Stored,
    usual: Duration,
}

impl Part for Restores {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shop = Shop::set(world, BULK_MIB).await?;
        let stored = Stored::of(&shop.world).await?;
        let restore = ["pg", "restore", &shop.key, "--confirm-database", &shop.name];
        let usual = timed(&shop.world, &restore).await?;
        Ok(Self { shop, stored, usual })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, key, content } = &self.shop;
        if all_keys(world).await?.len() > 3 {
            self.stored.put_back(world).await?;
        }
        world.set_version(name, 2)?;
        let old = world.checksum(name)?;
        let fresh = world.name("fresh");
        let over = ["pg", "restore", key, "--confirm-database", name];
        let reversible = [&over[..], &["--reversible"]].concat();
        let (variant, next) = (dice.below(3), dice.below(3));
        let args: Vec<&str> = match variant {
            0 => over.to_vec(),
            1 => reversible,
            _ => vec!["pg", "restore", key, "--into", &fresh],
        };
        let wait = self.usual.mul_f64(dice.share() * 1.05);
        let midway = killed(world, &args, wait).await?;
        let place = format!("`{}` killed after {wait:?}", args.join(" "));
        ensure!(world.databases()?.contains(name), "{place}: the database is lost");
        // Only what is about the same database clears up after it, but for `recover`.
        let next = match (variant, next) {
            (0, 1) => over.to_vec(),
            (0, 2) => vec!["pg", "dump", name],
            _ => vec!["pg", "recover"],
        };
        ok(world, &next).await.within(&place)?;
        let (now, is_over) = (world.checksum(name).within(&place)?, next.contains(&"restore"));
        ensure!(now == *content || now == old && !is_over, "{place}: the database is neither old nor new");
        ensure!(midway || variant == 2 || now == *content, "{place}: it ended well and restored nothing");
        if world.databases()?.contains(&fresh) {
            ensure_eq!(&world.checksum(&fresh).within(&place)?, content, "{place}: the new database");
            world.drop_database(&fresh)?;
        } else {
            ensure!(midway || variant != 2, "{place}: it ended well and made no database");
        }
        self.shop.without_copies()?;
        all_is_well(world).await.within(&place)?;
        if dice.once_in(2) {
            ok(world, &over).await.within(&place)?;
            ensure_eq!(&world.checksum(name)?, content, "{place}: the database restored next");
        }
        Ok(midway)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

/// Dumps in the location, and leftovers of killed ones.
const DUMPS: usize = 5;
const LEFTOVERS: usize = 2;

/// Kills of prunes.
pub(super) struct Prunes {
    shop: Shop,
    keys: Vec<String>,
    stored: Stored,
    usual: Duration,
}

impl Part for Prunes {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shop = Shop::set(world, 0).await?;
        let mut keys = vec![shop.key.clone()];
        while keys.len() < DUMPS {
            keys.push(shop.world.dump(&shop.name).await?);
        }
        for _ in 0..LEFTOVERS {
            let dump = shop.world.lastgood(["pg", "dump", &shop.name]).env("LASTGOOD_CRASH_AT", "dump.manifest");
            dump.run().await?.expect_killed()?;
        }
        let stored = Stored::of(&shop.world).await?;
        let usual = timed(&shop.world, &["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"]).await?;
        Ok(Self { shop, keys, stored, usual })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let world = &self.shop.world;
        self.stored.put_back(world).await?;
        let kept = dice.between(1, DUMPS);
        let count = kept.to_string();
        let prune = ["pg", "prune", "--keep-last", &count, "--grace", "0s", "--yes"];
        let mut midway = false;
        for _ in 0..dice.between(1, 4) {
            let wait = self.usual.mul_f64(dice.share());
            midway |= killed(world, &prune, wait).await?;
            let left = all_keys(world).await?;
            let wanted = &self.keys[DUMPS - kept..];
            ensure!(left.ends_with(wanted), "killed after {wait:?}: of {wanted:?} only {left:?} are left");
            ensure!(left.iter().all(|key| self.keys.contains(key)), "a leftover became a dump: {left:?}");
            all_is_well(world).await.within(&format!("killed after {wait:?}"))?;
        }
        // The leftovers go with the first, and what only they needed with the second.
        for _ in 0..2 {
            ok(world, &prune).await?;
        }
        self.only(kept).await?;
        if dice.once_in(4) {
            self.shop.gives_back(&self.keys[DUMPS - 1], &self.shop.content).await?;
        }
        Ok(midway)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

impl Prunes {
    /// Nothing is there but the newest dumps, what they share with others, and claims on the places of leftovers.
    async fn only(&self, kept: usize) -> RowResult {
        let world = &self.shop.world;
        let wanted = &self.keys[DUMPS - kept..];
        ensure_eq!(all_keys(world).await?, wanted.to_vec(), "dumps after the next prune");
        ensure_eq!(unpublished(world).await?, Vec::<String>::new(), "folders without a manifest");
        ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
        let objects = world.place().objects().await?;
        let keys: Vec<String> = objects.iter().map(|object| object.key.clone()).collect();
        let named = named(world, &keys).await?;
        for object in objects {
            let is_kept = wanted.iter().any(|key| object.key.contains(key)) || named.contains(&object.key);
            let is_claim = object.key.ends_with("manifest.json") || object.key.ends_with("deleted.json");
            let is_outside = !object.key.contains(".dump/");
            ensure!(is_kept || is_claim || is_outside, "`{}` is left of a dump that is gone", object.key);
        }
        Ok(())
    }
}
