//! Tests of pruning dumps, on a store in memory.

mod survival;

use backup_core::manifest::Outcome;
use backup_core::retention::{Period, RetentionError, Rule};
use backup_core::store::memory::MemoryStore;
use backup_core::store::{PutMode, PutOptions, StoreWrite};
use bytes::Bytes;

use super::*;
use crate::error::PgError;
use crate::stored::list::{self, Filter};
use crate::stored::tags::{self, Change};
use crate::test_dump::{SHOP, TestDump, overwrite};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn last(count: u32) -> PruneOptions {
    PruneOptions::new(Policy::new(vec![Rule::Last(count)]))
}

fn of(database: &str, options: PruneOptions) -> PruneOptions {
    PruneOptions { filter: Filter::of(database), ..options }
}

async fn publish(store: &MemoryStore, database: &str, day: u64) -> String {
    let time = format!("2026-11-{day:02}T03:00:00Z");
    TestDump::new(database, &time, SHOP).with_sequence(day).publish(store).await
}

async fn put(store: &MemoryStore, key: &str, body: &'static [u8]) {
    let key = Key::new(key).unwrap();
    store.put(&key, Bytes::from_static(body), &PutOptions::new(PutMode::Create)).await.unwrap();
}

async fn planned(store: &MemoryStore, options: &PruneOptions) -> PrunePlan {
    plan(store, options, at("2026-11-30T00:00:00Z")).await.unwrap()
}

async fn keys(store: &MemoryStore) -> Vec<String> {
    list::list(store, &Filter::default()).await.unwrap().into_iter().map(|dump| dump.key).collect()
}

async fn objects(store: &MemoryStore, prefix: &str) -> Vec<String> {
    let listed: Vec<_> = store.list(prefix, None).try_collect().await.unwrap();
    listed.into_iter().map(|object| object.key.to_string()).collect()
}

#[tokio::test]
async fn old_dumps_go_whole_and_databases_do_not_mix() {
    let store = MemoryStore::new();
    let mut shop = Vec::new();
    for day in 1..=4 {
        shop.push(publish(&store, "shop", day).await);
    }
    let silent = publish(&store, "silent", 1).await;
    let plan = planned(&store, &last(2)).await;
    assert_eq!(plan.deleted().map(|dump| &dump.key).collect::<Vec<_>>(), [&shop[0], &shop[1]]);
    assert!(plan.dumps.iter().all(|dump| !dump.reasons.is_empty()));
    assert_eq!(plan.dumps.len(), 5);
    assert_eq!(keys(&store).await.len(), 5, "a plan changes nothing");

    let report = apply(&store, &plan, &Run::silent()).await.unwrap();
    assert!(report.is_complete());
    assert_eq!((report.removed, report.freed_bytes), (shop[..2].to_vec(), plan.freed_bytes));
    assert_eq!(keys(&store).await, [silent, shop[2].clone(), shop[3].clone()]);
    assert_eq!(objects(&store, &format!("pg/{}", shop[0])).await, Vec::<String>::new());
    assert_eq!(list::find(&store, "shop").await.unwrap().key(), shop[3]);
    assert!(planned(&store, &last(2)).await.is_empty());
}

#[tokio::test]
async fn one_database_alone_is_pruned_when_asked() {
    let store = MemoryStore::new();
    for day in 1..=3 {
        publish(&store, "shop", day).await;
        publish(&store, "blog", day).await;
    }
    let plan = planned(&store, &of("shop", last(1))).await;
    assert!(plan.dumps.iter().all(|dump| dump.database == "shop"));
    apply(&store, &plan, &Run::silent()).await.unwrap();
    assert_eq!(list::list(&store, &Filter::of("shop")).await.unwrap().len(), 1);
    assert_eq!(list::list(&store, &Filter::of("blog")).await.unwrap().len(), 3);
}

#[tokio::test]
async fn r1_without_a_rule_nothing_is_planned() {
    let store = MemoryStore::new();
    publish(&store, "shop", 1).await;
    for rules in [vec![], vec![Rule::Last(0)], vec![Rule::Calendar(Period::Daily, 0)]] {
        let error = plan(&store, &PruneOptions::new(Policy::new(rules)), at("2026-11-30T00:00:00Z")).await.unwrap_err();
        assert!(matches!(error, PgError::Retention(RetentionError::NoRule)), "{error}");
    }
}

