//! Which backup is the last good one: selections, sources of one name, nothing at all, and sudden falls.

use std::sync::Arc;

use backup_core::source::{Identity, UNKNOWN};
use object_backup::list::{self, Filter, Found, Sought, State};
use object_backup::{
    Application, Backup, BackupOptions, BackupReport, CommandSource, NdjsonSource, NdjsonTarget, ObjectError,
    ObjectResult, Registry, Restore, RestoreOptions, Run, SqliteSource, Storable, Types, Wanted, Written,
};
use rusqlite::Connection;

use crate::world::World;

const FILES: [(&str, &str); 2] = [("users.json", "{\"id\": 1}\n{\"id\": 2}\n"), ("orders.json", "{\"id\": 7}\n")];

fn only(types: &[&str]) -> BackupOptions {
    let wanted = types.iter().map(|name| Wanted::parse(name)).collect();
    BackupOptions::new().types(Types::Only(wanted))
}

fn written(report: ObjectResult<BackupReport>) -> Written {
    match report.unwrap() {
        BackupReport::Written(written) => *written,
        skipped => panic!("{skipped:?}"),
    }
}

async fn latest(world: &World) -> ObjectResult<Found> {
    list::find(&*world.store, "latest").await
}

#[tokio::test]
async fn w1_a_selection_of_types_is_never_the_last_good_one() {
    let world = World::new().await;
    let records = || NdjsonSource::new(world.records("records", &FILES));
    let all = world.backup(records()).await;
    assert!(all.complete && all.left_out.is_empty());
    let some = written(world.try_backup(records(), &only(&["orders"])).await);
    assert_eq!((some.complete, some.left_out.clone(), some.fall.clone()), (false, vec!["users".to_owned()], None));
    let found = latest(&world).await.unwrap();
    assert_eq!((found.entry.key, found.passed_over), (all.key.clone(), vec![some.key.clone()]));
    let states: Vec<State> =
        list::list(&*world.store, &Filter::default()).await.unwrap().into_iter().map(|entry| entry.state).collect();
    assert_eq!(states, [State::Good, State::Partial]);

    // Everything that is there, each by its name, is everything.
    let named = written(world.try_backup(records(), &only(&["users", "orders"])).await);
    assert!(named.complete);
    assert_eq!(latest(&world).await.unwrap().entry.key, named.key);
    // A selection is compared with nothing: that its one type lost its records is for the whole backup to say.
    std::fs::write(world.path("records/users.json"), "").unwrap();
    let error = world.try_backup(NdjsonSource::new(world.path("records")), &BackupOptions::new()).await.unwrap_err();
    assert!(matches!(error, ObjectError::Emptied { .. }), "{error}");
    let some = written(world.try_backup(NdjsonSource::new(world.path("records")), &only(&["orders"])).await);
    assert!(!some.complete);
    let error = world.try_backup(NdjsonSource::new(world.path("records")), &only(&["users"])).await.unwrap_err();
    assert!(matches!(error, ObjectError::Nothing { .. }), "{error}");

    // By its key it can be had, and what it does not have is named.
    let error = world
        .restore(
            &some.key.to_string(),
            NdjsonTarget::new(world.path("x")),
            &RestoreOptions::default().types(vec![Wanted::parse("users")]),
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("which is partial, has no type `users"), "{error}");
    let done = world
        .restore(&some.key.to_string(), NdjsonTarget::new(world.path("x")), &RestoreOptions::default())
        .await
        .unwrap();
    assert_eq!((done.plan.state, done.plan.missing), (State::Partial, vec!["left out on request: users".to_owned()]));
}

