//! The S3 store against the peer: the conformance suite, and rows C1, C3, C4, C6, C9, C10, C15–C17 at store level.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backup_core::StoreError;
use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::pipeline::{ObjectWriter, UploadBudget, read_all, verified};
use backup_core::progress::{Event, Progress};
use backup_core::store::retry::{Retry, RetryPolicy};
use backup_core::store::s3::S3Store;
use backup_core::store::{
    PART_BYTES_MIN, PutMode, PutOptions, StoreDelete, StoreRead, StoreResult, StoreWrite, conformance,
};
use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::{ACCESS_KEY_ID, BUCKET, Damage, PeerOptions, REGION, S3Peer, SECRET_ACCESS_KEY};
use bytes::Bytes;
use futures::TryStreamExt;

const PREFIX: &str = "team/shop";

fn peer() -> S3Peer {
    S3Peer::start(PeerOptions::default()).expect("a peer starts")
}

fn endpoint(peer: &S3Peer) -> Endpoint {
    Endpoint {
        url: peer.endpoint().to_owned(),
        region: REGION.to_owned(),
        credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY),
    }
}

fn store(endpoint: &Endpoint, bucket: &str, prefix: &str) -> S3Store {
    S3Store::new(&Settings::of_endpoint(endpoint), bucket, prefix).expect("bucket and prefix are valid")
}

fn plain(peer: &S3Peer) -> S3Store {
    store(&endpoint(peer), BUCKET, PREFIX)
}

fn quick() -> RetryPolicy {
    let (delay_first, delay_max) = (Duration::from_millis(1), Duration::from_millis(5));
    RetryPolicy { delay_first, delay_max, ..RetryPolicy::default() }
}

fn retrying(peer: &S3Peer) -> Retry<S3Store> {
    Retry::new(plain(peer), quick())
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a valid key")
}

async fn create(store: &impl StoreWrite, name: &str, body: &'static [u8]) -> StoreResult<()> {
    store.put(&key(name), Bytes::from_static(body), &PutOptions::new(PutMode::Create)).await
}

fn calls(peer: &S3Peer, op: &str) -> usize {
    peer.log().iter().filter(|call| call.op == op).count()
}

