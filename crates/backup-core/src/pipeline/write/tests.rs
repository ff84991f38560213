//! Whatever the pieces, the object is their concatenation; whatever fails, there is none.

use proptest::prelude::*;

use super::*;
use crate::pipeline::read_all;
use crate::store::memory::MemoryStore;
use crate::store::{PutMode, StoreDelete, StoreRead};

fn key() -> Key {
    Key::new("pg/x").unwrap()
}

fn writer(store: &MemoryStore, part_bytes: usize, budget: &UploadBudget) -> ObjectWriter {
    let options = PutOptions { part_bytes, ..PutOptions::new(PutMode::Create) };
    ObjectWriter::new(Arc::new(store.clone()), key(), options, budget.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_pieces_become_one_object_and_the_budget_comes_back(
        pieces in proptest::collection::vec(0usize..5_000, 0..12),
        part_bytes in 1_000usize..4_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::new();
            let budget = UploadBudget::new(2_000);
            let free = budget.free_bytes();
            let mut writer = writer(&store, part_bytes, &budget);
            let mut whole = Vec::new();
            for (index, bytes) in pieces.iter().enumerate() {
                let piece = vec![index as u8; *bytes];
                whole.extend_from_slice(&piece);
                writer.write(piece.into()).await.unwrap();
            }
            let stored = writer.finish().await.unwrap();
            assert_eq!(stored, Stored { sha256: Sha256Digest::of(&whole), bytes: whole.len() as u64 });
            assert_eq!(read_all(&store, &key(), u64::MAX).await.unwrap(), whole);
            assert_eq!(budget.free_bytes(), free);
        });
    }

    #[test]
    fn ten_thousand_parts_suffice(expected in 0u64..1 << 45, least in 1usize..1 << 26) {
        let part_bytes = part_bytes_for(expected, least);
        prop_assert!(part_bytes >= least);
        prop_assert!(part_bytes as u64 * u64::from(PARTS_MAX) >= expected);
    }
}

#[tokio::test]
async fn one_full_part_is_a_single_put() {
    let store = MemoryStore::new();
    let mut writer = writer(&store, 1_000, &UploadBudget::default());
    writer.write(Bytes::from(vec![1; 1_000])).await.unwrap();
    assert_eq!(store.unfinished("").await.unwrap(), []);
    writer.finish().await.unwrap();
    assert_eq!(store.head(&key()).await.unwrap().bytes, 1_000);
}

#[tokio::test]
async fn c16_dropping_or_aborting_leaves_nothing() {
    for drops in [true, false] {
        let store = MemoryStore::new();
        let mut writer = writer(&store, 1_000, &UploadBudget::default());
        writer.write(Bytes::from(vec![1; 5_500])).await.unwrap();
        assert_eq!(store.unfinished("").await.unwrap().len(), 1);
        if drops {
            drop(writer);
            // The tasks hold the upload until the runtime has let go of them.
            tokio::task::yield_now().await;
        } else {
            writer.abort().await.unwrap();
        }
        assert_eq!(store.unfinished("").await.unwrap(), []);
        assert!(store.head(&key()).await.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn a_taken_key_fails_at_the_end_and_leaves_nothing() {
    let store = MemoryStore::new();
    store.put(&key(), Bytes::from_static(b"first"), &PutOptions::new(PutMode::Create)).await.unwrap();
    for bytes in [10, 10_000] {
        let mut writer = writer(&store, 1_000, &UploadBudget::default());
        writer.write(Bytes::from(vec![1; bytes])).await.unwrap();
        assert!(matches!(writer.finish().await, Err(StoreError::AlreadyExists { .. })));
    }
    assert_eq!(store.unfinished("").await.unwrap(), []);
    assert_eq!(read_all(&store, &key(), 100).await.unwrap(), "first");
}

#[tokio::test]
async fn an_interrupted_write_spoils_the_writer() {
    let store = MemoryStore::new();
    let budget = UploadBudget::new(1_000);
    let hold = budget.reserve(1_000).await;
    let mut writer = writer(&store, 1_000, &budget);
    let stuck =
        tokio::time::timeout(std::time::Duration::from_millis(5), writer.write(Bytes::from_static(b"lost"))).await;
    assert!(stuck.is_err());
    drop(hold);
    assert!(writer.write(Bytes::from_static(b"more")).await.is_err());
    assert!(writer.finish().await.is_err());
    assert!(store.head(&key()).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn an_upload_that_somebody_gave_up_is_not_told_of_as_a_lost_object() {
    let store = MemoryStore::new();
    let mut writer = writer(&store, 1_000, &UploadBudget::default());
    writer.write(Bytes::from(vec![1; 2_500])).await.unwrap();
    for upload in store.unfinished("").await.unwrap() {
        store.abort_unfinished(&upload).await.unwrap();
    }
    let error = writer.finish().await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Other { source, .. } if source.to_string().contains("was aborted")),
        "{error:?}"
    );
}
