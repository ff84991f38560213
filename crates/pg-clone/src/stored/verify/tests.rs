//! Tests of verification: every kind of damage, on a store in memory.

use std::sync::Arc;

use backup_core::key::Key;
use backup_core::progress::Silent;
use backup_core::store::memory::MemoryStore;
use backup_core::store::{PutMode, PutOptions, StoreDelete, StoreWrite};
use backup_core::units::exact_bytes;
use bytes::Bytes;

use super::*;
use crate::error::PgError;
use crate::stored::frame_digest::FrameDigest;
use crate::stored::frame_hash::FrameHash;
use crate::test_dump::{SHOP, TestDump, overwrite};

async fn stored() -> (MemoryStore, TestDump) {
    let store = MemoryStore::new();
    let dump = TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP);
    dump.publish(&store).await;
    (store, dump)
}

async fn report(store: &MemoryStore, read: ReadAmount) -> VerifyReport {
    verify(store, "shop", read, 2, &Run::silent()).await.unwrap()
}

async fn restore_check(store: &MemoryStore, dump: &TestDump) -> PgResult<()> {
    let progress: SharedProgress = Arc::new(Silent);
    check_stored(store, &dump.manifest, 2, &progress).await
}

fn pack(dump: &TestDump, index: usize) -> (Key, Vec<u8>) {
    let key = dump.manifest.parts[index].key.clone();
    let body = dump.objects[&key].to_vec();
    (key, body)
}

#[tokio::test]
async fn a_whole_dump_is_found_whole_at_every_depth() {
    let (store, dump) = stored().await;
    restore_check(&store, &dump).await.unwrap();
    let structure = report(&store, ReadAmount::Structure).await.into_result().unwrap();
    assert_eq!((structure.objects, structure.bytes_read, structure.tables_checked), (3, 0, 0));
    let all = report(&store, ReadAmount::All).await.into_result().unwrap();
    assert_eq!((all.objects_read, all.tables_checked, all.rows_checked), (3, 2, 5));
    assert_eq!(all.bytes_read, dump.manifest.stored_bytes());
}

#[tokio::test]
async fn shares_together_read_everything_once() {
    let (store, dump) = stored().await;
    let mut bytes = 0;
    for n in 1..=4 {
        let share = report(&store, ReadAmount::Subset { n, t: 4 }).await.into_result().unwrap();
        assert!(share.objects_read <= 1);
        bytes += share.bytes_read;
    }
    assert_eq!(bytes, dump.manifest.stored_bytes());
}

#[tokio::test]
async fn c5_every_flipped_bit_is_found_and_placed() {
    let (store, dump) = stored().await;
    for part in 0..3 {
        let (key, body) = pack(&dump, part);
        for position in 0..body.len() {
            let mut flipped = body.clone();
            flipped[position] ^= 1;
            overwrite(&store, &key, flipped).await;
            let error = restore_check(&store, &dump).await.unwrap_err().to_string();
            assert_eq!(
                error,
                format!("`{}` is damaged: `{key}`: its digest differs: its bytes were changed", dump.key)
            );
            let found = report(&store, ReadAmount::All).await;
            let damage = &found.damage[0];
            assert_eq!((&damage.object, damage.dumps.as_slice()), (&key, [dump.key.to_string()].as_slice()));
            if part > 0 {
                let (offset, length) = (damage.offset.unwrap(), damage.length.unwrap());
                assert!((offset..offset + length).contains(&(position as u64)), "{damage}");
                assert!(damage.table.is_some());
            }
            assert!(matches!(found.into_result(), Err(PgError::Integrity { .. })));
        }
        overwrite(&store, &key, body).await;
    }
    restore_check(&store, &dump).await.unwrap();
}

