//! There and back: SQLite, folders and programs; what is there already; what is not one moment.

use crate::world::{World, read_folder};
use jiff::SignedDuration;
use object_backup::list::Filter;
use object_backup::{
    BackupOptions, BackupReport, CommandSource, NdjsonSource, NdjsonTarget, ObjectError, OnConflict, RestoreOptions,
    SqliteSource, SqliteTarget, Types, Wanted,
};
use rusqlite::Connection;

const USERS: &str =
    "{\"id\": \"1\", \"name\": \"Zoë\"}\n{\"id\": \"2\", \"name\": null, \"x\": [1180591620717411303424, NaN]}\n";

fn rule(on_conflict: OnConflict) -> RestoreOptions {
    RestoreOptions::default().on_conflict(on_conflict)
}

/// A database in gludb's form: two records, an index, and a table of another form.
fn database(world: &World) -> std::path::PathBuf {
    let path = world.path("app.db");
    let connection = Connection::open(&path).unwrap();
    let sql = "CREATE TABLE users (id text primary key, value text, name text, shout text); \
        CREATE INDEX users_name_idx ON users (name); CREATE TABLE other (a, b); CREATE TABLE empty (id text, value text); \
        INSERT INTO users VALUES ('b', '{\"id\": \"b\", \"name\": \"Zoë\"}', 'Zoë', 'ZOË'), \
        ('a', '{\n \"id\": \"a\"\r\n}', NULL, NULL);";
    connection.execute_batch(sql).unwrap();
    path
}

fn rows(path: &std::path::Path, query: &str) -> Vec<Vec<Option<String>>> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let count = statement.column_count();
    let rows = statement.query_map([], |row| (0..count).map(|at| row.get(at)).collect()).unwrap();
    rows.map(|row| row.unwrap()).collect()
}

#[tokio::test]
async fn sqlite_there_and_back_with_its_indexes_and_unchanged() {
    let world = World::new().await;
    let path = database(&world);
    let before = std::fs::read(&path).unwrap();
    let written = world.backup(SqliteSource::new(&path)).await;
    assert_eq!(std::fs::read(&path).unwrap(), before, "the source");
    assert_eq!((written.records, written.types.len()), (2, 2));

    let copy = world.path("copy.db");
    world.restore("latest", SqliteTarget::new(&copy), &RestoreOptions::default()).await.unwrap();
    let found = rows(&copy, "SELECT id, value, name, shout FROM users ORDER BY rowid");
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        found,
        [
            vec![some("b"), some("{\"id\": \"b\", \"name\": \"Zoë\"}"), some("Zoë"), None],
            vec![some("a"), some("{  \"id\": \"a\"  }"), None, None],
        ]
    );
    let indexes = rows(&copy, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql NOTNULL ORDER BY name");
    assert_eq!(indexes, [[some("users_name_idx")], [some("users_shout_idx")]]);
    assert!(rows(&copy, "SELECT * FROM empty").is_empty());
    let there: Vec<String> = std::fs::read_dir(world.folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!there.iter().any(|name| name.starts_with(".lastgood")), "{there:?}");
}

#[tokio::test]
async fn o5_the_same_records_give_the_same_tarball() {
    let world = World::new().await;
    let records = world.records("records", &[("User--users.json", USERS), ("b.ndjson", "")]);
    let first = world.backup(NdjsonSource::new(&records)).await;
    let second = world.backup(NdjsonSource::new(&records)).await;
    assert_eq!((first.stored_sha256, first.stored_bytes), (second.stored_sha256, second.stored_bytes));
    assert_ne!(first.key, second.key);
    assert_eq!((first.sequence, second.sequence), (1, 2));
}

