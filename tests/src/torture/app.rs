//! Backups, restores and prunes of records that are killed.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use backup_testkit::dice::Dice;

use super::kind::{Lane, Part};
use super::runs::{self, killed, ok, timed};
use super::stored::Stored;
use crate::harness::failure::Within as _;
use crate::harness::place::is_temporary;
use crate::harness::{RowResult, World};
use crate::rows::app::sources::python;
use crate::{ensure, ensure_eq};

/// Records of each file.
const RECORDS: usize = 8_000;

/// Backups in the location before a prune.
const BACKUPS: usize = 4;

pub(super) const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];

/// A folder of records, and backups of it.
pub(super) struct Shelf {
    pub(super) world: World,
    /// The files of a restore, by name.
    pub(super) files: BTreeMap<String, String>,
}

impl Shelf {
    /// Makes a location, and `records` records in each of two files.
    pub(super) async fn set(world: World, records: usize) -> RowResult<Self> {
        world.init().await?;
        Self::of(world, records)
    }

    /// The same with a location that is there.
    pub(super) fn of(world: World, records: usize) -> RowResult<Self> {
        let folder = world.folder().join("records");
        fs::create_dir_all(&folder)?;
        let mut files = BTreeMap::new();
        // The same for every seed: only moments and damage are random.
        let mut dice = Dice::new(0, "records", 0);
        for name in ["orders", "users"] {
            let lines = (0..records).map(|id| format!("{{\"id\": \"{id}\", \"x\": \"{:016x}\"}}\n", dice.roll()));
            let text: String = lines.collect();
            fs::write(folder.join(format!("{name}.json")), &text)?;
            files.insert(format!("{name}--{name}.json"), text);
        }
        Ok(Self { world, files })
    }

    /// What a folder of records holds; none where there is none.
    pub(super) fn held(&self, folder: &str) -> RowResult<Option<BTreeMap<String, String>>> {
        let path = self.world.folder().join(folder);
        if !path.exists() {
            return Ok(None);
        }
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
            files.insert(entry.file_name().to_string_lossy().into_owned(), text);
        }
        Ok(Some(files))
    }

    /// The newest backup gives back every record.
    pub(super) async fn gives_back(&self) -> RowResult {
        self.without("whole")?;
        ok(&self.world, &["app", "restore", "--to", "ndjson:whole"]).await?;
        ensure!(self.held("whole")?.as_ref() == Some(&self.files), "the restored records are others");
        self.without("whole")
    }

    /// Removes a folder or file of this scene's.
    pub(super) fn without(&self, name: &str) -> RowResult {
        let path = self.world.folder().join(name);
        match path.is_dir() {
            true => fs::remove_dir_all(path)?,
            false if path.exists() => fs::remove_file(path)?,
            false => {}
        }
        Ok(())
    }

    /// Every backup can be read, and leftovers are freed.
    pub(super) async fn is_whole(&self) -> RowResult {
        ok(&self.world, &["app", "verify"]).await?;
        Ok(())
    }

    /// Leftovers go, and nothing else.
    pub(super) async fn without_leftovers(&self) -> RowResult {
        let world = &self.world;
        let before = runs::good(world, "app").await?;
        ok(world, &["app", "prune", "--incomplete", "--grace", "0s"]).await?;
        ensure_eq!(runs::good(world, "app").await?, before, "backups after leftovers were pruned");
        ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
        let keys: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
        for key in keys.iter().filter(|key| key.ends_with(".tar.gz") && !is_temporary(key)) {
            ensure!(keys.contains(&format!("{key}.manifest.json")), "`{key}` is left of a killed backup");
        }
        Ok(())
    }
}

/// Kills of everything that is done with records.
pub(super) struct Records {
    shelf: Shelf,
    /// Four backups, and what a killed one left.
    stored: Stored,
    keys: Vec<String>,
    backup: Duration,
    restore: Duration,
    prune: Duration,
}

const PRUNE: [&str; 7] = ["app", "prune", "--keep-last", "1", "--grace", "0s", "--yes"];

impl Part for Records {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shelf = Shelf::set(world, RECORDS).await?;
        let world = &shelf.world;
        let mut backup = Duration::ZERO;
        for _ in 0..BACKUPS {
            backup = timed(world, &BACKUP).await?;
        }
        world.lastgood(BACKUP).env("LASTGOOD_CRASH_AT", "app.manifest").run().await?.expect_killed()?;
        let (stored, keys) = (Stored::of(world).await?, runs::good(world, "app").await?);
        ensure_eq!(keys.len(), BACKUPS, "backups");
        let restore = timed(world, &["app", "restore", "--to", "ndjson:whole"]).await?;
        let prune = timed(world, &PRUNE).await?;
        Ok(Self { shelf, stored, keys, backup, restore, prune })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        self.stored.put_back(&self.shelf.world).await?;
        match dice.below(4) {
            0 | 1 => self.of_a_backup(dice).await.within("backup"),
            2 => self.of_a_restore(dice).await.within("restore"),
            _ => self.of_a_prune(dice).await.within("prune"),
        }
    }

    fn world(&self) -> &World {
        &self.shelf.world
    }
}

