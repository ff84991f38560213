//! Listings of the S3 store that are cut, go round, or never end: errors, and never a short or an endless answer.

use backup_core::StoreError;
use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::key::Key;
use backup_core::store::s3::S3Store;
use backup_core::store::{PutMode, PutOptions, StoreDelete as _, StoreRead as _, StoreWrite as _, list_all};
use backup_testkit::faults::{Action, ListingFault, Rule};
use backup_testkit::s3_server::{ACCESS_KEY_ID, BUCKET, PeerOptions, REGION, S3Peer, SECRET_ACCESS_KEY};
use bytes::Bytes;

const NAMES: [&str; 7] = ["a-b", "a/b", "a/c", "a0", "b", "c/d", "e"];

/// Most requests after which a listing of seven entries must be known to be wrong.
const REQUESTS_MAX: usize = 30;

/// As above where only empty pages come: S3 itself sends some.
const EMPTY_REQUESTS_MAX: usize = 1_100;

async fn filled() -> (S3Peer, S3Store) {
    let peer = S3Peer::start(PeerOptions::default()).expect("a peer starts");
    let endpoint = Endpoint {
        url: peer.endpoint().to_owned(),
        region: REGION.to_owned(),
        credentials: Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY),
    };
    let settings = Settings::of_endpoint(&endpoint);
    let store = S3Store::new(&settings, BUCKET, "team").expect("bucket and prefix are valid");
    for name in NAMES {
        let (key, options) = (Key::new(name).expect("a key"), PutOptions::new(PutMode::Create));
        store.put(&key, Bytes::from_static(b"x"), &options).await.expect("it is stored");
        // Left as a killed process leaves it.
        std::mem::forget(store.multipart(&key, &options).await.expect("an upload begins"));
    }
    // Somebody else's.
    peer.store("tea/cup", "x");
    peer.store("teams/x", "x");
    (peer, store)
}

/// What each kind of listing shows: objects, folders, unfinished uploads.
async fn listed(store: &S3Store, kind: &str) -> Result<Vec<String>, StoreError> {
    Ok(match kind {
        "objects" => list_all(store, "").await?.into_iter().map(|object| object.key.to_string()).collect(),
        "children" => store.list_children("").await?,
        _ => store.unfinished("").await?.into_iter().map(|upload| upload.key.to_string()).collect(),
    })
}

const KINDS: [&str; 3] = ["objects", "children", "uploads"];

#[tokio::test]
async fn pages_of_any_size_and_empty_ones_give_everything_once() {
    let (peer, store) = filled().await;
    for fault in [ListingFault::None, ListingFault::EmptyFirst] {
        for entries in [1, 2, 3, 100] {
            peer.clear_faults();
            peer.faults([Rule::new(Action::Listing { entries, fault })]);
            for kind in KINDS {
                let expected = if kind == "children" { &["a-b", "a/", "a0", "b", "c/", "e"][..] } else { &NAMES };
                let shown = listed(&store, kind)
                    .await
                    .unwrap_or_else(|error| panic!("{kind}, {fault:?}, {entries} a page: {error}"));
                assert_eq!(shown, expected, "{kind}, {fault:?}, {entries} a page");
            }
        }
    }
}

#[tokio::test]
async fn w8_a_listing_that_is_cut_or_never_ends_is_an_error() {
    let (peer, store) = filled().await;
    for (fault, said) in [
        (ListingFault::Cut, "more, but not where to continue"),
        (ListingFault::Unsaid, "does not say whether there is more"),
        (ListingFault::Same, "starts again"),
        (ListingFault::Round, "starts again"),
        (ListingFault::Restarts, "starts again"),
        (ListingFault::Empty, "were empty"),
    ] {
        peer.clear_faults();
        peer.faults([Rule::new(Action::Listing { entries: 2, fault })]);
        for kind in KINDS {
            peer.clear_log();
            let error = listed(&store, kind).await.unwrap_err();
            assert!(matches!(error, StoreError::Unsuitable { .. }), "{kind}, {fault:?}: {error:?}");
            assert!(error.to_string().contains(said), "{kind}, {fault:?}: {error}");
            let most = if fault == ListingFault::Empty { EMPTY_REQUESTS_MAX } else { REQUESTS_MAX };
            assert!(peer.log().len() <= most, "{kind}, {fault:?}: {} requests", peer.log().len());
        }
    }
}