#[tokio::test]
async fn r2_r3_the_last_good_dump_stays_however_many_bad_ones_follow() {
    let store = MemoryStore::new();
    let good = publish(&store, "shop", 1).await;
    for day in 2..=9 {
        let partial = TestDump::new("shop", &format!("2026-11-{day:02}T03:00:00Z"), SHOP).with_sequence(day);
        partial.with_outcome(Outcome::Partial).publish(&store).await;
    }
    let plan = planned(&store, &last(1)).await;
    assert!(plan.dumps.iter().any(|dump| dump.key == good && dump.action == Action::Keep));
    apply(&store, &plan, &Run::silent()).await.unwrap();
    assert!(keys(&store).await.contains(&good));
    assert!(planned(&store, &last(100)).await.deleted().next().is_none());
}

#[tokio::test]
async fn shared_parts_stay_with_the_dump_that_still_needs_them() {
    let store = MemoryStore::new();
    let first = TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP);
    first.publish(&store).await;
    let mut second = TestDump::new("shop", "2026-11-02T03:00:00Z", SHOP).with_sequence(2);
    second.manifest.parts[1] = first.manifest.parts[1].clone();
    second.publish(&store).await;
    apply(&store, &planned(&store, &last(1)).await, &Run::silent()).await.unwrap();
    assert_eq!(keys(&store).await, [second.key.to_string()]);
    let left = objects(&store, first.key.folder().unwrap().as_str()).await;
    assert_eq!(left, [first.manifest.parts[1].key.as_str()]);
}

#[tokio::test]
async fn damaged_manifests_stay_and_newer_ones_stop_everything() {
    let store = MemoryStore::new();
    for day in 1..=3 {
        publish(&store, "shop", day).await;
    }
    let damaged = TestDump::new("shop", "2026-11-04T03:00:00Z", SHOP).with_sequence(4);
    damaged.publish(&store).await;
    overwrite(&store, &damaged.key.manifest().unwrap(), "{\"format\":1}").await;
    let plan_1 = planned(&store, &last(1)).await;
    assert_eq!(plan_1.untouched.len(), 1);
    assert_eq!((&plan_1.untouched[0].key, plan_1.deleted().count()), (&damaged.key.to_string(), 2));
    put(&store, "pg/blog/2026-11-07-03-00-00-000000.nightly.dump/manifest.json", b"{\"format\":2}").await;
    let error = plan(&store, &last(1), at("2026-11-30T00:00:00Z")).await.unwrap_err();
    assert!(matches!(error, PgError::Format(FormatError::Newer { .. })), "{error}");
}

#[tokio::test]
async fn single_files_go_only_when_asked_and_by_themselves() {
    let store = MemoryStore::new();
    let ours = publish(&store, "shop", 1).await;
    let old = ["shop/2020_01_01_00_00_00_000000.default.dump", "shop/2020_01_02_00_00_00_000000.default.dump"];
    for key in old {
        put(&store, key, b"PGDMP").await;
    }
    put(&store, "shop/2020_01_01_12_00_00_000000.default.dump", b"").await;
    put(&store, "web/shop/none/2019-01-01-00-00-00-000000.dump", b"PGDMP").await;
    let untouched = planned(&store, &last(1)).await;
    assert_eq!((untouched.untouched.len(), untouched.dumps.len()), (4, 1));
    assert!(untouched.is_empty());

    let plan = planned(&store, &PruneOptions { include_legacy: true, ..last(1) }).await;
    assert_eq!(plan.freed_bytes, 5);
    let report = apply(&store, &plan, &Run::silent()).await.unwrap();
    assert_eq!((report.objects, report.freed_bytes), (2, 5));
    assert_eq!(keys(&store).await, ["web/shop/none/2019-01-01-00-00-00-000000.dump", old[1], &ours]);
}