#[tokio::test]
async fn w1_what_an_application_registers_is_all_it_has_and_what_goes_is_told() {
    struct User;
    struct Order;
    impl Storable for User {
        const TYPE: &'static str = "users";
        const TABLE: &'static str = "users";
    }
    impl Storable for Order {
        const TYPE: &'static str = "orders";
        const TABLE: &'static str = "orders";
    }
    let world = World::new().await;
    let records = world.records("records", &[FILES[0], FILES[1], ("sessions.json", "{\"id\": 1}\n")]);
    let mut types = Registry::new();
    types.add::<User>().unwrap();
    types.add::<Order>().unwrap();
    let application = |types: &Registry| BackupOptions::new().types(Types::Application(types.wanted()));
    let whole = written(world.try_backup(NdjsonSource::new(&records), &application(&types)).await);
    assert!(whole.complete && whole.left_out.is_empty(), "sessions are not the application's");
    assert_eq!(latest(&world).await.unwrap().entry.key, whole.key);
    let mut fewer = Registry::new();
    fewer.add::<User>().unwrap();
    let error = world.try_backup(NdjsonSource::new(&records), &application(&fewer)).await.unwrap_err();
    assert!(error.to_string().contains("`orders--orders` had 1"), "{error}");
    // The builder says the same.
    let location = world.path("location").display().to_string();
    let mut application = Application::builder("backup").location(location).build().unwrap();
    application.add::<User>().unwrap();
    let error = application.run(Arc::new(NdjsonSource::new(&records))).await.unwrap_err();
    assert!(matches!(error, ObjectError::Emptied { .. }), "{error}");
}

#[tokio::test]
async fn w2_two_folders_of_one_name_are_two_sources() {
    let world = World::new().await;
    let [one, two] = ["one", "two"].map(|name| NdjsonSource::new(world.records(name, &FILES)));
    let first = world.backup(one.clone()).await;
    // Less than the other has: nobody compares the two.
    world.records("two", &[("users.json", "{\"id\": 1}\n")]);
    std::fs::remove_file(world.path("two/orders.json")).unwrap();
    let strict = BackupOptions::new().max_shrink(0_u8);
    let second = written(world.try_backup(two.clone(), &strict).await);
    assert_eq!((second.sequence, second.fall), (2, None));
    let error = latest(&world).await.unwrap_err();
    let ObjectError::Usage { what, help } = &error else { panic!("{error}") };
    assert!(
        what.contains("2 sources") && what.contains("/one (newest") && help.to_string().contains("`source`"),
        "{what}; {help}"
    );
    for (source, key) in [(&one, &first.key), (&two, &second.key)] {
        let here = source.identity();
        let host = here.host.clone();
        for sought in [
            Sought::default().preferring(&here),
            Sought::default().of_source(here.id.as_str()),
            Sought::default().of_source(host.as_str()),
        ] {
            assert_eq!(list::find(&*world.store, sought).await.unwrap().entry.key, *key);
        }
        let filter = Filter::default().of_source(here.id);
        assert_eq!(list::list(&*world.store, &filter).await.unwrap().len(), 1);
    }
    let unknown = Sought::default().of_source(UNKNOWN);
    let error = list::find(&*world.store, unknown).await.unwrap_err();
    assert!(error.to_string().contains("comes from the source `unknown`"), "{error}");
    // A young backup of another source is nobody's.
    let young = BackupOptions::new().min_age(jiff::SignedDuration::from_hours(1));
    let third = NdjsonSource::new(world.records("three", &FILES));
    written(world.try_backup(third, &young).await);
    assert!(matches!(world.try_backup(one, &young).await.unwrap(), BackupReport::Skipped { .. }));
}

#[tokio::test]
async fn w2_a_plan_says_whether_a_backup_goes_back_to_where_it_came_from() {
    let world = World::new().await;
    world.backup(NdjsonSource::new(world.records("one", &FILES))).await;
    let found = latest(&world).await.unwrap();
    let of = found.entry.source.clone().unwrap();
    let other = Identity { id: "ndjson:elsewhere:/x".to_owned(), host: "elsewhere:/x".to_owned() };
    for (here, same) in [(Some(of), Some(true)), (Some(other), Some(false)), (None, None)] {
        let options = RestoreOptions::default().here(here);
        let target = std::sync::Arc::new(NdjsonTarget::new(world.path("out")));
        let restore = Restore::prepare(&world.store, &found, target, options, &Run::silent()).await.unwrap();
        assert_eq!(restore.plan().same_source, same);
    }
}

