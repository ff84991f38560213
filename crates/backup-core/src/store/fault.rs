//! A store with scripted faults, for tests.

mod harm;
mod script;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

pub use self::harm::Harm;
use self::harm::{After, Before};
use self::script::Script;
pub use self::script::{Chance, Rule};
use super::{
    ByteStream, DeleteOutcome, ListingOrder, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult,
    StoreWrite, UnfinishedUpload, Verb, Version,
};
use crate::digest::Sha256Digest;
use crate::key::Key;

/// A store that harms some of what it is asked.
#[derive(Debug)]
pub struct Faults<S> {
    store: S,
    script: Arc<Script>,
}

impl<S> Faults<S> {
    /// Wraps `store`; of the rules that fit an operation the first still in force acts.
    #[must_use]
    pub fn new(store: S, rules: Vec<Rule>) -> Self {
        Self { store, script: Arc::new(Script::new(rules, 0)) }
    }

    /// Wraps `store`; rules with [`Chance::PerMille`] throw dice that fall the same for the same `seed` and calls.
    #[must_use]
    pub fn seeded(store: S, seed: u64, rules: Vec<Rule>) -> Self {
        Self { store, script: Arc::new(Script::new(rules, seed)) }
    }

    /// How often harm was done.
    #[must_use]
    pub fn harmed(&self) -> u64 {
        self.script.harmed()
    }
}

/// Runs an operation between what the script does before and after it.
async fn run<T>(
    script: &Script,
    verb: Verb,
    key: &str,
    work: impl Future<Output = StoreResult<T>> + Send,
) -> StoreResult<T> {
    let harm = script.harm(verb, key);
    match Before::of(harm.as_ref()) {
        Before::Fail => return Err(harm::error(harm.as_ref(), verb, key)),
        Before::Wait(delay) => tokio::time::sleep(delay).await,
        Before::Go => {}
    }
    let value = work.await?;
    match After::of(harm.as_ref()) {
        After::LoseAnswer => Err(harm::error(harm.as_ref(), verb, key)),
        After::Go => Ok(value),
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreRead> StoreRead for Faults<S> {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        run(&self.script, Verb::Head, key.as_str(), self.store.head(key)).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let harm = self.script.harm(Verb::Get, key.as_str());
        match (Before::of(harm.as_ref()), After::of(harm.as_ref())) {
            (Before::Fail, _) | (_, After::LoseAnswer) => {
                return Err(harm::error(harm.as_ref(), Verb::Get, key.as_str()));
            }
            (Before::Wait(delay), _) => tokio::time::sleep(delay).await,
            (Before::Go, _) => {}
        }
        Ok(harm::harmed_body(harm, key, self.store.get(key, range).await?))
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let harm = self.script.harm(Verb::List, prefix);
        let listing = self.store.list(prefix, after);
        match (Before::of(harm.as_ref()), After::of(harm.as_ref()), harm) {
            (Before::Fail, _, harm) | (_, After::LoseAnswer, harm) => {
                let error = harm::error(harm.as_ref(), Verb::List, prefix);
                // What arrived before the failure is kept by whoever lists.
                listing.take(1).chain(stream::iter([Err(error)])).boxed()
            }
            (Before::Wait(delay), ..) => {
                stream::once(tokio::time::sleep(delay)).flat_map(|()| stream::empty()).chain(listing).boxed()
            }
            (_, _, Some(Harm::ListOmitsNewest(age))) => harm::without_newest(listing, age),
            _ => listing,
        }
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        run(&self.script, Verb::ListChildren, prefix, self.store.list_children(prefix)).await
    }

    async fn list_names(&self, prefix: &str) -> StoreResult<Vec<String>> {
        run(&self.script, Verb::ListChildren, prefix, self.store.list_names(prefix)).await
    }

    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        let first = keys.first().map_or("", Key::as_str);
        run(&self.script, Verb::Head, first, self.store.versions(keys)).await
    }

    fn describe(&self) -> String {
        self.store.describe()
    }

    fn unfollowed(&self) -> Vec<String> {
        self.store.unfollowed()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreWrite> StoreWrite for Faults<S> {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        run(&self.script, Verb::Put, key.as_str(), self.store.put(key, body, options)).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        let begun = self.store.multipart(key, options);
        let inner = run(&self.script, Verb::Begin, key.as_str(), begun).await?;
        Ok(Box::new(FaultUpload { inner, key: key.clone(), script: self.script.clone() }))
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        let first = keys.first().map_or("", Key::as_str);
        run(&self.script, Verb::MakeDurable, first, self.store.make_durable(keys)).await
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        run(&self.script, Verb::Now, "", self.store.now()).await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        run(&self.script, Verb::Order, "", self.store.listing_order()).await
    }
}

#[derive(Debug)]
struct FaultUpload {
    inner: Box<dyn Multipart>,
    key: Key,
    script: Arc<Script>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Multipart for FaultUpload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        run(&self.script, Verb::Part, self.key.as_str(), self.inner.part(number, body)).await
    }

    async fn complete(&self, parts: u32, digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        run(&self.script, Verb::Complete, self.key.as_str(), self.inner.complete(parts, digest, bytes)).await
    }

    async fn abort(&self) -> StoreResult<()> {
        run(&self.script, Verb::Abort, self.key.as_str(), self.inner.abort()).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreDelete> StoreDelete for Faults<S> {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let mut outcomes = Vec::with_capacity(keys.len());
        // One by one, so that a rule can harm one of a thousand.
        for key in keys {
            let deleted = run(&self.script, Verb::Delete, key.as_str(), self.store.delete(std::slice::from_ref(key)));
            let result = deleted.await.and_then(|outcomes| outcomes.into_iter().try_for_each(|outcome| outcome.result));
            outcomes.push(DeleteOutcome { key: key.clone(), result });
        }
        Ok(outcomes)
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        run(&self.script, Verb::Unfinished, prefix, self.store.unfinished(prefix)).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        let aborted = self.store.abort_unfinished(upload);
        run(&self.script, Verb::AbortUnfinished, upload.key.as_str(), aborted).await
    }
}

impl From<Harm> for Rule {
    fn from(harm: Harm) -> Self {
        Self::new(harm)
    }
}

#[cfg(test)]
mod tests;
