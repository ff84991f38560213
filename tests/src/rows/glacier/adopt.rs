//! GL-adopt: what GlacierOnRails archived is taken over, by its tables and its vault.

use std::io::Write as _;
use std::process::Command;

use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::REGION;

use super::shared::{BULK, store};
use super::vault::{ACCOUNT, Service, VAULT};
use crate::harness::command::Lastgood;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// The three tables as the gem's migrations make them, with a name that only contains the words of one of them.
const TABLES: &str = "
CREATE TABLE application_data_backups (id serial PRIMARY KEY, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE TABLE glacier_archives (id serial PRIMARY KEY, description text, archive_id text, checksum text, location text,
  created_at timestamp NOT NULL, updated_at timestamp NOT NULL, notification json, archive_retrieval_job_id varchar,
  application_data_backup_id integer, type varchar, filename varchar);
CREATE TABLE application_data_backups_glacier_file_archives (application_data_backup_id integer NOT NULL,
  glacier_file_archive_id integer NOT NULL);
CREATE TABLE old_glacier_archives_report (version integer NOT NULL);
INSERT INTO old_glacier_archives_report VALUES (1)";

/// What the gem calls every archive.
const DESCRIPTION: &str = "backup of postgres database";

/// Archives that have to be retrieved: the dump, and a file that is not there.
const NEEDED: usize = 2;

struct Scene<'w> {
    world: &'w World,
    service: Service,
    shop: String,
}

impl<'w> Scene<'w> {
    /// A database with a backup of the gem: its dump, a file that is lost, and one that is there.
    fn set(world: &'w World) -> RowResult<Self> {
        let (service, shop) = (Service::start()?, world.sample("shop")?);
        world.psql(&shop, TABLES)?;
        let scene = Self { world, service, shop };
        let dump = scene.archive(&pg_dump(world, &scene.shop)?)?;
        let (lost, there) =
            (scene.archive(&gzipped(world, b"attachment")?)?, scene.archive(&gzipped(world, b"there")?)?);
        scene.sql(&format!(
            "INSERT INTO application_data_backups (created_at, updated_at) VALUES ('2019-05-06 07:08:09.123', now());
             INSERT INTO glacier_archives
               (archive_id, checksum, created_at, updated_at, application_data_backup_id, type, filename)
             VALUES ({dump}, now(), now(), 1, 'GlacierDbArchive', '2019_05_06_07_08_09_123.sql'),
               ({lost}, now(), now(), NULL, 'GlacierFileArchive', '9a41f'),
               ({there}, now(), now(), NULL, 'GlacierFileArchive', 'there');
             INSERT INTO application_data_backups_glacier_file_archives VALUES (1, 2), (1, 3)"
        ))?;
        std::fs::create_dir_all(store(world))?;
        std::fs::write(store(world).join("there"), "mine")?;
        Ok(scene)
    }

    fn sql(&self, sql: &str) -> RowResult<String> {
        self.world.psql(&self.shop, sql)
    }

    /// Archives something as the gem does; returns the values of its row.
    fn archive(&self, content: &[u8]) -> RowResult<String> {
        let place = (ACCOUNT, REGION, VAULT);
        let archived = self.service.fake().archive(place, DESCRIPTION, content.to_vec());
        let (id, tree_hash) = archived.ok_or_else(|| Failure::new("there is no vault"))?;
        Ok(format!("'{id}', '{tree_hash}'"))
    }

    /// `glacier adopt` with what is always said.
    fn list(&self) -> Lastgood<'w> {
        self.service.glacier(self.world, &["adopt", "--database", &self.shop])
    }

    fn adopt(&self, extra: &[&str]) -> Lastgood<'w> {
        self.list().args(["--vault", VAULT, "--files", "store"]).args(extra.iter().copied())
    }

    async fn killed_at(&self, step: &str, extra: &[&str]) -> RowResult {
        self.adopt(extra).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed().within(step)?;
        Ok(())
    }
}

fn gzipped(world: &World, content: &[u8]) -> RowResult<Vec<u8>> {
    let path = world.folder().join("plain");
    std::fs::File::create(&path)?.write_all(content)?;
    let done = Command::new("gzip").arg("-c").arg(&path).output()?;
    ensure!(done.status.success(), "gzip: {}", String::from_utf8_lossy(&done.stderr));
    Ok(done.stdout)
}

/// As the gem dumps: `pg_dump`'s custom format.
fn pg_dump(world: &World, database: &str) -> RowResult<Vec<u8>> {
    let program = world.cluster().bin_dir().join("pg_dump");
    let done = Command::new(program).args(["-w", "-Fc", "-d", database]).envs(world.cluster().env()).output()?;
    ensure!(done.status.success(), "pg_dump: {}", String::from_utf8_lossy(&done.stderr));
    Ok(done.stdout)
}

