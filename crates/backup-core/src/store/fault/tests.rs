//! The harms do what they are called.

use futures_util::TryStreamExt;

use super::*;
use crate::error::StoreError;
use crate::pipeline::read_all;
use crate::store::PutMode;
use crate::store::memory::MemoryStore;

fn key() -> Key {
    Key::new("x").unwrap()
}

async fn with(harm: impl Into<Rule>) -> Faults<MemoryStore> {
    let inner = MemoryStore::new();
    inner.put(&key(), Bytes::from_static(b"content"), &PutOptions::new(PutMode::Create)).await.unwrap();
    Faults::new(inner, vec![harm.into()])
}

#[tokio::test]
async fn conforms_without_rules() {
    crate::store::conformance::run(Arc::new(Faults::new(MemoryStore::new(), Vec::new()))).await;
}

#[tokio::test]
async fn bodies_are_flipped_cut_and_shortened() {
    assert_eq!(read_all(&with(Harm::LastByteFlip).await, &key(), 100).await.unwrap(), "contenu");
    let error = read_all(&with(Harm::TruncatedRead(3)).await, &key(), 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    assert_eq!(read_all(&with(Harm::SilentlyShortRead(3)).await, &key(), 100).await.unwrap(), "con");
}

#[tokio::test]
async fn a_lost_response_was_a_success_and_an_interrupted_put_was_none() {
    let new = Key::new("new").unwrap();
    for (harm, there) in [(Harm::LostResponse, true), (Harm::PutInterrupted, false)] {
        let store = with(Rule::new(harm).on(Verb::Put)).await;
        let error = store.put(&new, Bytes::new(), &PutOptions::new(PutMode::Create)).await.unwrap_err();
        assert!(error.is_ambiguous());
        assert_eq!(store.head(&new).await.is_ok(), there);
        assert_eq!(store.harmed(), 1);
    }
}

#[tokio::test]
async fn listings_omit_what_is_new_and_show_what_is_not() {
    let store = with(Harm::ListOmitsNewest(std::time::Duration::from_secs(60))).await;
    assert_eq!(store.list("", None).try_collect::<Vec<_>>().await.unwrap(), []);
    let store = with(Harm::ListOmitsNewest(std::time::Duration::ZERO)).await;
    assert_eq!(store.list("", None).try_collect::<Vec<_>>().await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_key_of_many_is_not_deleted() {
    let store = with(Rule::new(Harm::DeleteFails).where_key_contains("x")).await;
    let outcomes = store.delete(&[Key::new("a").unwrap(), key(), Key::new("b").unwrap()]).await.unwrap();
    assert_eq!(outcomes.iter().map(|outcome| outcome.result.is_ok()).collect::<Vec<_>>(), [true, false, true]);
    store.head(&key()).await.unwrap();
}