#[tokio::test]
async fn w3_nothing_is_backed_up_only_if_somebody_says_so() {
    let world = World::new().await;
    let database = |name: &str, sql: &str| {
        let path = world.path(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    std::fs::write(world.path("empty.db"), "").unwrap();
    std::fs::write(world.path("text.db"), "no database at all, and long enough to have a header of one".repeat(20))
        .unwrap();
    std::fs::create_dir(world.path("folder")).unwrap();
    let sources: [(Arc<dyn object_backup::Source>, &str); 6] = [
        (Arc::new(SqliteSource::new(world.path("empty.db"))), "there is no table with the columns"),
        (Arc::new(SqliteSource::new(database("none.db", "CREATE TABLE other (a)"))), "there is no table"),
        (Arc::new(SqliteSource::new(database("no.db", "CREATE TABLE t (id, value)"))), "no type has any records"),
        (Arc::new(NdjsonSource::new(world.path("folder"))), "there is no file of records"),
        (Arc::new(NdjsonSource::new(world.records("no", &[("t.json", "\n\n")]))), "no type has any records"),
        (Arc::new(NdjsonSource::new(world.records("notes", &[("note.txt", "x")]))), "there is no file of records"),
    ];
    let mut allowed = BackupOptions::new().allow_empty(true);
    for (number, (source, why)) in sources.into_iter().enumerate() {
        let (options, run) = (BackupOptions::new(), Run::silent());
        let prepared = async || Backup::prepare(&world.store, Arc::clone(&source), &options, &run).await.unwrap();
        let rehearsed = prepared().await.rehearse().await.unwrap_err();
        let error = prepared().await.run().await.unwrap_err();
        for error in [rehearsed, error] {
            assert!(matches!(&error, ObjectError::Nothing { what } if what.contains(why)), "{why}: {error}");
        }
        allowed.name = format!("allowed{number}");
        let prepared = async || Backup::prepare(&world.store, Arc::clone(&source), &allowed, &run).await.unwrap();
        prepared().await.rehearse().await.unwrap();
        written(prepared().await.run().await);
    }
    assert_eq!(list::list(&*world.store, &Filter::of("backup")).await.unwrap().len(), 0);
    // Whoever names these cannot mean them, whatever is allowed.
    let wrong: [(Arc<dyn object_backup::Source>, &str); 6] = [
        (Arc::new(SqliteSource::new(world.path("missing.db"))), "there is no SQLite database"),
        (Arc::new(SqliteSource::new(world.path("folder"))), "is a folder"),
        (Arc::new(SqliteSource::new("/dev/null")), "is not a file"),
        (Arc::new(SqliteSource::new(world.path("text.db"))), "is not a SQLite database"),
        (Arc::new(NdjsonSource::new(world.path("missing"))), "there is no folder"),
        (Arc::new(NdjsonSource::new(world.path("text.db"))), "is not a folder"),
    ];
    for (source, why) in wrong {
        let error = Backup::prepare(&world.store, source, &allowed, &Run::silent()).await.unwrap_err();
        assert!(matches!(&error, ObjectError::Usage { what, .. } if what.contains(why)), "{why}: {error}");
    }
    // A program that prints nothing is asked, and has nothing.
    let error = world.try_backup(CommandSource::new("true {type}").unwrap(), &only(&["t"])).await.unwrap_err();
    assert!(matches!(error, ObjectError::Nothing { .. }), "{error}");
}

#[tokio::test]
async fn w3_a_sudden_fall_is_told_or_refused() {
    let world = World::new().await;
    let lines = |count: u32| (0..count).map(|n| format!("{{\"id\": {n}}}\n")).collect::<String>();
    let records = |count| NdjsonSource::new(world.records("records", &[("t.json", &lines(count))]));
    let first = world.backup(records(1_000)).await;
    assert_eq!(world.backup(records(600)).await.fall, None, "less than half is gone");
    world.backup(records(1_000)).await;
    let strict = BackupOptions::new().max_shrink(50_u8);
    let error = world.try_backup(records(100), &strict).await.unwrap_err();
    let ObjectError::Shrunk { what } = &error else { panic!("{error}") };
    assert!(what.contains("100 records instead of 1,000") && what.contains("at most 50 %"), "{what}");
    assert_eq!(list::list(&*world.store, &Filter::default()).await.unwrap().len(), 3, "something was published");
    let fall = world.backup(records(100)).await.fall.unwrap();
    assert_eq!((fall.before.rows, fall.now.rows, fall.percent), (1_000, 100, 90));
    assert_ne!(fall.previous, first.key.to_string());
}
