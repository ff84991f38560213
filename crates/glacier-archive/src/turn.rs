//! Whose turn it is to change the backups of one name: one process at a time, on whichever machine.
//!
//! Two machines that archive the same folder to a vault at the same time would both pay for each file, because a vault cannot be
//! asked what it has; and a prune could delete what a backup is about to name. So both hold the lease of the name
//! ([`backup_core::lease`]). A process that was stopped for longer than its lease lasts, and goes on as if nothing had
//! happened, is covered on both sides: a backup reserves what it will name before it looks whether that is there
//! ([`backup_core::prune::reserve`]), and a prune looks at its stopwatch before each request that deletes
//! ([`Turn::guarded`]).

mod guard;

use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use backup_core::lease::{Lease, LeaseError, Terms};
use backup_core::probe;
use backup_core::store::{SharedStore, StoreWrite};
use backup_core::{CoreError, StoreError};

use self::guard::Guarded;
use crate::error::{GlacierError, GlacierResult};
use crate::key;
use crate::state::State;

/// How long a turn lasts after a machine died: long enough for a store that does not answer for a while, and nobody who
/// replaces the machine is faster.
pub const TTL: Duration = Duration::from_secs(120);

/// A turn. It ends by itself if it is not renewed.
#[derive(Debug)]
pub struct Turn {
    /// None where the store has no conditional replacement, and so cannot tell whose turn it is.
    lease: Option<Arc<Lease>>,
}

impl Turn {
    /// Takes the turn for the backups called `name`. Needs the lock of `state`, by which a process that died before is known to
    /// have died: its turn is taken over at once. A server that creates conditionally and does not replace conditionally has no
    /// turns to give: everybody has one there, which is said in the log.
    ///
    /// # Errors
    /// [`GlacierError::Lease`] if another machine, or another folder of this one, has it; what the store says, also if it is no
    /// location.
    pub async fn take(store: &SharedStore, state: &State, name: &str) -> GlacierResult<Self> {
        key::check_name(name)?;
        probe::require(&**store).await?;
        let terms = Terms { holder: holder(state)?, ttl: TTL };
        let store: Arc<dyn StoreWrite> = store.clone();
        match Lease::resume(store, key::lease(name)?, &terms).await {
            Ok(lease) => Ok(Self { lease: Some(Arc::new(lease)) }),
            Err(LeaseError::Core(CoreError::Store(error @ StoreError::Unsuitable { .. }))) => {
                tracing::warn!(%error, "two machines that archive at the same time do not notice each other");
                Ok(Self { lease: None })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Does `work` while the turn is kept. It is dropped as soon as the turn is lost.
    ///
    /// # Errors
    /// Those of `work`; [`GlacierError::Lease`].
    pub async fn during<T, E: From<GlacierError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        match &self.lease {
            Some(lease) => lease.during(work).await.map_err(GlacierError::from)?,
            None => work.await,
        }
    }

    /// `store`, which refuses to delete and to write once the turn is over.
    #[must_use]
    pub fn guarded(&self, store: &SharedStore) -> SharedStore {
        match &self.lease {
            Some(lease) => Arc::new(Guarded { inner: store.clone(), lease: lease.clone() }),
            None => store.clone(),
        }
    }

    /// Gives the turn back, so that others need not wait. If that fails it ends by itself.
    pub async fn end(self) {
        let Some(lease) = self.lease.and_then(Arc::into_inner) else { return };
        if let Err(error) = lease.release().await {
            tracing::debug!(%error, "the turn was not given back, and ends by itself");
        }
    }

    /// Does `work` in the turn, and gives it back.
    ///
    /// # Errors
    /// As [`Turn::during`].
    pub async fn within<T, E: From<GlacierError>>(self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let done = self.during(work).await;
        self.end().await;
        done
    }
}

/// Whoever holds the lock of this folder, and nobody else: a copy of the folder has another number.
fn holder(state: &State) -> GlacierResult<String> {
    let folder = state.folder();
    let found = std::fs::metadata(folder).map_err(|error| GlacierError::folder("read", folder, error))?;
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    Ok(format!("{host}:{} ({:x}-{:x})", folder.display(), found.dev(), found.ino()))
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use backup_core::key::Key;
    use backup_core::location::{Init, init_store};
    use backup_core::store::memory::MemoryStore;
    use backup_core::store::{Bytes, PutMode, PutOptions, StoreDelete as _, StoreRead as _};

    use super::*;

    async fn location() -> SharedStore {
        let store: SharedStore = Arc::new(MemoryStore::new());
        init_store(&store, &Init::new(&key::LAYOUTS)).await.unwrap();
        store
    }

    fn machine(folder: &tempfile::TempDir, name: &str) -> State {
        State::open(&folder.path().join(name), "x", "mem:").unwrap().locked().unwrap()
    }

    #[tokio::test]
    async fn another_machine_waits_and_the_same_goes_on_after_it_died() {
        let (store, folder) = (location().await, tempfile::tempdir().unwrap());
        let one = machine(&folder, "one");
        let died = Turn::take(&store, &one, "x").await.unwrap();
        let other = machine(&folder, "other");
        let held = Turn::take(&store, &other, "x").await.unwrap_err();
        assert!(held.to_string().contains("one"), "it says who: {held}");
        Turn::take(&store, &other, "y").await.unwrap();
        let again = Turn::take(&store, &one, "x").await.unwrap();
        assert!(died.lease.as_ref().unwrap().renew().await.is_err(), "it has been overtaken");
        again.end().await;
        Turn::take(&store, &other, "x").await.unwrap().end().await;
    }

    #[tokio::test]
    async fn whoever_has_lost_the_turn_deletes_nothing() {
        let (store, folder) = (location().await, tempfile::tempdir().unwrap());
        let state = machine(&folder, "one");
        let key = Key::new("glacier/x/bundles/1").unwrap();
        store.put(&key, Bytes::from_static(b"x"), &PutOptions::new(PutMode::Create)).await.unwrap();
        let turn = Turn::take(&store, &state, "x").await.unwrap();
        let guarded = turn.guarded(&store);
        // Somebody else takes it: the next renewal notices.
        store.delete(&[key::lease("x").unwrap()]).await.unwrap();
        turn.lease.as_ref().unwrap().renew().await.unwrap_err();
        let outcomes = guarded.delete(std::slice::from_ref(&key)).await;
        assert!(outcomes.is_err(), "{outcomes:?}");
        guarded.put(&key, Bytes::new(), &PutOptions::new(PutMode::Replace)).await.unwrap_err();
        store.head(&key).await.unwrap();
    }
}