/// Rules that harm each operation now and then, never twice in a row for longer than retrying lasts.
fn weather() -> Vec<Rule> {
    let mut rules = Vec::new();
    let harms = [
        Action::Status { status: 503, code: "SlowDown".to_owned() },
        Action::DropBefore,
        Action::LoseResponse,
        Action::Status { status: 500, code: "InternalError".to_owned() },
        Action::DropMidBody { bytes: 3 },
    ];
    let mutating =
        ["PutObject", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload", "DeleteObjects", "HeadObject"];
    for op in
        mutating.into_iter().chain(["GetObject", "ListObjectsV2", "ListMultipartUploads", "CreateMultipartUpload"])
    {
        for round in 0..8 {
            for (index, harm) in (0..).zip(&harms) {
                rules.push(Rule::new(harm.clone()).on(op).skip(round * 11 + index * 2).times(1));
            }
        }
    }
    rules.extend(
        (0..8).map(|skip| Rule::new(Action::TruncateBody { bytes: 3 }).on("GetObject").skip(skip * 5).times(1)),
    );
    rules
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_conforms() {
    let peer = peer();
    conformance::run(Arc::new(plain(&peer))).await;
    let state = peer.state();
    assert_eq!((state.objects, state.unfinished), (0, 0), "the checks left something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_retrying_store_conforms() {
    let peer = peer();
    conformance::run(Arc::new(retrying(&peer))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_conforms_with_bodies_in_files_and_without_prefix() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = PeerOptions { data: Some(folder.path().to_owned()), ..PeerOptions::default() };
    let peer = S3Peer::start(options).expect("a peer starts");
    conformance::run(Arc::new(store(&endpoint(&peer), BUCKET, ""))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_retrying_store_conforms_in_bad_weather() {
    let peer = peer();
    peer.faults(weather());
    let store = Retry::new(plain(&peer), RetryPolicy { attempts_max: 20, ..quick() });
    conformance::run(Arc::new(store)).await;
    let harmed = peer.log().iter().filter(|call| call.fault.is_some()).count();
    assert!(harmed > 100, "only {harmed} calls were harmed");
}

#[tokio::test]
async fn c1_a_put_interrupted_half_way_is_no_object_and_succeeds_when_repeated() {
    let peer = peer();
    let rule = Rule::new(Action::DropMidBody { bytes: 500_000 }).on("PutObject").times(1);
    peer.faults([rule.clone()]);
    let body = Bytes::from(vec![7; 1_000_000]);
    let options = PutOptions::new(PutMode::Create);
    let error = plain(&peer).put(&key("big"), body.clone(), &options).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    assert_eq!(peer.keys(), [""; 0]);
    peer.faults([rule]);
    retrying(&peer).put(&key("big"), body.clone(), &options).await.unwrap();
    assert_eq!(peer.object("team/shop/big").unwrap(), body);
}

#[tokio::test]
async fn c3_a_lost_answer_to_a_successful_create_is_a_success() {
    for action in [Action::LoseResponse, Action::TruncateBody { bytes: 1 }] {
        let peer = peer();
        peer.faults([Rule::new(action).on("PutObject").times(1)]);
        create(&retrying(&peer), "manifest.json", b"mine").await.unwrap();
        assert_eq!(peer.object("team/shop/manifest.json").unwrap(), "mine");
        let again = create(&retrying(&peer), "manifest.json", b"mine").await;
        assert!(matches!(again, Err(StoreError::AlreadyExists { .. })), "{again:?}");
    }
}

#[tokio::test]
async fn c3_a_lost_answer_to_a_completed_upload_is_a_success() {
    let peer = peer();
    peer.faults([Rule::new(Action::LoseResponse).on("CompleteMultipartUpload").times(1)]);
    let mut writer = writer(retrying(&peer), "big");
    writer.write(Bytes::from(vec![1; PART_BYTES_MIN + 1])).await.unwrap();
    let stored = writer.finish().await.unwrap();
    assert_eq!(calls(&peer, "CompleteMultipartUpload"), 2);
    assert_eq!(Sha256Digest::of(&peer.object("team/shop/big").unwrap()), stored.sha256);
    assert_eq!(peer.state().unfinished, 0);
}

fn writer(store: impl StoreWrite, name: &str) -> ObjectWriter {
    let options = PutOptions::new(PutMode::Create).part_bytes(PART_BYTES_MIN);
    ObjectWriter::new(Arc::new(store), key(name), options, UploadBudget::default())
}

#[tokio::test]
async fn c4_another_writers_object_is_not_taken_for_ours() {
    let peer = peer();
    peer.faults([Rule::new(Action::RivalPut { body: "them".to_owned() }).on("PutObject").times(1)]);
    let result = create(&retrying(&peer), "manifest.json", b"mine").await;
    assert!(matches!(result, Err(StoreError::AlreadyExists { .. })), "{result:?}");
    // The rival was there first, and our first answer was lost: still theirs.
    let lost = Action::Status { status: 500, code: "InternalError".to_owned() };
    peer.faults([
        Rule::new(lost).on("PutObject").where_key_contains("two").times(1),
        Rule::new(Action::RivalPut { body: "them".to_owned() }).on("PutObject").where_key_contains("two").times(1),
    ]);
    let result = create(&retrying(&peer), "two", b"mine").await;
    assert!(matches!(result, Err(StoreError::AlreadyExists { .. })), "{result:?}");
    assert_eq!(peer.object("team/shop/two").unwrap(), "them");
}

#[tokio::test]
async fn a_conflict_of_two_creates_is_tried_again() {
    let peer = peer();
    let conflict = Action::Status { status: 409, code: "ConditionalRequestConflict".to_owned() };
    peer.faults([Rule::new(conflict).on("PutObject").times(2)]);
    create(&retrying(&peer), "x", b"mine").await.unwrap();
}

#[tokio::test]
async fn c5_a_flipped_byte_is_found_whether_it_rots_in_the_store_or_on_the_way() {
    let peer = peer();
    let store = retrying(&peer);
    create(&store, "x", b"content").await.unwrap();
    let digest = Sha256Digest::of(b"content");
    let check = async || {
        let body = store.get(&key("x"), None).await?;
        verified(body, &key("x"), digest, 7).try_collect::<Vec<_>>().await
    };
    check().await.unwrap();
    peer.faults([Rule::new(Action::FlipLastByte).on("GetObject").times(1)]);
    assert!(matches!(check().await, Err(StoreError::Damaged { .. })));
    check().await.unwrap();
    assert!(peer.damage("team/shop/x", &Damage::Flip { offset: -1 }));
    assert!(matches!(check().await, Err(StoreError::Damaged { .. })));
}

#[tokio::test]
async fn c6_a_body_that_ends_early_is_an_error_and_goes_on_when_retried() {
    let peer = peer();
    create(&plain(&peer), "x", b"0123456789").await.unwrap();
    let rule = |bytes| Rule::new(Action::TruncateBody { bytes }).on("GetObject").times(1);
    peer.faults([rule(4)]);
    let error = read_all(&plain(&peer), &key("x"), 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    peer.faults([rule(4), rule(3), rule(2)]);
    assert_eq!(read_all(&retrying(&peer), &key("x"), 100).await.unwrap(), "0123456789");
    assert!(peer.damage("team/shop/x", &Damage::Truncate { bytes: 1 }));
    let short = plain(&peer).get(&key("x"), Some(0..10)).await.err();
    assert!(matches!(short, Some(StoreError::Damaged { .. })), "{short:?}");
}

#[derive(Debug, Default)]
struct Retries(Mutex<Vec<String>>);

impl Progress for Retries {
    fn event(&self, event: Event) {
        if let Event::Retry { request, key, why, attempt, attempts_max } = event {
            self.0.lock().unwrap().push(format!("{request} {key}: {why} ({attempt} of {attempts_max})"));
        }
    }
}

#[tokio::test]
async fn c9_five_times_slow_down_is_a_success_told_once() {
    let peer = peer();
    peer.faults([Rule::new(Action::Status { status: 503, code: "SlowDown".to_owned() }).times(5)]);
    let retries = Arc::new(Retries::default());
    let store = Retry::new(plain(&peer), RetryPolicy::default()).with_progress(retries.clone());
    let begin = Instant::now();
    create(&store, "x", b"mine").await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert_eq!(calls(&peer, "PutObject"), 6, "another layer retries too");
    let retries = retries.0.lock().unwrap();
    assert_eq!(retries.len(), 1, "{retries:?}");
    assert!(retries[0].starts_with("s3:PutObject x: 503 SlowDown"), "{retries:?}");
    assert!(retries[0].ends_with("(2 of 8)"), "{retries:?}");
}

#[tokio::test]
async fn c10_a_denied_put_fails_at_once_and_names_the_action() {
    let peer = peer();
    peer.faults([Rule::new(Action::Status { status: 403, code: "AccessDenied".to_owned() })]);
    let begin = Instant::now();
    let error = create(&retrying(&peer), "x", b"mine").await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(2));
    let StoreError::PermissionDenied { help, .. } = error else { panic!("{error:?}") };
    assert!(help.to_string().contains("`s3:PutObject` on `arn:aws:s3:::backups/team/shop/*`"), "{help}");
    assert_eq!(calls(&peer, "PutObject"), 1);
    let listed = retrying(&peer).list("", None).try_collect::<Vec<_>>().await.unwrap_err();
    let StoreError::PermissionDenied { help, .. } = listed else { panic!("{listed:?}") };
    assert!(help.to_string().contains("`s3:ListBucket` on `arn:aws:s3:::backups`"), "{help}");
}

#[tokio::test]
async fn c11_a_listing_that_lags_omits_what_is_new_and_the_object_is_there() {
    let peer = peer();
    peer.faults([Rule::new(Action::HideNewerThan { ms: 60_000 }).on("ListObjectsV2")]);
    create(&plain(&peer), "x", b"mine").await.unwrap();
    assert_eq!(plain(&peer).list("", None).try_collect::<Vec<_>>().await.unwrap(), []);
    plain(&peer).head(&key("x")).await.unwrap();
}

#[tokio::test]
async fn c15_an_endpoint_that_ignores_conditions_is_seen_to_do_so() {
    let peer = peer();
    peer.faults([Rule::new(Action::IgnoreConditions)]);
    create(&plain(&peer), "x", b"first").await.unwrap();
    create(&plain(&peer), "x", b"second").await.unwrap();
    assert_eq!(peer.object("team/shop/x").unwrap(), "second");
}

#[tokio::test]
async fn c16_dropped_and_aborted_uploads_leave_nothing_at_the_peer() {
    for drops in [true, false] {
        let peer = peer();
        peer.latency(Duration::from_millis(5));
        let mut writer = writer(plain(&peer), "big");
        writer.write(Bytes::from(vec![1; PART_BYTES_MIN * 3])).await.unwrap();
        assert_eq!(peer.state().unfinished, 1);
        if drops {
            drop(writer);
            let patience = Instant::now() + Duration::from_secs(5);
            while peer.state().unfinished > 0 && Instant::now() < patience {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        } else {
            writer.abort().await.unwrap();
        }
        assert_eq!((peer.state().unfinished, peer.state().objects), (0, 0));
    }
}

#[tokio::test]
async fn c17_wrong_credentials_are_told_and_neither_secret_nor_signature_is_shown() {
    let peer = peer();
    let secret = "wrong+wrong+wrong+wrong+wrong+wrong+wron";
    for (id, secret) in [(ACCESS_KEY_ID, secret), ("NOBODYNOBODYNOBODY00", secret)] {
        let endpoint = Endpoint { credentials: Credentials::new(id, secret), ..endpoint(&peer) };
        let store = self::store(&endpoint, BUCKET, PREFIX);
        let error = create(&store, "x", b"mine").await.unwrap_err();
        assert!(matches!(error, StoreError::Unauthenticated { .. }), "{error:?}");
        let shown = format!("{error:?} {error} {store:?} {endpoint:?}");
        assert!(!shown.contains(secret) && !shown.contains("Signature="), "{shown}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_no_location_and_no_server_is_unreachable() {
    let peer = peer();
    let elsewhere = store(&endpoint(&peer), "nowhere", PREFIX);
    let error = create(&elsewhere, "x", b"mine").await.unwrap_err();
    assert!(matches!(error, StoreError::NoLocation { .. }), "{error:?}");
    assert_eq!(elsewhere.describe(), "s3://nowhere/team/shop");
    let gone = endpoint(&peer);
    drop(peer);
    let store = self::store(&gone, BUCKET, PREFIX);
    let error = create(&store, "x", b"mine").await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_damaged_on_its_way_to_the_store_is_refused_by_its_checksum() {
    let peer = peer();
    // The peer counts a short body as incomplete and a wrong one as `BadDigest`; both are sent again.
    let digest = Action::Status { status: 400, code: "BadDigest".to_owned() };
    peer.faults([Rule::new(digest).on("UploadPart").times(2)]);
    let mut writer = writer(retrying(&peer), "big");
    writer.write(Bytes::from(vec![1; PART_BYTES_MIN + 1])).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(calls(&peer, "UploadPart"), 4);
}

#[tokio::test]
async fn r8_a_locked_object_is_the_only_one_of_many_that_stays() {
    let peer = peer();
    let store = plain(&peer);
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let options = PutOptions::new(PutMode::Create).lock_until(until);
    store.put(&key("x0500"), Bytes::from_static(b"kept"), &options).await.unwrap();
    for index in [0, 999, 1_001] {
        store.put(&key(&format!("x{index:04}")), Bytes::new(), &PutOptions::new(PutMode::Create)).await.unwrap();
    }
    let keys: Vec<Key> = (0..1_100).map(|index| key(&format!("x{index:04}"))).collect();
    let outcomes = store.delete(&keys).await.unwrap();
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.key, keys[index]);
        assert_eq!(outcome.result.is_err(), index == 500, "{outcome:?}");
    }
    assert!(matches!(outcomes[500].result, Err(StoreError::PermissionDenied { .. })));
    assert_eq!(calls(&peer, "DeleteObjects"), 2);
    assert_eq!(peer.keys(), ["team/shop/x0500"]);
}

#[tokio::test]
async fn parts_are_sent_several_at_once_and_memory_stays_within_its_budget() {
    let peer = peer();
    peer.latency(Duration::from_millis(50));
    let mut writer = writer(plain(&peer), "big");
    for _ in 0..8 {
        writer.write(Bytes::from(vec![1; PART_BYTES_MIN])).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(calls(&peer, "UploadPart"), 8);
    assert_eq!(peer.state().peak_in_flight, 4);
}

#[tokio::test]
async fn names_that_need_escaping_survive_the_wire() {
    let peer = peer();
    let store = plain(&peer);
    for name in ["pg/we\"ird é; drop/x 1.dump", "a%2Fb", "a+b&c=d", "<&>'"] {
        let mut options = PutOptions::new(PutMode::Create);
        options.metadata.insert("database".to_owned(), name.to_owned());
        store.put(&key(name), Bytes::from_static(b"x"), &options).await.unwrap();
        assert_eq!(read_all(&store, &key(name), 10).await.unwrap(), "x");
        let listed: Vec<_> = store.list(name, None).try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|meta| meta.key.as_str()).collect::<Vec<_>>(), [name]);
    }
}
