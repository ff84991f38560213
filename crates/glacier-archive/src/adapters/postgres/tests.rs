//! The contract of catalogues on a real server, and what only this one has to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use backup_testkit::postgres::Cluster;
use proptest::prelude::*;
use tokio_postgres::{Config, NoTls};

use super::*;
use crate::GlacierError;
use crate::adapters::contract::{self, Model, archive, file, key, write};

/// A database of its own.
fn database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("catalogue_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    Cluster::shared().create_database(&name).unwrap();
    name
}

fn connect(database: &str) -> Arc<dyn Connect> {
    let cluster = Cluster::shared();
    let mut config = Config::new();
    config.host(cluster.host()).port(cluster.port()).dbname(database);
    config.user(cluster.superuser()).password(cluster.password());
    Arc::new(Configured::new(config, NoTls))
}

fn opened(database: &str, owner: &str) -> PostgresCatalogue {
    PostgresCatalogue::open(connect(database), Tables::default(), owner).unwrap()
}

#[test]
fn it_keeps_the_contract_of_catalogues() {
    let database = database();
    let open = |owner: &'static str| {
        let database = database.clone();
        move || Box::new(opened(&database, owner)) as Box<dyn Catalogue>
    };
    contract::what_is_written_is_read_back(&open("1"));
    contract::what_is_known_of_a_vault_outlives_an_archive(&open("2"));
    contract::an_archive_and_its_files_are_noted_together_or_not_at_all(&open("3"));
    assert_eq!(opened(&database, "1").archives().unwrap().len(), 1, "others' rows are others'");
}

#[test]
fn it_is_asked_from_within_a_runtime() {
    let database = database();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { opened(&database, "x").add(Some(&archive(1, None)), &[file("a", Some(1))]).unwrap() });
    assert_eq!(opened(&database, "x").files().unwrap().len(), 1);
}

#[test]
fn a_connection_that_is_lost_is_made_again() {
    let database = database();
    let catalogue = opened(&database, "x");
    catalogue.add(Some(&archive(1, None)), &[]).unwrap();
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
    for number in 2..5 {
        Cluster::shared().psql("postgres", &end).unwrap();
        catalogue.add(Some(&archive(number, None)), &[file(&number.to_string(), Some(number))]).unwrap();
    }
    assert_eq!((catalogue.archives().unwrap().len(), catalogue.files().unwrap().len()), (4, 3));
}

#[test]
fn tables_of_others_are_left_alone_and_names_can_be_chosen() {
    let database = database();
    // As GlacierOnRails has it.
    Cluster::shared().psql(&database, "CREATE TABLE glacier_archives (id serial, archive_id text)").unwrap();
    let refused = PostgresCatalogue::open(connect(&database), Tables::default(), "x").unwrap_err();
    assert!(matches!(&refused, GlacierError::Usage { what, .. } if what.contains("glacier_archives")), "{refused}");
    Cluster::shared().psql(&database, "CREATE SCHEMA \"B \"\"1\"\"\"").unwrap();
    let tables = Tables { schema: "B \"1\"".to_owned(), prefix: "our ".to_owned() };
    let catalogue = PostgresCatalogue::open(connect(&database), tables.clone(), "x").unwrap();
    catalogue.add(Some(&archive(1, None)), &[file("a", Some(1))]).unwrap();
    catalogue.keep_leaves(&key(1), &[Sha256Digest::of(b"a")]).unwrap();
    let count = Cluster::shared().psql(&database, "SELECT count(*) FROM \"B \"\"1\"\"\".\"our archives\"").unwrap();
    assert_eq!(count, "1");
    assert!(tables.names().contains(&("B \"1\"".to_owned(), "our files".to_owned())));
    Cluster::shared().psql(&database, "UPDATE \"B \"\"1\"\"\".\"our format\" SET format = 9").unwrap();
    let newer = PostgresCatalogue::open(connect(&database), tables, "x").unwrap_err();
    assert!(matches!(newer, GlacierError::NewerCatalogue { found: 9, .. }), "{newer}");
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let mut config = Config::new();
    config.host("127.0.0.1").port(1).dbname("x").user("x");
    let refused =
        PostgresCatalogue::open(Arc::new(Configured::new(config, NoTls)), Tables::default(), "x").unwrap_err();
    assert!(matches!(&refused, GlacierError::Catalogue { action: "open", path, .. } if path == "x"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Another process sees after each write exactly what was written.
    #[test]
    fn whatever_is_written_the_next_process_finds(writes in proptest::collection::vec(write(), 1..10)) {
        let database = database();
        let catalogue = opened(&database, "x");
        let mut model = Model::default();
        for (at, write) in writes.iter().enumerate() {
            model.write(&catalogue, write, at);
            model.check(&opened(&database, "x"));
        }
    }
}
