//! PostgreSQL there and back: one moment, indexes, conflicts, odd names and values, nothing half done.

use std::sync::Arc;

use backup_testkit::postgres::Cluster;
use object_backup::ports::{Configured, Connect};
use object_backup::{
    BackupOptions, ObjectError, OnConflict, PostgresSource, PostgresTarget, RestoreOptions, SqliteSource, SqliteTarget,
};
use tokio_postgres::NoTls;

use crate::world::World;

/// A new, empty database, and the way to it.
fn database(name: &str) -> Arc<dyn Connect> {
    let cluster = Cluster::shared();
    cluster.create_database(name).unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host_path(cluster.socket_dir()).port(cluster.port()).user(cluster.superuser());
    config.password(cluster.password()).dbname(name);
    Arc::new(Configured::new(config, NoTls))
}

fn psql(database: &str, sql: &str) -> String {
    Cluster::shared().psql(database, sql).unwrap()
}

fn rule(on_conflict: OnConflict) -> RestoreOptions {
    RestoreOptions::default().on_conflict(on_conflict)
}

const TABLES: &str = r#"
    CREATE TABLE users (id text PRIMARY KEY, value json, name text, shout text);
    CREATE INDEX ON users (name);
    INSERT INTO users VALUES ('b', '{"id": "b", "name": "Zoë \\ \t"}', E'Zoë \\ \t', 'ZOË'),
        ('a', '{ "id" : "a",
 "x": "\ud83d \u0000" }', NULL, NULL);
    CREATE TABLE "Odd ""name" (id bigint PRIMARY KEY, value jsonb);
    INSERT INTO "Odd ""name" VALUES (7, '{"id": 7}');
    CREATE TABLE empty (id text, value text);
    CREATE TABLE other (a int);
"#;

