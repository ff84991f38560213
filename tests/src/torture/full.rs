//! A disk that has room for so many bytes and no more.

use std::fs;
use std::path::PathBuf;

use backup_testkit::dice::Dice;

use super::app::{BACKUP, Shelf};
use super::kind::{Lane, Part};
use super::pg::Shop;
use super::runs::{self, ok, run};
use super::stored::Stored;
use crate::ensure;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, SmallDisk, World};
use crate::rows::kill::{all_is_well, all_keys, prune_incomplete};

/// Mebibytes of the disk.
const DISK_MIB: u32 = 12;

/// Records of each file.
const RECORDS: usize = 4_000;

/// Fills the rest of the disk, outside of what lastgood looks at.
const FILLER: &str = "filler";

/// A location on a small disk, with dumps and backups of records.
pub(super) struct Full {
    // Before the world, whose folder it is in.
    _disk: SmallDisk,
    shop: Shop,
    shelf: Shelf,
    stored: Stored,
    /// What a dump takes.
    bytes: u64,
}

impl Part for Full {
    async fn set(world: World, lane: &Lane) -> RowResult<Self> {
        let disk = SmallDisk::mount(&world.folder().join("location"), DISK_MIB)?;
        let shop = Shop::set(world, 1).await?;
        let beside = shop.world.beside(std::sync::Arc::clone(&lane.cluster))?;
        let shelf = Shelf::of(beside, RECORDS)?;
        let before = used(&shop.world).await?;
        shop.world.dump_full(&shop.name).await?;
        let bytes = used(&shop.world).await? - before;
        ok(&shelf.world, &BACKUP).await?;
        let stored = Stored::of(&shop.world).await?;
        Ok(Self { _disk: disk, shop, shelf, stored, bytes })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, content, .. } = &self.shop;
        self.stored.put_back(world).await?;
        let (dumps, backups) = (all_keys(world).await?, runs::good(world, "app").await?);
        let left = (self.bytes as f64 * dice.share() * 1.1) as u64;
        self.leave(left)?;
        let place = format!("{left} bytes of room");
        let is_dump = dice.once_in(2);
        let output = match is_dump {
            true => run(world, &["pg", "dump", name, "--full"]).await.within(&place)?,
            false => run(&self.shelf.world, &BACKUP).await.within(&place)?,
        };
        let is_full = output.code() != Some(0);
        if is_full && !output.stderr.to_lowercase().contains("space") {
            return Err(output.fault("it should say that there is no space").within(&place));
        }
        let new = (all_keys(world).await?, runs::good(world, "app").await?);
        let is_new =
            runs::published(&dumps, &new.0).within(&place)? || runs::published(&backups, &new.1).within(&place)?;
        ensure!(is_full != is_new, "{place}: it ended with {:?}, and something new is {is_new}", output.code());
        all_is_well(world).await.within(&place)?;
        ok(world, &["app", "verify"]).await.within(&place)?;
        // What frees room needs none.
        if dice.once_in(2) {
            ok(world, &["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"]).await.within(&place)?;
            ensure!(all_keys(world).await?.len() == 1, "{place}: more than one dump is left after a prune");
        }
        fs::remove_file(self.filler())?;
        prune_incomplete(world).await.within(&place)?;
        let key = world.dump_full(name).await.within(&place)?;
        if dice.once_in(4) {
            self.shop.gives_back(&key, content).await.within(&place)?;
        }
        Ok(is_full)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

impl Full {
    fn filler(&self) -> PathBuf {
        self.shop.world.folder().join("location").join(FILLER)
    }

    /// Leaves room for so many bytes.
    fn leave(&self, bytes: u64) -> RowResult {
        let found = rustix::fs::statvfs(self.shop.world.folder().join("location"))?;
        let free = found.f_bavail * found.f_frsize;
        let filler = vec![0xa5; usize::try_from(free.saturating_sub(bytes))?];
        Ok(fs::write(self.filler(), filler)?)
    }
}

async fn used(world: &World) -> RowResult<u64> {
    Ok(world.place().objects().await?.iter().map(|object| object.bytes).sum())
}
