//! Tests of listing and finding dumps, on a store in memory.

use backup_core::manifest::Outcome;
use backup_core::store::fs::FsStore;
use backup_core::store::memory::MemoryStore;
use backup_core::store::{PutMode, PutOptions, StoreWrite};
use bytes::Bytes;

use super::*;
use crate::error::PgError;
use crate::test_dump::{SHOP, TestDump, overwrite};

async fn put(store: &MemoryStore, key: &str, body: &'static [u8]) {
    let key = Key::new(key).unwrap();
    store.put(&key, Bytes::from_static(body), &PutOptions::new(PutMode::Create)).await.unwrap();
}

/// Three good dumps of `shop`, a partial one after them, and one of `we/ird`.
async fn store() -> (MemoryStore, Vec<String>) {
    let store = MemoryStore::new();
    let mut keys = Vec::new();
    for day in 1..=3 {
        let dump = TestDump::new("shop", &format!("2026-11-0{day}T03:00:00Z"), SHOP).with_sequence(day);
        keys.push(dump.publish(&store).await);
    }
    let partial = TestDump::new("shop", "2026-11-04T03:00:00Z", SHOP).with_sequence(4);
    keys.push(partial.with_outcome(Outcome::Partial).publish(&store).await);
    keys.push(TestDump::new("we/ird 100%", "2026-11-05T03:00:00Z", &[]).publish(&store).await);
    (store, keys)
}

fn states(listed: &[Listed]) -> Vec<State> {
    listed.iter().map(|dump| dump.state).collect()
}

async fn found(store: &MemoryStore, wanted: &str) -> String {
    find(store, wanted).await.unwrap().key().to_owned()
}

async fn refused(store: &MemoryStore, wanted: &str) -> PgError {
    find(store, wanted).await.expect_err(wanted)
}

#[tokio::test]
async fn dumps_are_listed_newest_last_with_what_is_in_them() {
    let (store, keys) = store().await;
    let listed = list(&store, &Filter::default()).await.unwrap();
    assert_eq!(listed.iter().map(|dump| dump.key.clone()).collect::<Vec<_>>(), keys);
    assert_eq!(states(&listed), [State::Good, State::Good, State::Good, State::Partial, State::Good]);
    assert_eq!((listed[0].tables, listed[0].rows, &*listed[0].config), (Some(2), Some(5), "nightly"));
    assert!(listed[0].stored_bytes > Some(0) && listed[0].content_bytes > Some(0));
    let weird = list(&store, &Filter::of("we/ird 100%")).await.unwrap();
    assert_eq!((weird.len(), &*weird[0].database), (1, "we/ird 100%"));
    assert_eq!(list(&store, &Filter::of("nothing")).await.unwrap(), []);
    assert_eq!(database_names(&store).await.unwrap(), ["shop", "we/ird 100%"]);
}

#[tokio::test]
async fn c2_interrupted_runs_are_not_listed() {
    let store = MemoryStore::new();
    TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP).store_objects(&store).await;
    assert_eq!(list(&store, &Filter::default()).await.unwrap(), []);
    assert_eq!(database_names(&store).await.unwrap(), Vec::<String>::new());
    assert!(matches!(refused(&store, "shop").await, PgError::NoDump { databases, .. } if databases.is_empty()));
}

#[tokio::test]
async fn a_database_that_is_mistyped_is_told_which_have_dumps() {
    let (store, _) = store().await;
    let PgError::NoDump { databases, .. } = refused(&store, "shp").await else { panic!("another error") };
    assert!(databases.contains(&"shop".to_owned()), "{databases:?}");
    assert!(matches!(refused(&store, "shop/none").await, PgError::NoDump { databases, .. } if databases.is_empty()));
}

#[tokio::test]
async fn c7_c8_unusable_manifests_are_listed_with_their_fault_and_never_the_latest() {
    let (store, keys) = store().await;
    let damaged = TestDump::new("shop", "2026-11-06T03:00:00Z", SHOP).with_sequence(6);
    damaged.publish(&store).await;
    let manifest = damaged.key.manifest().unwrap();
    let text = String::from_utf8(damaged.manifest.to_bytes().unwrap().to_vec()).unwrap();
    overwrite(&store, &manifest, text.replace("nightly", "hourly!")).await;
    put(&store, "pg/shop/2026-11-07-03-00-00-000000.nightly.dump/manifest.json", b"{\"format\":2}").await;

    let listed = list(&store, &Filter::of("shop")).await.unwrap();
    assert_eq!(states(&listed)[4..], [State::Damaged, State::Newer]);
    assert!(listed[4].fault.as_ref().unwrap().contains("does not match its own digest"));
    assert!(listed[5].fault.as_ref().unwrap().contains("format 2"));
    assert_eq!(found(&store, "shop").await, keys[2]);
    for key in [damaged.key.to_string(), "shop/2026-11-07-03-00-00-000000.nightly.dump".to_owned()] {
        assert!(matches!(refused(&store, &key).await, PgError::Format(_)));
    }
}

