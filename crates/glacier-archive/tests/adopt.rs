//! What GlacierOnRails archived, from its tables on a real server and from a strict fake of the vault.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::run::Run;
use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::glacier_fake::GlacierFake;
use backup_testkit::postgres::Cluster;
use glacier_archive::GlacierError;
use glacier_archive::adapters::postgres::gem::{GemBackup, GemTables, backups};
use glacier_archive::adapters::postgres::{Configured, Connect};
use glacier_archive::adapters::vault::Vault;
use glacier_archive::adopt::{Adopted, Adoption, adopt};
use glacier_archive::class::Tier;
use glacier_archive::lifecycle::Status;
use tokio_postgres::NoTls;

const MEBIBYTE: u64 = 1024 * 1024;

/// The tables as the gem's migrations make them.
const TABLES: &str = "
CREATE TABLE application_data_backups (id serial PRIMARY KEY, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE TABLE glacier_archives (id serial PRIMARY KEY, description text, archive_id text, checksum text, location text,
  created_at timestamp NOT NULL, updated_at timestamp NOT NULL, notification json, archive_retrieval_job_id varchar,
  application_data_backup_id integer, type varchar, filename varchar);
CREATE TABLE application_data_backups_glacier_file_archives (application_data_backup_id integer NOT NULL,
  glacier_file_archive_id integer NOT NULL)";

struct World {
    fake: GlacierFake,
    vault: Vault,
    machine: tempfile::TempDir,
    database: String,
}

impl World {
    async fn new(database: &str) -> Self {
        let fake = GlacierFake::start(&FakeOptions::default()).unwrap();
        let credentials = Credentials::new("111111111111", "testkit");
        let (url, region) = (fake.endpoint().to_owned(), "us-east-1".to_owned());
        let settings = Settings::of_endpoint(&Endpoint { url, region, credentials });
        let vault = Vault::new(&settings, "MySite", &Run::silent());
        vault.create().await.unwrap();
        Cluster::shared().create_database(database).unwrap();
        Self { fake, vault, machine: tempfile::tempdir().unwrap(), database: database.to_owned() }
    }

    fn sql(&self, sql: &str) -> String {
        Cluster::shared().psql(&self.database, sql).unwrap()
    }

    /// Archives something as the gem does; returns the values of its row.
    async fn archive(&self, content: &[u8]) -> String {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let upload = self.vault.begin_upload("backup of postgres database", MEBIBYTE).await.unwrap();
        let sent = self.vault.upload(&upload, &Arc::new(file), content.len() as u64, MEBIBYTE).await.unwrap();
        format!("'{}', '{}'", sent.id, sent.tree_hash)
    }

    fn connect(&self) -> Configured<NoTls> {
        let cluster = Cluster::shared();
        let mut config = tokio_postgres::Config::new();
        config.host(cluster.host()).port(cluster.port()).dbname(&self.database);
        config.user(cluster.superuser()).password(cluster.password());
        Configured::new(config, NoTls)
    }

    fn files(&self) -> PathBuf {
        self.machine.path().join("store")
    }

    async fn adopt(&self, backup: &GemBackup, tier: Option<Tier>) -> Adopted {
        let (folder, files) = (self.machine.path().join("adopted"), self.files());
        let adoption = Adoption { backup, vault: &self.vault, folder: &folder, files: Some(&files), tier };
        adopt(&adoption, &Run::silent()).await.unwrap()
    }
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn its_archives_come_back_and_nothing_is_requested_twice() {
    let world = World::new("of the gem").await;
    let missing = backups(&world.connect(), &GemTables::default()).await.unwrap_err();
    assert!(matches!(&missing, GlacierError::Usage { what, .. } if what.contains("application_data_backups")));
    world.sql(TABLES);
    let dump: Vec<u8> = (0..3 * MEBIBYTE).map(|at| (at % 253) as u8).collect();
    let (database, file) = (world.archive(&dump).await, world.archive(&gzipped(b"attachment")).await);
    let (there, odd) = (world.archive(&gzipped(b"there")).await, world.archive(&gzipped(b"odd")).await);
    world.sql(&format!(
        "INSERT INTO application_data_backups (created_at, updated_at) VALUES ('2019-05-06 07:08:09.123', now()), (now(), now());
         INSERT INTO glacier_archives (archive_id, checksum, created_at, updated_at, application_data_backup_id, type, filename)
         VALUES ({database}, now(), now(), 1, 'GlacierDbArchive', '2019_05_06_07_08_09_123.sql'),
           ({file}, now(), now(), NULL, 'GlacierFileArchive', '9a41f'),
           ({there}, now(), now(), NULL, 'GlacierFileArchive', 'there'),
           ({odd}, now(), now(), NULL, 'GlacierFileArchive', '../odd');
         INSERT INTO application_data_backups_glacier_file_archives VALUES (1, 2), (1, 2), (1, 3), (1, 4)"
    ));
    let found = backups(&world.connect(), &GemTables::default()).await.unwrap();
    assert_eq!((found.len(), found[0].files.len(), found[1].files.len()), (2, 3, 0));
    assert_eq!(found[0].created_at, Some("2019-05-06T07:08:09.123Z".parse().unwrap()));
    std::fs::create_dir(world.files()).unwrap();
    std::fs::write(world.files().join("there"), "mine").unwrap();

    let seen = world.adopt(&found[0], None).await;
    assert_eq!((seen.counts[&Status::Available], seen.requested, world.fake.jobs()), (3, 0, 0), "nothing is paid");
    let asked = world.adopt(&found[0], Some(Tier::Bulk)).await;
    assert_eq!((asked.requested, asked.counts[&Status::Pending], asked.counts[&Status::Exists]), (2, 2, 1));
    let again = world.adopt(&found[0], Some(Tier::Bulk)).await;
    assert_eq!((again.requested, world.fake.jobs()), (0, 2), "nothing is paid twice");
    world.fake.clock().advance(Duration::from_secs(13 * 3600));
    let done = world.adopt(&found[0], None).await;
    assert_eq!((done.fetched, done.placed), (2, 1));
    assert_eq!(done.failed.iter().map(|failed| failed.name.as_str()).collect::<Vec<_>>(), ["../odd"]);
    assert!(std::fs::read(done.dump.unwrap()).unwrap() == dump, "the dump");
    assert_eq!(std::fs::read_to_string(world.files().join("9a41f")).unwrap(), "attachment", "not gzipped any more");
    assert_eq!(std::fs::read_to_string(world.files().join("there")).unwrap(), "mine");
    let idle = world.adopt(&found[0], Some(Tier::Bulk)).await;
    assert_eq!((idle.fetched, idle.placed, idle.requested, world.fake.jobs()), (0, 0, 0, 2));
}

#[tokio::test]
async fn what_is_damaged_on_the_way_is_not_placed() {
    let world = World::new("damaged by the gem").await;
    world.sql(TABLES);
    let file = world.archive(&gzipped(b"attachment")).await;
    world.sql(&format!(
        "INSERT INTO application_data_backups (created_at, updated_at) VALUES (now(), now());
         INSERT INTO glacier_archives (archive_id, checksum, created_at, updated_at, type, filename)
         VALUES ({file}, now(), now(), 'GlacierFileArchive', '9a41f');
         INSERT INTO application_data_backups_glacier_file_archives VALUES (1, 1)"
    ));
    let found = backups(&world.connect(), &GemTables::default()).await.unwrap();
    std::fs::create_dir(world.files()).unwrap();
    world.adopt(&found[0], Some(Tier::Bulk)).await;
    world.fake.clock().advance(Duration::from_secs(13 * 3600));
    world.fake.damage_archives();
    let done = world.adopt(&found[0], None).await;
    assert_eq!((done.fetched, done.placed, done.failed.len()), (0, 0, 1), "{done:?}");
    assert_eq!(std::fs::read_dir(world.files()).unwrap().count(), 0);
    assert_eq!(Connect::describe(&world.connect()), "damaged by the gem");
}
