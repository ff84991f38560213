//! Reads objects and hashes what arrives.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};

use super::hash::OrderedHasher;
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::key::Key;
use crate::manifest::Part;
use crate::store::{ByteStream, StoreRead, StoreResult};
use crate::units::{self, exact_bytes};

/// Most bytes set aside for an object before any of it has come.
const AHEAD_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Reads a whole object of at most `max_bytes` bytes.
///
/// # Errors
/// [`StoreError::Damaged`] if it is larger; what the store says.
pub async fn read_all<S: StoreRead + ?Sized>(store: &S, key: &Key, max_bytes: u64) -> StoreResult<Bytes> {
    let mut stream = store.get(key, None).await?;
    let mut whole = BytesMut::new();
    while let Some(chunk) = stream.try_next().await? {
        if (whole.len() + chunk.len()) as u64 > max_bytes {
            let what = format!("it is larger than {}, the limit for objects of its kind", units::bytes(max_bytes));
            return Err(StoreError::Damaged { key: key.to_string(), what });
        }
        if whole.is_empty() && chunk.len() > whole.capacity() {
            whole = BytesMut::from(chunk);
        } else {
            whole.extend_from_slice(&chunk);
        }
    }
    Ok(whole.freeze())
}

/// Reads a whole part of at most `max_bytes` bytes; it has the size and the digest of the manifest, or is not returned.
///
/// # Errors
/// [`StoreError::Damaged`] if it is larger or another; what the store says.
pub async fn read_part(store: &dyn StoreRead, part: &Part, max_bytes: u64) -> StoreResult<Bytes> {
    if part.stored_bytes > max_bytes {
        let what = format!(
            "it has {}, more than the limit of {} for objects of its kind",
            units::bytes(part.stored_bytes),
            units::bytes(max_bytes)
        );
        return Err(StoreError::Damaged { key: part.key.to_string(), what });
    }
    let body = store.get(&part.key, None).await?;
    let mut body = verified(body, &part.key, part.stored_sha256, part.stored_bytes);
    // A manifest may claim anything: what it claims is not set aside before any of it has come.
    let mut whole = BytesMut::with_capacity(usize::try_from(part.stored_bytes.min(AHEAD_BYTES_MAX)).unwrap_or(0));
    while let Some(chunk) = body.try_next().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Passes `inner`, the body of `key`, on and ends with [`StoreError::Damaged`] unless it had `bytes` bytes of digest
/// `sha256`. Whoever must not act on unverified bytes waits for the end.
#[must_use]
pub fn verified(inner: ByteStream, key: &Key, sha256: Sha256Digest, bytes: u64) -> ByteStream {
    let damaged = {
        let key = key.to_string();
        move |what| StoreError::Damaged { key: key.clone(), what }
    };
    let start = Some((inner, OrderedHasher::default(), 0));
    let checked = futures_util::stream::try_unfold(start, move |state| {
        let damaged = damaged.clone();
        async move {
            let Some((mut inner, mut hasher, mut seen)) = state else { return Ok(None) };
            let Some(chunk) = inner.try_next().await? else {
                let found = hasher.finish().await?;
                return match () {
                    () if seen != bytes => {
                        Err(damaged(format!("it has {} instead of {}", exact_bytes(seen), exact_bytes(bytes))))
                    }
                    () if found != sha256 => Err(damaged(format!("its SHA-256 is {found} instead of {sha256}"))),
                    () => Ok(None),
                };
            };
            seen += chunk.len() as u64;
            if seen > bytes {
                return Err(damaged(format!("it has more than the expected {}", exact_bytes(bytes))));
            }
            hasher.update(chunk.clone(), None).await?;
            Ok(Some((chunk, Some((inner, hasher, seen)))))
        }
    });
    checked.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{PutMode, PutOptions, StoreWrite};

    async fn stored(body: &'static [u8]) -> (MemoryStore, Key) {
        let (store, key) = (MemoryStore::new(), Key::new("x").unwrap());
        store.put(&key, Bytes::from_static(body), &PutOptions::new(PutMode::Create)).await.unwrap();
        (store, key)
    }

    #[tokio::test]
    async fn c6_a_body_of_another_length_or_content_is_damaged_at_its_end() {
        let (store, key) = stored(b"content").await;
        for (digest, bytes, good) in [
            (Sha256Digest::of(b"content"), 7, true),
            (Sha256Digest::of(b"content"), 6, false),
            (Sha256Digest::of(b"content"), 8, false),
            (Sha256Digest::of(b"contenT"), 7, false),
        ] {
            let body = store.get(&key, None).await.unwrap();
            let result = verified(body, &key, digest, bytes).try_collect::<Vec<_>>().await;
            assert_eq!(result.is_ok(), good, "{result:?}");
            assert!(good || matches!(result, Err(StoreError::Damaged { .. })));
        }
    }

    #[tokio::test]
    async fn an_object_larger_than_expected_is_refused() {
        let (store, key) = stored(b"content").await;
        assert_eq!(read_all(&store, &key, 7).await.unwrap(), "content");
        assert!(matches!(read_all(&store, &key, 6).await, Err(StoreError::Damaged { .. })));
    }
}