#[tokio::test]
async fn c2_what_an_interrupted_run_left_goes_after_a_day() {
    let store = MemoryStore::new();
    let good = publish(&store, "shop", 1).await;
    let dead = TestDump::new("shop", "2026-11-02T03:00:00Z", SHOP);
    dead.store_objects(&store).await;
    put(&store, "pg/shop/2020-01-01-00-00-00-000000.default.dump", b"PGDMP single file").await;
    let upload = Key::new("pg/shop/2026-11-03-03-00-00-000000.nightly.dump/data/p00000.pack").unwrap();
    let upload = store.multipart(&upload, &PutOptions::new(PutMode::Create)).await.unwrap();
    upload.part(1, Bytes::from_static(b"x")).await.unwrap();
    std::mem::forget(upload); // as a killed process would

    let now = Timestamp::now();
    let young = plan(&store, &PruneOptions::incomplete(), now).await.unwrap();
    assert!(young.is_empty(), "it may still be written");
    let tomorrow = now + SignedDuration::from_hours(25);
    let other = plan(&store, &of("blog", PruneOptions::incomplete()), tomorrow).await.unwrap();
    assert!(other.is_empty(), "of another database");
    let plan = plan(&store, &PruneOptions::incomplete(), tomorrow).await.unwrap();
    assert_eq!((plan.incomplete.len(), plan.uploads, plan.dumps.len()), (1, 1, 0));
    let left = &plan.incomplete[0];
    assert_eq!((&left.key, left.objects), (&dead.key.to_string(), 3));
    let report = apply(&store, &plan, &Run::silent()).await.unwrap();
    assert!(report.is_complete());
    assert_eq!((report.objects >= 3, report.uploads, report.freed_bytes), (true, 1, left.bytes));
    for object in dead.objects.keys() {
        assert!(store.head(object).await.is_err(), "{object}");
    }
    let single_file = "shop/2020-01-01-00-00-00-000000.default.dump".to_owned();
    assert_eq!(keys(&store).await, [single_file, good]);
}

#[tokio::test]
async fn tags_of_now_decide_and_are_forgotten_with_their_dump() {
    let store = MemoryStore::new();
    let mut shop = Vec::new();
    for day in 1..=4 {
        shop.push(publish(&store, "shop", day).await);
    }
    let shared: SharedStore = Arc::new(store.clone());
    let retag = async |key: &str, add: &[&str], remove: &[&str]| {
        let texts = |tags: &[&str]| tags.iter().map(ToString::to_string).collect();
        let change = Change { add: texts(add), remove: texts(remove) };
        tags::prepare(&shared, key, change, &Run::silent()).await.unwrap().run().await.unwrap()
    };
    retag(&shop[0], &["keep=year"], &[]).await;
    retag(&shop[1], &["spare"], &[]).await;
    let options = PruneOptions::new(Policy::new(vec![Rule::Last(1), Rule::Tag("keep".to_owned())]));
    let plan = planned(&store, &options).await;
    assert_eq!(plan.deleted().map(|dump| &dump.key).collect::<Vec<_>>(), [&shop[1], &shop[2]]);
    assert!(plan.dumps[0].reasons.contains(&"tag keep".to_owned()), "{:?}", plan.dumps[0].reasons);
    apply(&store, &plan, &Run::silent()).await.unwrap();
    let tags = TagsNow::read(&store, ["shop".to_owned()].into()).await.unwrap();
    let knows = |key: &str| tags.knows(&DumpKey::parse(key).unwrap());
    assert!(knows(&shop[0]) && !knows(&shop[1]));
    retag(&shop[0], &[], &["keep=year"]).await;
    assert_eq!(planned(&store, &options).await.deleted().count(), 1);
}

#[tokio::test]
async fn dumps_whose_tags_cannot_be_read_stay_where_tags_decide() {
    let store = MemoryStore::new();
    for day in 1..=3 {
        publish(&store, "shop", day).await;
        publish(&store, "blog", day).await;
    }
    put(&store, "pg/shop/tags.json", b"torn").await;
    let by_tag = PruneOptions::new(Policy::new(vec![Rule::Last(1), Rule::Tag("keep".to_owned())]));
    let plan = planned(&store, &by_tag).await;
    assert!(plan.deleted().all(|dump| dump.database == "blog") && plan.deleted().count() == 2);
    let kept = plan.dumps.iter().find(|dump| dump.database == "shop").unwrap();
    assert!(kept.reasons[0].contains("its tags cannot be read"), "{:?}", kept.reasons);
    assert_eq!(planned(&store, &last(1)).await.deleted().count(), 4, "no rule looks at tags");
}
