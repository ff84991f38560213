//! Damaged and forged locations: every command ends with an error or with what is right, and touches nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use backup_testkit::dice::Dice;

use super::app::{BACKUP, Shelf};
use super::kind::{Lane, Part};
use super::pg::Shop;
use super::runs::{ok, sane};
use super::spoil::{Spoiled, guarded, precious, spoil};
use super::stored::Stored;
use crate::harness::failure::Within as _;
use crate::harness::{Output, Place, RowResult, World};
use crate::rows::core::terminal::shown;
use crate::rows::dict::plant;
use crate::{ensure, ensure_eq};

/// No command takes long on so little; what takes longer waits for something that never comes.
const LIMIT: Duration = Duration::from_secs(90);

/// Commands of each round.
const COMMANDS: usize = 4;

/// Every file below the working directory but the location and what commands were told to make.
fn around(world: &World) -> RowResult<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![world.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_told = name == "location" || name == "home" || name.starts_with("told");
            if is_told && path.parent() == Some(world.folder()) {
                continue;
            }
            let about = path.symlink_metadata()?;
            if about.is_dir() {
                found.insert(path.clone(), b"a folder".to_vec());
                folders.push(path);
            } else if about.is_file() {
                let content = fs::read(&path)?;
                found.insert(path, content);
            } else {
                found.insert(path, b"special".to_vec());
            }
        }
    }
    Ok(found)
}

/// Removes what commands were told to make.
fn without_told(world: &World) -> RowResult {
    for entry in fs::read_dir(world.folder())? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("told") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Spoils the location, and runs some of the commands on it; with what each ended.
async fn attacked<'c>(
    world: &World,
    stored: &Stored,
    commands: &'c [Vec<String>],
    dice: &mut Dice,
) -> RowResult<(Spoiled, Vec<(&'c Vec<String>, Output)>)> {
    stored.put_back(world).await?;
    without_told(world)?;
    let before = around(world)?;
    let spoiled = spoil(world, stored, dice).await?;
    let mut ended = Vec::new();
    for _ in 0..COMMANDS {
        let args = dice.pick(commands);
        let place = format!("{}: `{}`", spoiled.what, args.join(" "));
        let output = world.lastgood(args.iter().cloned()).limit(LIMIT).run().await.within(&place)?;
        let output = sane(output).within(&place)?;
        let is_json = args.iter().any(|arg| arg == "--json" || arg == "cat");
        let output = if is_json { output } else { shown(output).within(&place)? };
        ended.push((args, output));
    }
    if around(world)? != before {
        return Err(crate::harness::Failure::new(format!("{}: something beside the location changed", spoiled.what)));
    }
    Ok((spoiled, ended))
}

fn words(commands: &[&[&str]]) -> Vec<Vec<String>> {
    commands.iter().map(|words| words.iter().map(ToString::to_string).collect()).collect()
}

/// Dumps.
pub(super) struct Dumps {
    shop: Shop,
    stored: Stored,
    commands: Vec<Vec<String>>,
    copy: String,
}

impl Part for Dumps {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shop = Shop::set(world, 0).await?;
        let world = &shop.world;
        guarded(world)?;
        ok(world, &["pg", "dump", &shop.name, "--tag", "nightly"]).await?;
        let newest = world.dump(&shop.name).await?;
        let (name, key, copy) = (shop.name.clone(), shop.key.clone(), world.name("copy"));
        let killed = world.lastgood(["pg", "dump", &name]).env("LASTGOOD_CRASH_AT", "dump.manifest");
        killed.run().await?.expect_killed()?;
        let stored = Stored::of(world).await?;
        let commands = words(&[
            &["pg", "ls"],
            &["pg", "ls", "--json"],
            &["pg", "show", &key],
            &["pg", "verify", "--all", "--read", "all"],
            &["pg", "verify", &key, "--read", "all"],
            &["pg", "restore", &key, "--into", &copy],
            &["pg", "restore", &newest, "--into", &copy],
            &["pg", "restore", &name, "--into", &copy],
            &["pg", "restore", &key, "-n"],
            &["pg", "prune", "--keep-last", "1", "-n"],
            &["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"],
            &["pg", "prune", "--incomplete", "--grace", "0s"],
            &["pg", "dump", &name],
            &["doctor"],
        ]);
        Ok(Self { shop, stored, commands, copy })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, content, .. } = &self.shop;
        let (spoiled, ended) = attacked(world, &self.stored, &self.commands, dice).await?;
        let what = &spoiled.what;
        ensure_eq!(&world.checksum(name).within(what)?, content, "{what}: the database that is live");
        let databases = world.databases()?;
        let own = [name.clone(), self.copy.clone()];
        let of_this = |database: &&String| database.contains(&world.name("")) || database.starts_with("lastgood_");
        let strange: Vec<&String> = databases.iter().filter(of_this).filter(|found| !own.contains(found)).collect();
        ensure!(strange.is_empty(), "{what}: the databases {strange:?} were made");
        if databases.contains(&self.copy) {
            let is_told = ended.iter().any(|(args, output)| args.contains(&self.copy) && output.code() == Some(0));
            ensure!(is_told, "{what}: a database was made, and no restore ended well");
            if !spoiled.is_sealed {
                ensure_eq!(&world.checksum(&self.copy).within(what)?, content, "{what}: what was restored");
            }
            world.drop_database(&self.copy)?;
        }
        Ok(ended.iter().any(|(_, output)| output.code() != Some(0)))
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

/// Records of each file.
const RECORDS: usize = 50;

/// Records.
pub(super) struct Records {
    shelf: Shelf,
    stored: Stored,
    commands: Vec<Vec<String>>,
}

impl Part for Records {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shelf = Shelf::set(world, RECORDS).await?;
        let world = &shelf.world;
        guarded(world)?;
        for _ in 0..3 {
            ok(world, &BACKUP).await?;
        }
        let tarball = fs::read(format!("{}/corrupt/a-path-upwards.tar.gz", crate::rows::app::FIXTURES))?;
        world.place().write("Backup_UTC_2026-11-21T03_13_45.696797.tar.gz", &tarball).await?;
        let stored = Stored::of(world).await?;
        let key = super::runs::good(world, "app").await?.pop().unwrap_or_default();
        let commands = words(&[
            &["app", "ls"],
            &["app", "ls", "--json"],
            &["app", "show", &key],
            &["app", "verify"],
            &["app", "cat", &key, "users"],
            &["app", "restore", "--to", "ndjson:told", "--on-conflict", "replace"],
            &["app", "restore", &key, "--to", "ndjson:told", "--on-conflict", "replace"],
            &["app", "restore", &key, "--to", "sqlite:told.db", "--on-conflict", "replace"],
            &["app", "restore", "--to", "ndjson:told-n", "-n"],
            &["app", "prune", "--keep-last", "1", "-n"],
            &["app", "prune", "--keep-last", "1", "--grace", "0s", "--yes"],
            &BACKUP,
        ]);
        Ok(Self { shelf, stored, commands })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let world = &self.shelf.world;
        let (spoiled, ended) = attacked(world, &self.stored, &self.commands, dice).await?;
        if !spoiled.is_sealed
            && let Some(held) = self.shelf.held("told")?
        {
            ensure!(held == self.shelf.files, "{}: the restored records are others", spoiled.what);
        }
        Ok(ended.iter().any(|(_, output)| output.code() != Some(0)))
    }

    fn world(&self) -> &World {
        &self.shelf.world
    }
}