#[tokio::test]
async fn o3_records_come_back_byte_for_byte_or_are_refused_with_their_id() {
    let world = World::new().await;
    let long = format!("{{\"id\": \"long\", \"x\": \"{}\\u0000\"}}\n", "ü".repeat(700_000));
    let twice = "{\"id\": \"1\"}\n{\"id\": \"1\"}\n";
    let records = world.records("records", &[("User--users.json", USERS), ("long.json", &long), ("twice.json", twice)]);
    let error = world.try_backup(NdjsonSource::new(&records), &BackupOptions::new()).await.unwrap_err();
    assert!(error.to_string().starts_with("line 2 of `twice--twice` cannot be backed up: its id \"1\""), "{error}");
    std::fs::remove_file(records.join("twice.json")).unwrap();
    world.backup(NdjsonSource::new(&records)).await;
    let files = world.files("latest", "copy").await;
    assert_eq!(files["User--users.json"], USERS.as_bytes());
    assert_eq!(files["long--long.json"], long.as_bytes());
    let database = world.path("copy.db");
    let key = world.plant_records("Twice--twice.json", twice).await;
    let error = world.restore(key, SqliteTarget::new(&database), &RestoreOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("the backup itself has the id `1` twice in `Twice--twice`"), "{error}");
    assert!(!database.exists());

    for (bad, what) in [
        (&b"{\"id\": \"bad\", \"x\": \"\xff\"}"[..], "the record `bad`"),
        (b"{\"id\": \"bad\", \"x\": \"\0\"}", "the record `bad`"),
        (b"{\"x\": 1}", "record 2"),
    ] {
        std::fs::write(records.join("twice.json"), [b"{\"id\": \"1\"}\n", bad, b"\n"].concat()).unwrap();
        let error = world.try_backup(NdjsonSource::new(&records), &BackupOptions::new()).await.unwrap_err();
        assert!(matches!(&error, ObjectError::Record { record, .. } if record == what), "{error}");
    }
}

#[tokio::test]
async fn a_column_that_contradicts_its_record_is_refused() {
    let world = World::new().await;
    let path = database(&world);
    Connection::open(&path).unwrap().execute("UPDATE users SET id = 'other' WHERE id = 'a'", []).unwrap();
    let error = world.try_backup(SqliteSource::new(&path), &BackupOptions::new()).await.unwrap_err();
    assert!(error.to_string().contains("the record `other` of `users--users`"), "{error}");
}