#[tokio::test]
async fn dumps_are_found_by_database_count_key_and_beginning() {
    let (store, keys) = store().await;
    assert_eq!(found(&store, "shop").await, keys[2], "the newest good one, not the partial one");
    assert_eq!(found(&store, "shop~0").await, keys[2]);
    assert_eq!(found(&store, "shop~2").await, keys[0]);
    assert_eq!(found(&store, "we/ird 100%").await, keys[4]);
    assert_eq!(found(&store, &keys[3]).await, keys[3], "a partial one by its key");
    assert_eq!(found(&store, &format!("pg/{}/", keys[1])).await, keys[1]);
    assert_eq!(found(&store, "we/ird 100%/2026-11-05-03-00-00-000000.nightly.dump").await, keys[4]);
    assert_eq!(found(&store, "shop/2026-11-02").await, keys[1]);
    assert_eq!(find(&store, "we%2Fird").await.unwrap().database(), "we/ird 100%");

    let error = refused(&store, "shop/2026-11").await.to_string();
    assert!(error.contains("matches 4 dumps") && keys[..4].iter().all(|key| error.contains(key)), "{error}");
    let error = refused(&store, "shop~3").await.to_string();
    assert!(error.contains("has only 3 complete"), "{error}");
    for nothing in ["", "nothing", "shop/2026-12", "shop/2026-11-09-03-00-00-000000.nightly.dump", "~1"] {
        assert!(matches!(refused(&store, nothing).await, PgError::NoDump { .. }), "{nothing}");
    }
    for (mistyped, expected) in [
        ("shop@yesterday", "`yesterday` is not a time"),
        ("shop@2026-11-02", "not a time"),
        ("shop~-1", "not a number"),
    ] {
        let error = refused(&store, mistyped).await;
        assert!(matches!(&error, PgError::Usage { what, .. } if what.contains(expected)), "{error}");
    }
    assert!(matches!(refused(&store, "nothing@yesterday").await, PgError::NoDump { .. }));
    for (no_key, position) in [("\u{7}", 0), ("shop/../x", 5), ("shop//x", 5)] {
        let error = refused(&store, no_key).await.to_string();
        assert!(error.contains(&format!("at byte {position}")), "{error}");
    }
}

#[tokio::test]
async fn how_a_database_was_at_a_moment_is_its_newest_complete_dump_from_then_or_before() {
    let (store, keys) = store().await;
    put(&store, "old/2026-11-01-00-00-00-000000.default.dump", b"PGDMP").await;
    for (moment, expected) in [
        ("2026-11-02T03:00:00Z", &keys[1]),
        ("2026-11-03T02:59:59Z", &keys[1]),
        ("2026-11-02T04:00:00+01:00", &keys[1]),
        ("2026-11-30T00:00:00Z", &keys[2]),
    ] {
        assert_eq!(found(&store, &format!("shop@{moment}")).await, *expected, "{moment}");
        let typed = Selector::at("shop", moment.parse().unwrap());
        assert_eq!(find(&store, typed).await.unwrap().key(), expected, "{moment}");
    }
    assert_eq!(found(&store, "old@2026-11-01T00:00:00Z").await, "old/2026-11-01-00-00-00-000000.default.dump");
    for database in ["shop", "old"] {
        let error = refused(&store, &format!("{database}@2026-10-31T23:59:59Z")).await;
        assert!(matches!(&error, PgError::NoDumpSoEarly { oldest, .. } if oldest.starts_with(database)), "{error}");
    }
    assert!(matches!(refused(&store, "blog@2026-11-02T03:00:00Z").await, PgError::NoDump { .. }));
}

#[tokio::test]
async fn a_typed_selector_means_one_thing_only() {
    let (store, keys) = store().await;
    let found = async |selector: Selector| find(&store, selector).await.map(|found| found.key().to_owned());
    assert_eq!(found(Selector::latest("shop")).await.unwrap(), keys[2]);
    assert_eq!(found(Selector::Latest { database: "shop".into(), back: 2 }).await.unwrap(), keys[0]);
    assert_eq!(found(Selector::key(&*keys[3])).await.unwrap(), keys[3]);
    for none in [Selector::key("shop"), Selector::key("shop/2026-11-02"), Selector::latest("shop~1")] {
        assert!(matches!(found(none).await.unwrap_err(), PgError::NoDump { .. }));
    }
}

#[tokio::test]
async fn a_database_named_like_a_count_is_a_database() {
    let (store, keys) = store().await;
    let odd = TestDump::new("shop~2", "2026-11-01T03:00:00Z", SHOP).publish(&store).await;
    assert_eq!(found(&store, "shop~2").await, odd);
    assert_eq!(found(&store, "shop~1").await, keys[1]);
}

#[tokio::test]
async fn a_database_without_a_good_dump_says_so() {
    let store = MemoryStore::new();
    let partial = TestDump::new("shop", "2026-11-04T03:00:00Z", SHOP).with_outcome(Outcome::Partial);
    partial.publish(&store).await;
    let error = refused(&store, "shop").await.to_string();
    assert_eq!(error, "`shop` has no complete dump in mem:, only 1 partial or damaged");
}

