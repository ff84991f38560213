//! The lease that was claimed, and what its holder does with it.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use tokio::sync::Mutex;

use super::error::{LeaseError, LeaseResult};
use super::record::{self, Claim, RECORD_BYTES_MAX, Record};
use super::versioned::{Versioned, is_open, versioned};
use crate::clock::{Stopwatch, SystemStopwatch, Timestamp};
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{PutMode, PutOptions, StoreWrite, Tag};

/// Times one claim or renewal begins again because what was read changed meanwhile. Each time somebody else was quicker,
/// or a request of ours arrived late; more of them in a row are no race.
const ROUNDS_MAX: usize = 8;

/// A lease is renewed so many times within its duration, so that two renewals in a row may fail.
const RENEWALS_PER_TTL: u32 = 3;

/// A renewal that failed is tried again so many times within the duration of the lease.
const TRIES_PER_TTL: u32 = 20;

/// Who claims a lease, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whose it will be, for people: host, process and what for.
    pub holder: String,
    /// How long it lasts unless it is renewed, from [`TTL_MIN`](super::TTL_MIN) to [`TTL_MAX`](super::TTL_MAX). After a
    /// holder that died nobody can have it for a little longer than this.
    pub ttl: Duration,
}

/// A lease that was claimed. It ends by itself if it is not renewed; dropping it releases nothing.
#[derive(Debug)]
pub struct Lease {
    pub(super) store: Arc<dyn StoreWrite>,
    key: Key,
    id: uuid::Uuid,
    pub(super) generation: u64,
    ttl: Duration,
    stopwatch: Arc<dyn Stopwatch>,
    stored: Mutex<Stored>,
    ends: SyncMutex<End>,
}

/// What the store has, as far as is known.
#[derive(Debug)]
struct Stored {
    tag: Tag,
    record: Record,
}

/// When the lease ends, by the stopwatch.
#[derive(Debug)]
enum End {
    At(Duration),
    Lost { why: String },
}

impl Lease {
    /// Claims the lease `key`, if nobody has it.
    ///
    /// # Errors
    /// [`LeaseError::Held`] if somebody has it; [`StoreError::Unsuitable`] if the store does not honour conditions; what
    /// the store says, after which the lease may be held in this claim's name until it expires.
    pub async fn claim(store: Arc<dyn StoreWrite>, key: Key, terms: &Terms) -> LeaseResult<Self> {
        Self::claim_by(store, key, terms, Arc::new(SystemStopwatch)).await
    }

    /// As [`Lease::claim`], and takes over at once what an earlier holder of exactly this name left. Only for a caller that
    /// knows that this one has died, such as by a lock of the machine's own that both need.
    ///
    /// # Errors
    /// As [`Lease::claim`].
    pub async fn resume(store: Arc<dyn StoreWrite>, key: Key, terms: &Terms) -> LeaseResult<Self> {
        Self::decided(store, key, terms, Arc::new(SystemStopwatch), record::resume).await
    }

    /// As [`Lease::claim`], with time measured by `stopwatch`.
    ///
    /// # Errors
    /// As [`Lease::claim`].
    pub async fn claim_by(
        store: Arc<dyn StoreWrite>,
        key: Key,
        terms: &Terms,
        stopwatch: Arc<dyn Stopwatch>,
    ) -> LeaseResult<Self> {
        Self::decided(store, key, terms, stopwatch, record::claim).await
    }

    async fn decided(
        store: Arc<dyn StoreWrite>,
        key: Key,
        terms: &Terms,
        stopwatch: Arc<dyn Stopwatch>,
        decide: fn(Option<&Record>, &Record, Timestamp) -> Claim,
    ) -> LeaseResult<Self> {
        record::check_ttl(terms.ttl)?;
        // Whatever of this claim is stored bears a time of the store's that is no earlier.
        let asked = stopwatch.elapsed();
        let wanted = Record::new(&terms.holder, uuid::Uuid::now_v7(), terms.ttl);
        let mut found = read(&*store, &key).await?;
        for _ in 0..ROUNDS_MAX {
            let now = store.now().await?;
            let (mode, record) = match decide(found.as_ref().map(|found| &found.record), &wanted, now) {
                Claim::Create(record) => (PutMode::Create, record),
                Claim::Replace(record) => match found {
                    Some(found) => (PutMode::IfMatch(found.tag), record),
                    None => (PutMode::Create, record),
                },
                Claim::Held { by, until } => {
                    return Err(LeaseError::Held { key: key.to_string(), holder: by, until });
                }
                Claim::Ours => break,
            };
            let put = put(&*store, &key, &record, mode).await;
            found = read_after(&*store, &key, put).await?;
        }
        let stored = found.filter(|found| found.record.id == wanted.id).ok_or_else(|| conflict(&key))?;
        let lease = Self {
            id: stored.record.id,
            generation: stored.record.generation,
            ttl: terms.ttl,
            stored: Mutex::new(stored),
            ends: SyncMutex::new(End::At(asked + terms.ttl)),
            store,
            key,
            stopwatch,
        };
        lease.prove().await?;
        lease.check()?;
        Ok(lease)
    }

    /// The number of this claim: later ones have greater ones.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The lease's key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Whether it is still ours, by the stopwatch: asks nobody. Once it was lost it stays lost.
    ///
    /// # Errors
    /// [`LeaseError::Lost`].
    pub fn check(&self) -> LeaseResult<()> {
        let mut ends = self.ends();
        if let End::At(end) = *ends
            && self.stopwatch.elapsed() >= end
        {
            *ends = End::Lost { why: "it was not renewed in time".to_owned() };
        }
        match &*ends {
            End::At(_) => Ok(()),
            End::Lost { why } => Err(self.lost_because(why.clone())),
        }
    }

