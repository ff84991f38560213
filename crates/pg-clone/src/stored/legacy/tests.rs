//! Tests of single-file dumps: where they are found, and what their beginning says.

use backup_core::store::memory::MemoryStore;
use backup_core::store::{PutMode, PutOptions, StoreWrite};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// What `pg_dump -Fc` 15 wrote of a database `src` with one empty table.
const ARCHIVE: &[u8] = include_bytes!("../../../tests/fixtures/archive/pg15.dump");

async fn store(objects: &[(&str, &[u8])]) -> MemoryStore {
    let store = MemoryStore::new();
    for (key, body) in objects {
        let key = Key::new(*key).unwrap();
        store.put(&key, Bytes::copy_from_slice(body), &PutOptions::new(PutMode::Create)).await.unwrap();
    }
    store
}

#[tokio::test]
async fn dumps_are_found_at_the_root_and_below_pg_and_nothing_else_is() {
    let found = [
        "shop/2019_03_01_22_15_09_000001.default.dump",
        "pg/shop/2019_03_01_22_15_09_000002.default.dump",
        "pg/2019_03_01_22_15_09_000003.default.dump",
        "shop/2019-03-01-22-15-09-000004.default.dump",
        "pg/shop/2019-03-01-22-15-09-000005.default.dump",
        "web-1/shop/none/2019-03-01-22-15-09-000006.dump",
        "pg/web-1/shop/none/2019-03-01-22-15-09-000007.dump",
        "pg/shop/none/2019-03-01-22-15-09-000008.dump",
    ];
    let other = [
        "pg/shop/2019-03-01-22-15-09-000005.ours.dump/manifest.json",
        "pg/shop/2019-03-01-22-15-09-000005.ours.dump/data/p00000.pack",
        "app/x/Backup_UTC_2019.tar.gz",
        "2019_03_01_22_15_09_000001.default.dump",
        "shop/readme.txt",
    ];
    let objects: Vec<_> = found.iter().chain(&other).map(|key| (*key, b"12345".as_slice())).collect();
    let listed = list(&store(&objects).await).await.unwrap();
    let keys: Vec<_> = listed.iter().map(|dump| dump.object.as_str()).collect();
    assert_eq!(keys, found);
    assert!(listed.iter().all(|dump| dump.bytes == 5));
}

#[tokio::test]
async fn a_large_foreign_folder_is_not_listed_to_its_end() {
    let store = store(&[]).await;
    for index in 0..PEEKED_OBJECTS {
        let key = Key::new(format!("photos/{index:05}.jpg")).unwrap();
        store.put(&key, Bytes::new(), &PutOptions::new(PutMode::Create)).await.unwrap();
    }
    let late = Key::new("photos/2019_03_01_22_15_09_000001.default.dump").unwrap();
    store.put(&late, Bytes::new(), &PutOptions::new(PutMode::Create)).await.unwrap();
    // `2019_` sorts behind `00999.jpg`, where nobody looks any more.
    assert_eq!(list(&store).await.unwrap(), []);
    assert!(get(&store, &late).await.unwrap().is_some(), "by its key it is found");
}

#[tokio::test]
async fn an_archive_is_read_whole_after_its_header() {
    let object = "shop/2019_03_01_22_15_09_000001.default.dump";
    let store = store(&[(object, ARCHIVE)]).await;
    let archive = open(&store, &Key::new(object).unwrap()).await.unwrap();
    assert_eq!(archive.header.database.as_deref(), Some("src"));
    assert_eq!(archive.header.archive_version, "1.14.0");
    assert!(archive.header.server_version.unwrap().starts_with("15."));
    assert!(archive.header.pg_dump_version.unwrap().starts_with("15."));
    assert!(archive.header.created_local.unwrap().year() >= 2026);
    let body: Vec<Bytes> = archive.body.try_collect().await.unwrap();
    assert_eq!(body.concat(), ARCHIVE);
}

#[tokio::test]
async fn what_is_no_archive_is_refused_with_its_reason() {
    for (body, expected) in [
        (b"".as_slice(), "it is empty"),
        (b"PGDM", "it ends inside its header"),
        (&ARCHIVE[..40], "it ends inside its header"),
        (b"<html>404</html>", "it is not an archive"),
        (b"PGDMP\x09\x00\x00\x04\x08\x01", "archive format 9.0.0 is not known"),
        (b"PGDMP\x01\x0e\x00\x04\x08\x05", "it is not an archive"),
    ] {
        let object = "shop/2019_03_01_22_15_09_000001.default.dump";
        let error = open(&store(&[(object, body)]).await, &Key::new(object).unwrap()).await.unwrap_err();
        assert!(error.to_string().contains(expected) && error.to_string().contains(object), "{error}");
    }
}

#[test]
fn headers_of_version_16_and_newer_have_an_algorithm_byte() {
    let Parsed::Header(old) = header::parse(ARCHIVE) else { panic!("the fixture has a header") };
    // 1.14 stores the level as an int of five bytes, 1.15 the algorithm as one.
    let mut newer = ARCHIVE[..11].to_vec();
    newer[6] = 15;
    newer.push(1);
    newer.extend_from_slice(&ARCHIVE[16..200]);
    let Parsed::Header(new) = header::parse(&newer) else { panic!("{:?}", header::parse(&newer)) };
    assert_eq!(new, ArchiveHeader { archive_version: "1.15.0".to_owned(), ..old });
}

proptest! {
    #[test]
    fn no_header_panics_and_every_beginning_needs_more(cut in 0_usize..80, garbage in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(header::parse(&ARCHIVE[..cut]), Parsed::NeedsMore);
        let _ = header::parse(&garbage);
        let _ = header::parse(&[ARCHIVE[..11].to_vec(), garbage].concat());
    }
}