#[tokio::test]
async fn single_file_dumps_are_listed_and_found_after_ours() {
    let (store, keys) = store().await;
    put(&store, "shop/2026_11_09_03_00_00_000000.default.dump", b"PGDMP").await;
    put(&store, "pg/old/2020-01-01-00-00-00-000000.default.dump", b"PGDMP").await;
    put(&store, "web/old/none/2021-01-01-00-00-00-000000.dump", b"PGDMP").await;
    put(&store, "web/old/none/2022-01-01-00-00-00-000000.dump", b"").await;

    let listed = list(&store, &Filter::of("shop")).await.unwrap();
    assert_eq!((states(&listed)[4], listed[4].stored_bytes), (State::Unchecked, Some(5)));
    assert_eq!(found(&store, "shop").await, keys[2], "ours are checked, that one is not");
    assert_eq!(found(&store, "shop~3").await, "shop/2026_11_09_03_00_00_000000.default.dump");
    assert_eq!(
        found(&store, "old").await,
        "web/old/none/2021-01-01-00-00-00-000000.dump",
        "an empty one does not count"
    );
    assert_eq!(found(&store, "old~1").await, "old/2020-01-01-00-00-00-000000.default.dump");
    let by_key = find(&store, "old/2020-01-01-00-00-00-000000.default.dump").await.unwrap();
    let Found::Legacy { object, bytes, .. } = &by_key else { panic!("{by_key:?}") };
    assert_eq!((object.as_str(), *bytes), ("pg/old/2020-01-01-00-00-00-000000.default.dump", 5));
    assert_eq!(found(&store, "web/old/none/2021").await, "web/old/none/2021-01-01-00-00-00-000000.dump");
    let empty = list(&store, &Filter::of("old")).await.unwrap().pop().unwrap();
    assert_eq!(empty.state, State::Damaged);
    assert_eq!(database_names(&store).await.unwrap(), ["old", "shop", "we/ird 100%"]);
}

#[tokio::test]
async fn c13_the_sequence_orders_dumps_when_a_clock_stepped_back() {
    let store = MemoryStore::new();
    TestDump::new("shop", "2026-11-02T05:00:00Z", SHOP).with_sequence(1).publish(&store).await;
    let newest = TestDump::new("shop", "2026-11-02T03:00:00Z", SHOP).with_sequence(2).publish(&store).await;
    assert_eq!(found(&store, "shop").await, newest);
    assert_eq!(found(&store, "shop~0").await, newest);
}

#[tokio::test]
async fn a_manifest_of_another_dump_is_no_dump() {
    let store = MemoryStore::new();
    let shop = TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP).publish(&store).await;
    let blog = TestDump::new("blog", "2026-11-01T03:00:00Z", SHOP).publish(&store).await;
    let manifest = |key: &str| DumpKey::parse(key).unwrap().manifest().unwrap();
    let foreign = backup_core::pipeline::read_all(&store, &manifest(&blog), 1 << 20).await.unwrap();
    overwrite(&store, &manifest(&shop), foreign).await;
    assert_eq!(states(&list(&store, &Filter::of("shop")).await.unwrap()), [State::Damaged]);
    assert!(matches!(refused(&store, &shop).await, PgError::Format(FormatError::Invalid { .. })));
}

#[tokio::test]
async fn what_cannot_be_read_is_listed_and_not_passed_by_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let store = FsStore::open(folder.path()).unwrap();
    let mut keys = Vec::new();
    for day in 1..=3 {
        let dump = TestDump::new("shop", &format!("2026-11-0{day}T03:00:00Z"), SHOP).with_sequence(day);
        keys.push(dump.publish(&store).await);
    }
    let manifest = DumpKey::parse(&keys[2]).unwrap().manifest().unwrap();
    // Longer than any manifest; nothing but a hole.
    let file = std::fs::File::options().write(true).open(folder.path().join(manifest.as_str())).unwrap();
    file.set_len(catalogue::MANIFEST_BYTES_MAX as u64 + 1).unwrap();
    let listed = list(&store, &Filter::of("shop")).await.unwrap();
    assert_eq!(states(&listed), [State::Good, State::Good, State::Unreadable]);
    for wanted in ["shop", "shop~1", "shop@2026-11-03T03:00:00Z"] {
        let error = find(&store, wanted).await.expect_err(wanted);
        let PgError::NewerUnreadable { what, older, .. } = &error else { panic!("{wanted}: {error}") };
        assert!(what.contains(manifest.as_str()) && older.is_some(), "{error}");
    }
    let older = find(&store, "shop@2026-11-03T02:59:59Z").await.unwrap();
    assert_eq!(older.key(), keys[1], "then it was not there yet");
    let Found::Ours { key, unreadable, .. } = find(&store, Wanted::new("shop").allow_older(true)).await.unwrap() else {
        panic!("a single file")
    };
    assert_eq!((&key, unreadable.len()), (&keys[1], 1));
    assert_eq!(find(&store, &*keys[0]).await.unwrap().key(), keys[0], "by its key");
}