    /// Makes it last for its whole duration from now.
    ///
    /// # Errors
    /// [`LeaseError::Lost`], for good; what the store says, after which it is ours for as long as it was.
    pub async fn renew(&self) -> LeaseResult<()> {
        let mut stored = self.stored.lock().await;
        self.check()?;
        let asked = self.stopwatch.elapsed();
        let now = self.store.now().await?;
        for _ in 0..ROUNDS_MAX {
            let renewed = stored.record.renewed(now);
            let put = put(&*self.store, &self.key, &renewed, PutMode::IfMatch(stored.tag.clone())).await;
            *stored = self.ours(read_after(&*self.store, &self.key, put).await?)?;
            if stored.record == renewed {
                self.check()?;
                *self.ends() = End::At(asked + self.ttl);
                return Ok(());
            }
        }
        Err(conflict(&self.key))
    }

    /// Gives it back, so that somebody else can have it at once.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] if it was lost before; what the store says, after which it ends by itself.
    pub async fn release(self) -> LeaseResult<()> {
        let stored = self.stored.lock().await;
        let released = stored.record.released();
        let put = put(&*self.store, &self.key, &released, PutMode::IfMatch(stored.tag.clone())).await;
        if put.is_ok() {
            return Ok(());
        }
        match read_after(&*self.store, &self.key, put).await? {
            Some(found) if found.record == released => Ok(()),
            found => {
                self.ours(found)?;
                Err(conflict(&self.key))
            }
        }
    }

    /// Does `work` and renews the lease all the while. Work is dropped as soon as the lease is lost.
    ///
    /// # Errors
    /// [`LeaseError::Lost`], also if it was lost just before `work` ended.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> LeaseResult<T> {
        self.check()?;
        match select(pin!(work), pin!(self.renewals())).await {
            Either::Left((done, _)) => self.check().map(|()| done),
            Either::Right((lost, _)) => Err(lost),
        }
    }

    /// Renews it until it is lost.
    async fn renewals(&self) -> LeaseError {
        let mut pause = self.ttl / RENEWALS_PER_TTL;
        loop {
            let end = match *self.ends() {
                End::At(end) => end,
                End::Lost { .. } => Duration::ZERO,
            };
            let left = end.saturating_sub(self.stopwatch.elapsed());
            tokio::time::sleep(pause.min(left)).await;
            if let Err(lost) = self.check() {
                return lost;
            }
            // A request that hangs must not hide that the time is over.
            let left = end.saturating_sub(self.stopwatch.elapsed());
            pause = match tokio::time::timeout(left, self.renew()).await {
                Ok(Ok(())) => self.ttl / RENEWALS_PER_TTL,
                Ok(Err(lost @ LeaseError::Lost { .. })) => return lost,
                // It stays ours until its end, and the store may be back before.
                Ok(Err(_)) | Err(_) => self.ttl / TRIES_PER_TTL,
            };
        }
    }

    /// Makes sure that the store refuses a replacement whose condition is not met, as one that ignores conditions would
    /// give the lease to everybody.
    async fn prove(&self) -> LeaseResult<()> {
        let stored = self.stored.lock().await;
        // Other bytes than those stored, or a retry would take the refusal for its own earlier success.
        let second = stored.record.renewed(stored.record.renewed_at);
        let wrong = PutMode::IfMatch(Tag("\"0\"".to_owned()));
        match put(&*self.store, &self.key, &second, wrong).await {
            Err(StoreError::Precondition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => Err(StoreError::Unsuitable {
                what: format!(
                    "`{}` has no conditional writes: it replaced `{}` though it had to refuse",
                    self.store.describe(),
                    self.key
                ),
                help: "name a store that honours `If-Match`, such as Amazon S3, or a folder".into(),
            }
            .into()),
        }
    }

    /// What the store has, if that is ours; else the lease is lost.
    fn ours(&self, found: Option<Stored>) -> LeaseResult<Stored> {
        let why = match found {
            Some(found) if found.record.id == self.id => return Ok(found),
            Some(found) => format!("`{}` has it now", found.record.holder),
            None => "its object was deleted".to_owned(),
        };
        Err(self.lose(why))
    }

    pub(super) fn lose(&self, why: String) -> LeaseError {
        *self.ends() = End::Lost { why: why.clone() };
        self.lost_because(why)
    }

    fn lost_because(&self, why: String) -> LeaseError {
        LeaseError::Lost { key: self.key.to_string(), generation: self.generation, why }
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, End> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record and its version. The version is asked for first: if the record is newer, a replacement of that version fails.
async fn read(store: &dyn StoreWrite, key: &Key) -> LeaseResult<Option<Stored>> {
    match versioned(store, key, RECORD_BYTES_MAX).await? {
        None => Ok(None),
        Some(Versioned { tag, bytes }) => Ok(Some(Stored { tag, record: Record::parse(key, &bytes)? })),
    }
}

/// What the store has after a write that was made, refused, or whose fate is unknown.
async fn read_after(store: &dyn StoreWrite, key: &Key, put: Result<(), StoreError>) -> LeaseResult<Option<Stored>> {
    match put {
        Err(error) if !is_open(&error) => Err(error.into()),
        Err(error) if error.is_ambiguous() => read(store, key).await.map_err(|_| error.into()),
        _ => read(store, key).await,
    }
}

async fn put(store: &dyn StoreWrite, key: &Key, record: &Record, mode: PutMode) -> Result<(), StoreError> {
    store.put(key, Bytes::from(record.to_json()), &PutOptions::new(mode)).await
}

/// Others were quicker each time.
pub(super) fn conflict(key: &Key) -> LeaseError {
    StoreError::Precondition { key: key.to_string() }.into()
}