#[tokio::test]
async fn w8_what_was_not_asked_for_is_an_error_and_no_upload_of_somebody_else_is_shown() {
    let (peer, store) = filled().await;
    peer.faults([Rule::new(Action::Listing { entries: 100, fault: ListingFault::Unasked })]);
    for kind in ["objects", "children"] {
        let error = listed(&store, kind).await.unwrap_err();
        assert!(error.to_string().contains("which was not requested"), "{kind}: {error}");
    }
    let uploads = store.unfinished("a/").await.unwrap();
    assert_eq!(uploads.iter().map(|upload| upload.key.as_str()).collect::<Vec<_>>(), ["a/b", "a/c"]);
}

#[tokio::test]
async fn a_walk_folder_by_folder_is_told_in_the_order_of_keys() {
    let (peer, store) = filled().await;
    peer.faults([Rule::new(Action::FolderByFolder)]);
    assert_eq!(listed(&store, "objects").await.unwrap(), NAMES);
    // What begins after a key begins there in that order, too.
    for (at, name) in NAMES.iter().enumerate() {
        let after = Key::new(*name).unwrap();
        let rest: Vec<_> = futures::TryStreamExt::try_collect(store.list("", Some(&after))).await.unwrap();
        let rest: Vec<String> =
            rest.into_iter().map(|object: backup_core::store::ObjectMeta| object.key.to_string()).collect();
        assert_eq!(rest, NAMES[at + 1..], "after {name}");
    }
}

#[tokio::test]
async fn names_that_xml_cannot_have_stop_no_listing() {
    let (peer, store) = filled().await;
    for name in ["team/odd\u{1}", "team/a b+c%2B", "team/f\u{1}/x"] {
        peer.store(name, "x");
    }
    let keys = listed(&store, "objects").await.unwrap();
    assert!(NAMES.iter().all(|name| keys.iter().any(|key| key == name)), "{keys:?}");
    assert!(keys.iter().any(|key| key == "a b+c%2B"), "{keys:?}");
    let children = store.list_children("").await.unwrap();
    assert!(children.iter().any(|child| child == "f\u{1}/"), "{children:?}");
}

#[tokio::test]
async fn in_which_order_it_lists_is_found_out_and_nothing_is_left() {
    use backup_core::store::ListingOrder;
    let (peer, store) = filled().await;
    assert!(store.listing_order().await.unwrap_err().is_not_found(), "without a marker");
    peer.store("team/lastgood.json", "{}");
    let before = peer.keys();
    assert_eq!(store.listing_order().await.unwrap(), ListingOrder::ByKey);
    peer.faults([Rule::new(Action::FolderByFolder).on("ListObjectsV2")]);
    assert_eq!(store.listing_order().await.unwrap(), ListingOrder::ByFolder);
    assert_eq!(peer.keys(), before);
    // Whoever may not delete sees it all the same.
    peer.faults([Rule::new(Action::Status { status: 403, code: "AccessDenied".to_owned() }).on("DeleteObjects")]);
    assert_eq!(store.listing_order().await.unwrap(), ListingOrder::ByFolder);
}

#[tokio::test]
async fn a_server_that_deletes_one_object_at_a_time_is_asked_so() {
    let (peer, store) = filled().await;
    let keys: Vec<Key> = ["a/b", "nothing", "e"].map(|name| Key::new(name).unwrap()).into();
    peer.faults([Rule::new(Action::Status { status: 501, code: "NotImplemented".to_owned() }).on("DeleteObjects")]);
    peer.faults([Rule::new(Action::Status { status: 403, code: "AccessDenied".to_owned() })
        .on("DeleteObject")
        .where_key_contains("team/e")]);
    let outcomes = store.delete(&keys).await.unwrap();
    assert_eq!(outcomes.iter().map(|outcome| &outcome.key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
    assert_eq!(outcomes.iter().map(|outcome| outcome.result.is_ok()).collect::<Vec<_>>(), [true, true, false]);
    let left: Vec<String> = peer.keys().into_iter().filter(|key| key.starts_with("team/")).collect();
    assert!(!left.contains(&"team/a/b".to_owned()) && left.contains(&"team/e".to_owned()), "{left:?}");
}