/// Stores in memory.
pub(super) struct Stores {
    world: World,
    stored: Stored,
    commands: Vec<Vec<String>>,
    /// What the newest backup and the first give back.
    states: Vec<Vec<u8>>,
}

impl Part for Stores {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        world.init().await?;
        guarded(&world)?;
        plant(&world, "ours").await?;
        let stored = Stored::of(&world).await?;
        let mut states = Vec::new();
        let first = "dictdb_backup_1795230000_000000.json";
        let listed = ok(&world, &["dict", "ls", "--json"]).await?.json()?;
        let files = listed.as_array().into_iter().flatten().filter_map(|entry| entry["file"].as_str());
        for file in files {
            ok(&world, &["dict", "restore", "--to", "told.json", "--force", "--up-to", file]).await?;
            states.push(fs::read(world.folder().join("told.json"))?);
        }
        let pickle = "dictdb_backup_1795230180_000000.pickle";
        let commands = words(&[
            &["dict", "ls"],
            &["dict", "ls", "--json"],
            &["dict", "show", first],
            &["dict", "verify"],
            &["dict", "restore", "--to", "told.json", "--force"],
            &["dict", "restore", "--to", "told.json", "--force", "--up-to", first],
            &["dict", "restore", "--to", "told.json", "--force", "--up-to", pickle],
            &["dict", "restore", "-n"],
            &["dict", "diff", first, pickle],
            &["dict", "compact"],
            &["dict", "prune", "--keep-last", "1", "-n"],
            &["dict", "prune", "--keep-last", "1", "--grace", "0s", "--yes"],
        ]);
        if let Place::Folder(root) = world.place() {
            ensure!(precious(root).exists(), "nothing is guarded");
        }
        Ok(Self { world, stored, commands, states })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let (spoiled, ended) = attacked(&self.world, &self.stored, &self.commands, dice).await?;
        let told = self.world.folder().join("told.json");
        if !spoiled.is_sealed && told.exists() {
            let state = fs::read(told)?;
            ensure!(self.states.contains(&state), "{}: the restored state is none there was", spoiled.what);
        }
        Ok(ended.iter().any(|(_, output)| output.code() != Some(0)))
    }

    fn world(&self) -> &World {
        &self.world
    }
}