/// GL-adopt.
pub(super) async fn taken_over(world: &World) -> RowResult {
    let scene = Scene::set(world)?;
    let content = world.checksum(&scene.shop)?;
    scene.list().ok().await?.says("2019_05_06_07_08_09_123.sql")?;
    scene.adopt(&[]).fails(3).await?.says("2 files must be retrieved first")?;
    scene.adopt(&["--backup", "7"]).fails(2).await?.says("made no backup 7 here")?;
    ensure_eq!(scene.service.fake().jobs(), 0, "jobs that nobody asked for");
    scene.killed_at("glacier.adopt_request", &["--retrieve", "bulk"]).await?;
    scene.service.fake().faults([Rule::new(Action::LoseResponse).on("InitiateJob").times(1)]);
    scene.adopt(&["--retrieve", "bulk"]).fails(3).await?.says("requested 2 archives")?.says("pending")?;
    scene.adopt(&["--retrieve", "bulk"]).fails(3).await?.never_says("requested")?;
    ensure_eq!(scene.service.fake().jobs(), NEEDED, "jobs that were paid");
    scene.service.fake().clock().advance(BULK);
    for step in ["glacier.adopt_fetch", "glacier.adopt_file"] {
        scene.killed_at(step, &[]).await?;
    }
    world.set_version(&scene.shop, 2)?;
    scene.sql("UPDATE old_glacier_archives_report SET version = 2")?;
    let twin = world.name("twin");
    scene.adopt(&["--into", &twin]).ok().await?.says("which pg_restore reads")?;
    ensure_eq!(world.checksum(&twin)?, content, "the dump in a database of its own");
    ensure_eq!(std::fs::read_to_string(store(world).join("9a41f"))?, "attachment", "a file, no longer gzipped");
    ensure_eq!(std::fs::read_to_string(store(world).join("there"))?, "mine", "a file that was there");

    // Over the live database: what is about backups stays, by exactly its names.
    let live = ["--into", scene.shop.as_str(), "--confirm-database", scene.shop.as_str()];
    scene.adopt(&live[..2]).fails(15).await?.says("--confirm-database")?;
    scene.killed_at("swap.rename", &live).await?;
    world.lastgood(["pg", "recover"]).ok().await?;
    ensure!(world.checksum(&scene.shop)? != content, "a killed restore changed the live database");
    scene.adopt(&live).ok().await?;
    ensure_eq!(world.checksum(&scene.shop)?, content, "the live database");
    ensure_eq!(scene.sql("SELECT count(*) FROM application_data_backups")?, "1", "backups, of which the dump has none");
    ensure_eq!(scene.sql("SELECT count(*) FROM glacier_archives")?, "3", "archives");
    ensure_eq!(scene.sql("SELECT version FROM old_glacier_archives_report")?, "1", "a table of the application's own");
    scene.adopt(&["--retrieve", "bulk"]).ok().await?;
    ensure_eq!(scene.service.fake().jobs(), NEEDED, "jobs that were paid in the end");
    other_names(&scene).await
}

/// The tables can have other names, as options and as settings.
async fn other_names(scene: &Scene<'_>) -> RowResult {
    scene.sql(
        "CREATE SCHEMA backups; ALTER TABLE application_data_backups RENAME TO runs; ALTER TABLE runs SET SCHEMA backups;
         ALTER TABLE glacier_archives RENAME TO archives; ALTER TABLE archives SET SCHEMA backups;
         ALTER TABLE application_data_backups_glacier_file_archives RENAME TO pairs;
         ALTER TABLE pairs SET SCHEMA backups",
    )?;
    scene.list().fails(2).await?.says("has no table")?;
    let names = ["--gem-schema", "backups", "--gem-tables", "runs,archives,pairs"];
    scene.list().args(names).ok().await?.says("2019_05_06_07_08_09_123.sql")?;
    scene.list().args(["--gem-tables", "runs,archives"]).fails(2).await?.says("does not name the three tables")?;
    let toml = "[glacier]\ngem-schema = 'backups'\ngem-tables = 'runs,archives,pairs'\n";
    std::fs::write(scene.world.folder().join("lastgood.toml"), toml)?;
    scene.list().ok().await?.says("2019_05_06_07_08_09_123.sql")?;
    // They are carried over by these names, too; the dump has those of before.
    let live = ["--into", scene.shop.as_str(), "--confirm-database", scene.shop.as_str()];
    scene.adopt(&live).ok().await?.says("backups.runs")?;
    ensure_eq!(scene.sql("SELECT count(*) FROM backups.runs")?, "1", "backups");
    Ok(())
}