#[tokio::test]
async fn c6_longer_shorter_and_missing_objects_are_found_without_reading() {
    let (store, dump) = stored().await;
    let (key, body) = pack(&dump, 1);
    let bytes = body.len();
    let mut longer = body.clone();
    longer.push(0);
    for (stored, expected) in [
        (longer, format!("it has {} instead of {}", exact_bytes(bytes as u64 + 1), exact_bytes(bytes as u64))),
        (
            body[..bytes - 1].to_vec(),
            format!("it has {} instead of {}", exact_bytes(bytes as u64 - 1), exact_bytes(bytes as u64)),
        ),
        (Vec::new(), format!("it has 0 bytes instead of {}", exact_bytes(bytes as u64))),
    ] {
        overwrite(&store, &key, stored).await;
        for read in [ReadAmount::Structure, ReadAmount::All] {
            let found = report(&store, read).await;
            assert_eq!((found.damage_count, found.damage[0].what.as_str()), (1, expected.as_str()));
        }
        let error = restore_check(&store, &dump).await.unwrap_err().to_string();
        assert!(error.contains(&expected) && error.contains(key.as_str()), "{error}");
    }
    store.delete(std::slice::from_ref(&key)).await.unwrap();
    assert_eq!(report(&store, ReadAmount::Structure).await.damage[0].what, "it is missing");
    let error = restore_check(&store, &dump).await.unwrap_err().to_string();
    assert_eq!(error, format!("`{}` is damaged: `{key}`: it is missing", dump.key));
}

#[tokio::test]
async fn swapped_packs_of_one_size_are_found() {
    let store = MemoryStore::new();
    let tables: crate::test_dump::Tables<'_> = &[("a", &[&["1"]]), ("b", &[&["2"]])];
    let dump = TestDump::new("shop", "2026-11-01T03:00:00Z", tables);
    dump.publish(&store).await;
    let ((first, a), (second, b)) = (pack(&dump, 1), pack(&dump, 2));
    assert_eq!(a.len(), b.len());
    overwrite(&store, &first, b).await;
    overwrite(&store, &second, a).await;
    assert!(restore_check(&store, &dump).await.is_err());
    let found = report(&store, ReadAmount::All).await;
    assert_eq!(found.damage_count, 2);
    assert_eq!(
        found.damage.iter().filter_map(|damage| damage.table.as_deref()).collect::<Vec<_>>(),
        ["public.a", "public.b"]
    );
}

/// Publishes a dump whose manifest says something else about its rows than its packs hold.
async fn lying(change: impl FnOnce(&mut Manifest<DumpDetail>)) -> VerifyReport {
    let store = MemoryStore::new();
    let mut dump = TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP);
    change(&mut dump.manifest);
    dump.publish(&store).await;
    report(&store, ReadAmount::All).await
}

#[tokio::test]
async fn rows_that_are_not_what_the_manifest_says_are_found() {
    let said = |report: VerifyReport| report.damage.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let hash = lying(|manifest| manifest.detail.tables[0].data.row_hash.add_row(b"9\tmore")).await;
    assert!(said(hash).contains("rows of `public.customers`: 3 rows with hash"));
    let rows = lying(|manifest| manifest.detail.tables[1].data.rows = 3).await;
    assert!(said(rows).contains("rows of `public.orders`: 2 rows with hash"));
    let frame = lying(|manifest| manifest.detail.tables[0].data.frames[1].rows = 2).await;
    assert!(said(frame).contains("it has 1 row instead of 2"));
    let content = lying(|manifest| manifest.detail.tables[0].data.frames[0].content_bytes = 3).await;
    assert!(said(content).contains("its content is larger than the limit of 3 B"));
    let outside = lying(|manifest| manifest.detail.tables[0].data.frames[0].offset = 1 << 40).await;
    assert!(said(outside).contains("outside the object"));
    let nowhere = lying(|manifest| manifest.detail.tables[0].data.frames[0].part = 99).await;
    assert!(said(nowhere).contains("outside the object"));
    let twice = lying(|manifest| {
        let frame = manifest.detail.tables[0].data.frames[0].clone();
        manifest.detail.tables[0].data.frames.push(frame);
    })
    .await;
    assert!(said(twice).contains("overlap the frame before it"));
    let without_frames = lying(|manifest| {
        let mut table = manifest.detail.tables[0].clone();
        table.name = "invented".to_owned();
        table.data.frames.clear();
        manifest.detail.tables.push(table);
    })
    .await;
    assert!(said(without_frames).contains("`public.invented`: 0 rows"));
}

#[tokio::test]
async fn frames_that_are_no_zstd_are_found_although_their_digest_fits() {
    no_zstd_is_found(Some).await;
    no_zstd_is_found(|_| None).await;
}

