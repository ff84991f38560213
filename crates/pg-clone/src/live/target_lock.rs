//! One restore of a database at a time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::advisory_lock::Holder;
use crate::adapters::sql::{advisory_lock, cluster};
use crate::error::{PgError, PgResult};
use crate::live::state::{Written, target_number};

/// How often a holder shows that it lives; others take it to have vanished where it does not (`silence.rs`).
const BEAT: Duration = Duration::from_secs(2);

/// A session that holds the advisory lock of a target for as long as it lives: a killed run's lock goes with its
/// connection. What creates and renames databases for the target runs on this very session, so that the lock is free only
/// when the server does no more of that for its holder. What drops them does not: it may wait without end.
#[derive(Debug)]
pub struct TargetLock {
    session: Arc<Session>,
    target: String,
    /// The server's system identifier, if it says one.
    system: Option<i64>,
    /// Shows others that we live.
    _beat: AbortOnDropHandle<()>,
}

impl TargetLock {
    /// Takes the lock of `target`.
    ///
    /// # Errors
    /// [`PgError::Locked`], naming the session that has it.
    pub async fn acquire(server: &Server, target: &str) -> PgResult<Self> {
        let session = server.connect_admin_for(target).await?;
        match try_number(&session, target_number(target)).await? {
            true => Self::of(session, target).await,
            false => {
                let holder = advisory_lock::holder(&session, target_number(target)).await.ok().flatten();
                Err(locked(target, holder.as_ref()))
            }
        }
    }

    /// Takes the lock of the target of that number, unless somebody has it.
    pub(crate) async fn try_acquire(server: &Server, target: &str, number: u32) -> PgResult<Option<Self>> {
        let session = server.connect_admin_for(target).await?;
        match try_number(&session, number).await? {
            true => Ok(Some(Self::of(session, target).await?)),
            false => Ok(None),
        }
    }

    async fn of(session: Session, target: &str) -> PgResult<Self> {
        let system = cluster::system_identifier(&session).await?;
        let session = Arc::new(session);
        let beat = AbortOnDropHandle::new(tokio::spawn(beat(Arc::downgrade(&session))));
        Ok(Self { session, target: target.to_owned(), system, _beat: beat })
    }

    /// The database whose name is locked.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What a mark on the database of that oid is bound to.
    pub(crate) fn mark_on(&self, oid: u32) -> Written {
        Written::on(oid, self.system)
    }

    /// The server's system identifier, if it says one.
    pub(crate) fn system(&self) -> Option<i64> {
        self.system
    }

    /// The session that holds the lock, in a database that is not the target.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The same, for a task that must hold the lock to its own end.
    pub(crate) fn share(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }
}

/// An advisory lock belongs to the database of the session that takes it, and a role that may not enter `postgres` takes
/// it in `template1`: whoever has it in another database has it too.
async fn try_number(session: &Session, number: u32) -> PgResult<bool> {
    if !advisory_lock::try_take(session, number).await? {
        return Ok(false);
    }
    if !advisory_lock::held_by_others(session).await?.contains(&number) {
        return Ok(true);
    }
    advisory_lock::give_back(session, number).await?;
    Ok(false)
}

/// The error for a lock that `holder` has.
pub(crate) fn locked(target: &str, holder: Option<&Holder>) -> PgError {
    let holder = holder.map_or_else(String::new, |holder| format!(" ({})", holder.told()));
    PgError::Locked { database: target.to_owned(), holder }
}

/// Shows that the holder lives, as long as it does. In a transaction that failed the server refuses even that, and sees it.
async fn beat(session: Weak<Session>) {
    loop {
        tokio::time::sleep(BEAT).await;
        let Some(session) = session.upgrade() else { return };
        if advisory_lock::beat(&session).await.is_err() && session.is_closed() {
            return;
        }
    }
}
