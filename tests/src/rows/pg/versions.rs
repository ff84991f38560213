//! Programs of other versions than the server's: stubs that say so and hand over to the real ones.

use std::path::{Path, PathBuf};

use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World, stub};
use crate::{ensure, ensure_eq};

/// Exit code for a program that is missing or too old.
const TOOL: i32 = 22;

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// P2: too old a program is refused; a newer one is used, and what it sends that the server does not know is let through.
pub(super) async fn skew(world: &World) -> RowResult {
    let major: u32 = world.psql("postgres", "SELECT current_setting('server_version_num')::int / 10000")?.parse()?;
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let versions = Versions { world, shop, key, major };
    versions.older_refused().await?;
    versions.newer_used().await?;
    versions.archive_too_new().await?;
    versions.side_by_side().await?;
    versions.single_file().await
}

struct Versions<'w> {
    world: &'w World,
    shop: String,
    key: String,
    /// The server's.
    major: u32,
}

impl Versions<'_> {
    /// A folder of programs of this version.
    fn bin(&self, major: u32) -> RowResult<PathBuf> {
        stub::versioned(self.world, major)
    }

    /// Runs a restore that must be refused before anything is created.
    async fn refused(&self, key: &str, environment: (&str, &str), texts: &[&str]) -> RowResult {
        let world = self.world;
        let before = (world.databases()?, world.checksum(&self.shop)?);
        let restore = ["pg", "restore", key, "--confirm-database", &self.shop];
        let mut output = world.lastgood(restore).env(environment.0, environment.1).fails(TOOL).await?;
        for text in texts {
            output = output.says(text)?;
        }
        output.says("nothing was changed")?.says("--pg-bin")?;
        ensure_eq!((world.databases()?, world.checksum(&self.shop)?), before, "the server after a refusal");
        Ok(())
    }

    async fn older_refused(&self) -> RowResult {
        let (world, older) = (self.world, self.major - 1);
        let folder = text(&self.bin(older)?);
        let versions = format!("has version {older}, but the server has version {}", self.major);
        let install = format!("Install the client programs of PostgreSQL {} or newer", self.major);
        let before = world.place().picture().await?;
        let dump = world.lastgood(["pg", "dump", &self.shop, "--pg-bin", &folder]).fails(TOOL).await?;
        dump.says(&versions)?.says("pg_dump")?.says(&install)?.says("nothing was changed")?;
        ensure_eq!(world.place().picture().await?, before, "the location after a pg_dump that is too old");
        ensure_eq!(world.place().unfinished().await?, 0, "uploads after a pg_dump that is too old");
        self.refused(&self.key, ("LASTGOOD_PG_BIN", &folder), &[&versions, "pg_restore", &install]).await?;
        ensure_eq!(
            stub::calls(Path::new(&folder))?,
            Vec::<String>::new(),
            "what programs that are too old were asked to do"
        );
        Ok(())
    }

    async fn newer_used(&self) -> RowResult {
        let world = self.world;
        for major in [self.major + 1, self.major + 2, self.major + 3] {
            let folder = self.bin(major)?;
            let copy = world.name(&format!("by_{major}"));
            let bin = text(&folder);
            world.lastgood(["pg", "dump", &self.shop, "--pg-bin", &bin]).ok().await.within(&bin)?;
            let restore = ["pg", "restore", &self.shop, "--into", &copy, "--pg-bin", &bin, "--jobs", "3"];
            let restored = world.lastgood(restore).ok().await.within(&format!("programs of {major}"))?;
            Picture::of(world.cluster(), &self.shop)?.expect(&Picture::of(world.cluster(), &copy)?, "the copy")?;
            let calls = stub::calls(&folder)?;
            ensure!(calls.iter().any(|call| call.starts_with("pg_dump ")), "no pg_dump of {major} was run: {calls:?}");
            // 17 and newer set what the server does not know; they then run one after the other, for their errors to count.
            let (serial, told) = (major >= 17 && self.major < 17, restored.stderr.contains("is newer than the server"));
            ensure_eq!(told, serial, "whether a word is said of `pg_restore` of version {major}");
            let parallel = calls.iter().any(|call| call.contains("--jobs=3"));
            ensure_eq!(parallel, !serial, "whether `pg_restore` of version {major} builds indexes in parallel");
            for call in calls {
                ensure!(!call.contains(world.cluster().password()), "the password is among the arguments of {major}");
            }
        }
        Ok(())
    }

    /// The manifest says which version wrote the archive.
    async fn archive_too_new(&self) -> RowResult {
        let bin = text(&self.bin(18)?);
        let key = self.world.lastgood(["pg", "dump", &self.shop, "--pg-bin", &bin, "--json"]).ok().await?.json()?;
        let key = key["key"].as_str().unwrap_or_default().to_owned();
        for major in [self.major, 16] {
            let folder = text(&self.bin(major)?);
            let says =
                [&*format!("has version {major} and cannot read"), "`pg_dump` 18 wrote", "PostgreSQL 17 or newer"];
            self.refused(&key, ("LASTGOOD_PG_BIN", &folder), &says).await.within(&format!("pg_restore {major}"))?;
        }
        // In one folder by mistake: found when dumping, not when restoring.
        let mixed = self.bin(17)?;
        stub::change_version(&mixed, "pg_restore", self.major)?;
        let before = self.world.place().picture().await?;
        let dump = self.world.lastgood(["pg", "dump", &self.shop, "--pg-bin", &text(&mixed)]).fails(TOOL).await?;
        dump.says("`pg_dump` of version 17 wrote")?;
        ensure_eq!(self.world.place().picture().await?, before, "the location after a dump that nobody could read");
        Ok(())
    }

    /// The server's own version where it is installed, else the nearest newer one, whatever comes first on PATH.
    async fn side_by_side(&self) -> RowResult {
        let folders: Vec<PathBuf> =
            [14, 18, 16, 17].map(|major| self.bin(major)).into_iter().collect::<RowResult<_>>()?;
        let real = self.world.cluster().bin_dir();
        let path = |folders: &[&Path]| {
            let all = folders.iter().map(|folder| text(folder)).chain(["/usr/bin:/bin".to_owned()]);
            all.collect::<Vec<_>>().join(":")
        };
        let [old, newest, nearest, middle] = folders.each();
        let everything = path(&[old, newest, nearest, real, middle]);
        let plan =
            self.world.lastgood(["pg", "dump", &self.shop, "-n", "--json"]).env("PATH", &everything).ok().await?;
        let chosen = plan.json()?["pg_dump"].as_str().unwrap_or_default().to_owned();
        ensure!(chosen.contains(&format!("pg_dump ({}.", self.major)), "of all versions `{chosen}` was chosen");
        // An archive of 17: nothing older reads it, and 18 is farther from the server.
        let by_17 =
            self.world.lastgood(["pg", "dump", &self.shop, "--pg-bin", &text(middle), "--json"]).ok().await?.json()?;
        let key = by_17["key"].as_str().unwrap_or_default().to_owned();
        let copy = self.world.name("nearest");
        let restore = ["pg", "restore", &key, "--into", &copy];
        self.world.lastgood(restore).env("PATH", &everything).ok().await?;
        for (folder, used) in [(old, false), (newest, false), (nearest, false), (middle, true)] {
            let calls = stub::calls(folder)?;
            let restored = calls.iter().any(|call| call.starts_with("pg_restore "));
            ensure_eq!(restored, used, "whether the pg_restore in {} was run", folder.display());
        }
        Ok(())
    }

    /// A dump of django-pgclone's, of a `pg_dump` that is newer than what is here.
    async fn single_file(&self) -> RowResult {
        let own = self.world.psql("postgres", "SHOW server_version")?;
        let archive = newer_archive(super::damage::pg_dump(self.world, &self.shop)?, &own)?;
        let key = format!("{}/2021_03_04_05_06_07_000009.default.dump", self.shop);
        self.world.place().write(&key, &archive).await?;
        let folder = text(&self.bin(self.major)?);
        let says = ["cannot read the dump's archive", "`pg_dump` of version 17 wrote"];
        self.refused(&key, ("LASTGOOD_PG_BIN", &folder), &says).await
    }
}

/// References to all four, by position.
trait Each {
    fn each(&self) -> [&Path; 4];
}

impl Each for Vec<PathBuf> {
    fn each(&self) -> [&Path; 4] {
        std::array::from_fn(|at| self.get(at).map_or(Path::new(""), PathBuf::as_path))
    }
}

/// The archive with the header that `pg_dump` 17 would have written: layout 1.16, a byte for the compression, its version.
fn newer_archive(mut archive: Vec<u8>, own: &str) -> RowResult<Vec<u8>> {
    ensure!(archive.starts_with(b"PGDMP\x01\x0e") && archive[8] == 4, "pg_dump writes another layout than 1.14");
    archive[6] = 16;
    archive.splice(11..16, [1]);
    // The server's version comes first, then that of `pg_dump`: here the same text.
    let at: Vec<usize> = (0..archive.len()).filter(|at| archive[*at..].starts_with(own.as_bytes())).take(2).collect();
    let [_, of_pg_dump] = at[..] else { return Err(Failure::new("the header names no versions")) };
    archive[of_pg_dump..of_pg_dump + 2].copy_from_slice(b"17");
    Ok(archive)
}