/// `kept` says whether the dump has the digest, as ours have, or has not, as those of earlier versions.
async fn no_zstd_is_found(kept: fn(FrameDigest) -> Option<FrameDigest>) {
    let store = MemoryStore::new();
    let mut dump = TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP);
    let (key, body) = pack(&dump, 2);
    let wrong = Bytes::from(vec![7; body.len()]);
    let digest = backup_core::digest::Sha256Digest::of(&wrong);
    dump.manifest.parts[2].stored_sha256 = digest;
    let frame = &mut dump.manifest.detail.tables[1].data.frames[0];
    (frame.xxh3, frame.blake3) = (FrameHash::of(&wrong), kept(FrameDigest::of(&wrong)));
    dump.objects.insert(key, wrong);
    dump.publish(&store).await;
    restore_check(&store, &dump).await.unwrap();
    let found = report(&store, ReadAmount::All).await;
    assert!(found.damage[0].what.starts_with("it cannot be decompressed"), "{}", found.damage[0]);
}

#[tokio::test]
async fn every_dump_that_needs_a_damaged_object_is_named() {
    let (store, dump) = stored().await;
    let mut second = TestDump::new("shop", "2026-11-02T03:00:00Z", SHOP).with_sequence(2);
    second.manifest.parts[1] = dump.manifest.parts[1].clone();
    second.publish(&store).await;
    let (key, body) = pack(&dump, 1);
    overwrite(&store, &key, body[1..].to_vec()).await;
    let found = report(&store, ReadAmount::Structure).await;
    assert_eq!(found.key, second.key.to_string());
    assert_eq!(found.damage[0].dumps, [dump.key.to_string(), second.key.to_string()]);
}

#[tokio::test]
async fn slices_of_an_object_are_hashed_alone() {
    let (store, mut dump) = stored().await;
    let (key, body) = pack(&dump, 1);
    let shift = 5;
    let part = &mut dump.manifest.parts[1];
    (part.offset, part.length) = (Some(shift), Some(part.stored_bytes));
    for frame in &mut dump.manifest.detail.tables[0].data.frames {
        frame.offset += shift;
    }
    overwrite(&store, &key, [b"other".as_slice(), &body, b"more"].concat()).await;
    restore_check(&store, &dump).await.unwrap();
    overwrite(&store, &dump.key.manifest().unwrap(), dump.manifest.to_bytes().unwrap()).await;
    report(&store, ReadAmount::All).await.into_result().unwrap();
    overwrite(&store, &key, [b"other".as_slice(), &body[..body.len() - 1]].concat()).await;
    assert!(restore_check(&store, &dump).await.is_err());
}

#[tokio::test]
async fn single_files_are_checked_as_far_as_they_can_be() {
    let archive = include_bytes!("../../../tests/fixtures/archive/pg15.dump");
    let store = MemoryStore::new();
    let put = async |text: &str, body: &'static [u8]| {
        let key = Key::new(text).unwrap();
        store.put(&key, Bytes::from_static(body), &PutOptions::new(PutMode::Create)).await.unwrap();
    };
    put("old/2020-01-01-00-00-00-000000.default.dump", archive).await;
    put("old/2020-01-02-00-00-00-000000.default.dump", b"not an archive").await;
    let check = async |key: &str| verify(&store, key, ReadAmount::All, 1, &Run::silent()).await.unwrap();
    let good = check("old/2020-01-01").await.into_result().unwrap();
    assert!(good.without_digests);
    assert_eq!(good.bytes_read, archive.len() as u64);
    let bad = check("old/2020-01-02").await;
    assert_eq!(bad.damage[0].what, "it is not an archive of `pg_dump -Fc`");
}

#[test]
fn amounts_are_read_as_they_are_written() {
    for text in ["none", "all", "1/1", "3/7"] {
        assert_eq!(text.parse::<ReadAmount>().unwrap().to_string(), text);
    }
    for wrong in ["", "0/3", "4/3", "1/0", "x", "1/", "-1/2", "10%"] {
        assert!(matches!(wrong.parse::<ReadAmount>(), Err(PgError::Usage { .. })), "{wrong}");
    }
}