#[tokio::test]
async fn postgres_there_and_back_with_its_indexes_and_unchanged() {
    let world = World::new().await;
    let (from, to) = (database("object_from"), database("object_to"));
    psql("object_from", TABLES);
    let written = world.backup(PostgresSource::new(from)).await;
    assert_eq!((written.records, written.types.len()), (3, 3));
    world.restore("latest", PostgresTarget::new(to.clone()), &RestoreOptions::default()).await.unwrap();
    let rows = "SELECT id, replace(value::text, E'\\n', ' '), name, shout FROM users ORDER BY id";
    // `\u0000` cannot be looked at as a text, so that nothing is known of the columns: they stay empty.
    let restored = psql("object_to", rows);
    assert_eq!(restored, psql("object_from", &rows.replace("name, shout", "NULL, NULL")));
    assert_eq!(psql("object_to", r#"SELECT id || value::text FROM "Odd ""name""#).trim(), r#"7{"id": 7}"#);
    let again = world.backup(PostgresSource::new(to)).await;
    assert_eq!(again.stored_sha256, written.stored_sha256, "the tarball of what was restored");
}

#[tokio::test]
async fn indexes_are_filled_and_sqlite_and_postgres_exchange_records() {
    let world = World::new().await;
    let (from, to) = (database("object_index"), database("object_index_to"));
    psql(
        "object_index",
        "CREATE TABLE users (id text PRIMARY KEY, value jsonb, name text, age text);
        INSERT INTO users VALUES ('1', '{\"id\": \"1\", \"name\": \"Zoë\", \"age\": 3}', 'Zoë', '3')",
    );
    world.backup(PostgresSource::new(from)).await;
    let file = world.path("app.db");
    world.restore("latest", SqliteTarget::new(&file), &RestoreOptions::default()).await.unwrap();
    let of_file = world.backup(SqliteSource::new(&file)).await.key.to_string();
    world.restore(&of_file, PostgresTarget::new(to), &RestoreOptions::default()).await.unwrap();
    assert_eq!(psql("object_index_to", "SELECT id, name, age FROM users").trim(), "1|Zoë|3");
    let indexes = psql("object_index_to", "SELECT count(*) FROM pg_indexes WHERE tablename = 'users'");
    assert_eq!(indexes.trim(), "3");
}

#[tokio::test]
async fn what_is_written_meanwhile_is_not_seen() {
    use object_backup::Source;
    let to = database("object_moment");
    psql(
        "object_moment",
        "CREATE TABLE users (id text, value json); INSERT INTO users VALUES ('1', '{\"id\": \"1\"}')",
    );
    let source = PostgresSource::new(to);
    let reading = tokio::task::spawn_blocking(move || {
        let mut view = source.open(&tokio_util::sync::CancellationToken::new()).unwrap();
        psql("object_moment", "INSERT INTO users VALUES ('2', '{\"id\": \"2\"}'); DROP TABLE IF EXISTS nothing");
        let key = object_backup::TypeKey::new("users", "users").unwrap();
        let mut ids = Vec::new();
        for _ in 0..2 {
            let mut take = |id: Option<&str>, _: &[u8]| {
                ids.push(id.unwrap().to_owned());
                Ok(())
            };
            view.read(&key, &mut take).unwrap();
        }
        (ids, view.size(&key).unwrap().unwrap().records)
    });
    assert_eq!(reading.await.unwrap(), (vec!["1".to_owned(), "1".to_owned()], 1));
}

#[tokio::test]
async fn records_that_are_there_fail_stay_or_are_replaced() {
    let world = World::new().await;
    let lines = "{\"id\": \"1\", \"name\": \"new\"}\n{\"id\": \"2\", \"name\": \"new\"}\n";
    let records = world.records("records", &[("users.json", lines), ("zoo.json", "{\"id\": \"z\"}\n")]);
    world.backup(object_backup::NdjsonSource::new(&records)).await;
    let rows = "SELECT string_agg(id || ' ' || name, ', ' ORDER BY id) FROM users";
    for (name, on_conflict, wanted) in [
        ("object_fail", OnConflict::Fail, "2 old, 3 kept"),
        ("object_skip", OnConflict::Skip, "1 new, 2 old, 3 kept"),
        ("object_replace", OnConflict::Replace, "1 new, 2 new, 3 kept"),
    ] {
        let to = database(name);
        psql(
            name,
            "CREATE TABLE users (id text, value jsonb, name text); \
            INSERT INTO users VALUES ('2', '{\"id\": \"2\"}', 'old'), ('3', '{\"id\": \"3\"}', 'kept')",
        );
        match world.restore("latest", PostgresTarget::new(to), &rule(on_conflict)).await {
            Err(error) => {
                assert!(error.to_string().contains("`users` already has a record `2`"), "{error}");
                assert_eq!(on_conflict, OnConflict::Fail);
                assert_eq!(psql(name, "SELECT to_regclass('zoo') IS NULL").trim(), "t", "a part was restored");
            }
            Ok(done) => {
                let loaded = done.loaded[0].loaded;
                assert_eq!((loaded.inserted, loaded.skipped + loaded.replaced), (1, 1), "{on_conflict}");
            }
        }
        assert_eq!(psql(name, rows).trim(), wanted, "{on_conflict}");
    }
}

#[tokio::test]
async fn records_the_database_cannot_hold_leave_it_as_it_was() {
    let world = World::new().await;
    let records = world.records("records", &[("a.json", "{\"id\": 1}\n"), ("b.json", "{\"id\": 1, \"x\": NaN}\n")]);
    world.backup(object_backup::NdjsonSource::new(&records)).await;
    let to = database("object_nan");
    let error = world.restore("latest", PostgresTarget::new(to.clone()), &RestoreOptions::default()).await.unwrap_err();
    let ObjectError::Target { what, source, .. } = &error else { panic!("{error}") };
    assert!(what == "object_nan: b" && source.to_string().contains("NaN"), "{what}: {source}");
    assert_eq!(psql("object_nan", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").trim(), "0");
    // A column of text takes what Python wrote.
    psql("object_nan", "CREATE TABLE b (id text, value text)");
    world.restore("latest", PostgresTarget::new(to), &RestoreOptions::default()).await.unwrap();
    assert_eq!(psql("object_nan", "SELECT value FROM b").trim(), "{\"id\": 1, \"x\": NaN}");
}

#[tokio::test]
async fn a_null_value_is_refused_with_its_id_and_one_id_twice_is_a_conflict() {
    let world = World::new().await;
    let at = database("object_null");
    psql("object_null", "CREATE TABLE users (id text, value json); INSERT INTO users VALUES ('n', NULL)");
    let error = world.try_backup(PostgresSource::new(at.clone()), &BackupOptions::new()).await.unwrap_err();
    assert!(error.to_string().contains("the record `n` of `users--users`"), "{error}");
    let key = world.plant_records("Twice--twice.json", "{\"id\": 1}\n{\"id\": 1, \"x\": 2}\n").await;
    let error = world.restore(key, PostgresTarget::new(at.clone()), &RestoreOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("the backup itself has the id `1` twice"), "{error}");
    world.restore(key, PostgresTarget::new(at), &rule(OnConflict::Replace)).await.unwrap();
    assert_eq!(psql("object_null", "SELECT value FROM twice").trim(), "{\"id\": 1, \"x\": 2}");
}