impl Records {
    async fn of_a_backup(&self, dice: &mut Dice) -> RowResult<bool> {
        let world = &self.shelf.world;
        let wait = self.backup.mul_f64(dice.share() * 1.05);
        let midway = killed(world, &BACKUP, wait).await?;
        let after = runs::good(world, "app").await?;
        let is_new = runs::published(&self.keys, &after).within(&format!("killed after {wait:?}"))?;
        ensure!(midway || is_new, "a backup ended well and published nothing");
        self.shelf.is_whole().await?;
        if dice.once_in(2) {
            self.shelf.without_leftovers().await?;
        }
        if dice.once_in(2) {
            ok(world, &BACKUP).await?;
        }
        self.shelf.gives_back().await?;
        Ok(midway)
    }

    async fn of_a_restore(&self, dice: &mut Dice) -> RowResult<bool> {
        let world = &self.shelf.world;
        let is_there = dice.once_in(2);
        self.shelf.without("out")?;
        self.shelf.without("out.db")?;
        if dice.once_in(3) {
            return self.of_a_database(dice).await;
        }
        let before = if is_there {
            fs::create_dir_all(world.folder().join("out"))?;
            fs::write(world.folder().join("out/users--users.json"), "{\"id\": \"1\", \"x\": \"before\"}\n")?;
            self.shelf.held("out")?
        } else {
            None
        };
        let restore = ["app", "restore", "--to", "ndjson:out", "--on-conflict", "replace"];
        let wait = self.restore.mul_f64(dice.share() * 1.05);
        let midway = killed(world, &restore, wait).await?;
        let now = self.shelf.held("out")?;
        let is_all = now.as_ref() == Some(&self.shelf.files);
        ensure!(is_all || now == before, "killed after {wait:?}: the folder is neither as before nor restored");
        ensure!(midway || is_all, "a restore ended well and restored nothing");
        ok(world, &restore).await?;
        ensure!(self.shelf.held("out")?.as_ref() == Some(&self.shelf.files), "the next restore gives other records");
        Ok(midway)
    }

    /// SQLite shows all records or none.
    async fn of_a_database(&self, dice: &mut Dice) -> RowResult<bool> {
        let world = &self.shelf.world;
        let restore = ["app", "restore", "--to", "sqlite:out.db", "--on-conflict", "replace"];
        let wait = self.restore.mul_f64(dice.share() * 1.5);
        let midway = killed(world, &restore, wait).await?;
        let count = "import sqlite3, os\n\
            c = sqlite3.connect('out.db') if os.path.exists('out.db') else None\n\
            names = [n for (n,) in c.execute(\"SELECT name FROM sqlite_schema WHERE type = 'table'\")] if c else []\n\
            print(sum(c.execute(f'SELECT count(*) FROM \"{n}\"').fetchone()[0] for n in names))";
        let all = (2 * RECORDS).to_string();
        let now = python(world, count)?;
        ensure!(now == "0" || now == all, "killed after {wait:?}: {now} of {all} records are there");
        ensure!(midway || now == all, "a restore ended well and restored {now} of {all} records");
        ok(world, &restore).await?;
        ensure_eq!(python(world, count)?, all, "records after the next restore");
        Ok(midway)
    }

    async fn of_a_prune(&self, dice: &mut Dice) -> RowResult<bool> {
        let world = &self.shelf.world;
        let wait = self.prune.mul_f64(dice.share());
        let midway = killed(world, &PRUNE, wait).await?;
        let left = runs::good(world, "app").await?;
        ensure!(
            left.ends_with(&self.keys[BACKUPS - 1..]),
            "killed after {wait:?}: the newest backup is gone: {left:?}"
        );
        self.shelf.is_whole().await.within(&format!("killed after {wait:?}"))?;
        ok(world, &PRUNE).await?;
        ensure_eq!(runs::good(world, "app").await?, self.keys[BACKUPS - 1..].to_vec(), "backups after the next prune");
        self.shelf.without_leftovers().await?;
        self.shelf.gives_back().await?;
        Ok(midway)
    }
}