#[tokio::test]
async fn large_types_are_read_twice_and_restored_whole() {
    let world = World::new().await;
    let many: String =
        (0..80_000).map(|n| format!("{{\"id\": \"{n}\", \"text\": \"{:0>100}\"}}\n", n * 7919)).collect();
    assert!(many.len() > 8 * 1024 * 1024);
    let records =
        world.records("records", &[("a.json", "{\"id\": 1}\n"), ("many.json", &many), ("z.json", "{\"id\": 2}")]);
    let written = world.backup(NdjsonSource::new(&records)).await;
    assert_eq!(written.records, 80_002);
    let files = world.files("latest", "copy").await;
    assert!(files["many--many.json"] == many.as_bytes());
    assert_eq!(files["z--z.json"], b"{\"id\": 2}\n");

    // A program that counts its runs prints something else each time.
    let script = world.path("count.sh");
    let counter = world.path("runs");
    let line = format!(
        "echo x >> {0}; cat {1}; echo \"{{\\\"id\\\": \\\"run-$(printf '%0*d' $(wc -l < {0}) 0)\\\"}}\"",
        counter.display(),
        records.join("many.json").display()
    );
    std::fs::write(&script, line).unwrap();
    let source = CommandSource::new(&format!("sh {} {{type}}", script.display())).unwrap();
    let options = BackupOptions::new().types(Types::Only(vec![Wanted::parse("many")]));
    let error = world.try_backup(source, &options).await.unwrap_err();
    assert!(matches!(error, ObjectError::Changed { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(counter).unwrap(), "x\nx\n");
}

#[tokio::test]
async fn o1_what_cannot_be_read_is_left_out_only_if_allowed() {
    let world = World::new().await;
    let source = || CommandSource::new("sh -c 'echo \"{\\\"id\\\": 1}\"; test $0 != bad' {type}").unwrap();
    let types = vec![Wanted::parse("good"), Wanted::parse("bad")];
    let mut options = BackupOptions::new().types(Types::Only(types));
    let error = world.try_backup(source(), &options).await.unwrap_err();
    assert!(matches!(error, ObjectError::Command { .. }), "{error}");
    assert!(object_backup::list::list(&*world.store, &Filter::default()).await.unwrap().is_empty());

    options.allow_partial = true;
    let BackupReport::Written(written) = world.try_backup(source(), &options).await.unwrap() else { panic!("skipped") };
    assert_eq!((written.records, written.failed.len()), (1, 1));
    let error = object_backup::list::find(&*world.store, "latest").await.unwrap_err();
    assert!(
        matches!(error, ObjectError::NotComplete { others: 1, .. }),
        "a partial backup counted as the last good one: {error}"
    );
    let files = world.files(&written.key.to_string(), "copy").await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["good--good.json"]);
}

#[tokio::test]
async fn o2_what_lost_its_records_is_published_only_if_allowed() {
    let world = World::new().await;
    let records = world.records("records", &[("users.json", USERS)]);
    world.backup(NdjsonSource::new(&records)).await;
    std::fs::write(records.join("users.json"), "").unwrap();
    let mut options = BackupOptions::new();
    let error = world.try_backup(NdjsonSource::new(&records), &options).await.unwrap_err();
    assert!(error.to_string().contains("`users--users` had 2"), "{error}");
    assert_eq!(object_backup::list::list(&*world.store, &Filter::default()).await.unwrap().len(), 1);
    options.allow_empty = true;
    world.try_backup(NdjsonSource::new(&records), &options).await.unwrap();
}

#[tokio::test]
async fn a_young_backup_is_enough() {
    let world = World::new().await;
    let records = world.records("records", &[("users.json", USERS)]);
    let first = world.backup(NdjsonSource::new(&records)).await;
    let options = BackupOptions::new().min_age(SignedDuration::from_hours(1));
    match world.try_backup(NdjsonSource::new(&records), &options).await.unwrap() {
        BackupReport::Skipped { newest, .. } => assert_eq!(newest, first.key),
        written => panic!("{written:?}"),
    }
}

#[tokio::test]
async fn records_that_are_there_fail_stay_or_are_replaced_in_sqlite() {
    let world = World::new().await;
    let records = world.records("records", &[("users.json", USERS)]);
    world.backup(NdjsonSource::new(&records)).await;
    let fresh = |name: &str| {
        let path = world.path(name);
        let sql = "CREATE TABLE users (id text primary key, value text, name text); \
            INSERT INTO users VALUES ('2', 'old', 'old'), ('3', 'kept', NULL);";
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    let query = "SELECT id, CASE WHEN value IN ('old', 'kept') THEN value ELSE 'new' END, name FROM users ORDER BY id";
    let found = |path| {
        rows(path, query)
            .iter()
            .map(|row| row.iter().flatten().cloned().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };

    let path = fresh("fail.db");
    let error = world.restore("latest", SqliteTarget::new(&path), &rule(OnConflict::Fail)).await.unwrap_err();
    assert!(matches!(error, ObjectError::Conflict { .. }), "{error}");
    assert_eq!(found(&path), ["2 old old", "3 kept"], "after a conflict");

    let path = fresh("skip.db");
    let done = world.restore("latest", SqliteTarget::new(&path), &rule(OnConflict::Skip)).await.unwrap();
    assert_eq!((done.loaded[0].loaded.inserted, done.loaded[0].loaded.skipped), (1, 1));
    assert_eq!(found(&path), ["1 new Zoë", "2 old old", "3 kept"]);

    let path = fresh("replace.db");
    let done = world.restore("latest", SqliteTarget::new(&path), &rule(OnConflict::Replace)).await.unwrap();
    assert_eq!((done.loaded[0].loaded.inserted, done.loaded[0].loaded.replaced), (1, 1));
    assert_eq!(found(&path), ["1 new Zoë", "2 new", "3 kept"]);
}

#[tokio::test]
async fn files_that_are_there_fail_stay_or_are_replaced_in_a_folder() {
    let world = World::new().await;
    let records = world.records("records", &[("a.json", "{\"id\": 1}\n"), ("b.json", "{\"id\": 2}\n")]);
    world.backup(NdjsonSource::new(&records)).await;
    let old = [("a--a.json", "old"), ("note.txt", "kept")];
    let states = |path: &std::path::Path| {
        let files = read_folder(path).into_iter();
        files.map(|(name, bytes)| format!("{name} {}", String::from_utf8(bytes).unwrap().trim())).collect::<Vec<_>>()
    };
    for (rule_name, on_conflict, a) in
        [("skip", OnConflict::Skip, "old"), ("replace", OnConflict::Replace, "{\"id\": 1}")]
    {
        let path = world.records(rule_name, &old);
        world.restore("latest", NdjsonTarget::new(&path), &rule(on_conflict)).await.unwrap();
        assert_eq!(
            states(&path),
            [format!("a--a.json {a}"), "b--b.json {\"id\": 2}".to_owned(), "note.txt kept".to_owned()]
        );
    }
    let path = world.records("fail", &old);
    let error = world.restore("latest", NdjsonTarget::new(&path), &rule(OnConflict::Fail)).await.unwrap_err();
    assert!(matches!(error, ObjectError::Conflict { .. }), "{error}");
    assert_eq!(states(&path), ["a--a.json old", "note.txt kept"]);
    std::fs::create_dir(path.join("inner")).unwrap();
    assert!(world.restore("latest", NdjsonTarget::new(&path), &rule(OnConflict::Replace)).await.is_err());
}
