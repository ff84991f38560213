//! One restore of a database at a time.

use std::sync::Arc;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::advisory_lock;
use crate::error::{PgError, PgResult};
use crate::live::state::target_number;

/// A session that holds the advisory lock of a target for as long as it lives: a killed run's lock goes with its
/// connection. What creates and renames databases for the target runs on this very session, so that the lock is free only
/// when the server does no more of that for its holder. What drops them does not: it may wait without end.
#[derive(Debug)]
pub struct TargetLock {
    session: Arc<Session>,
    target: String,
}

impl TargetLock {
    /// Takes the lock of `target`.
    ///
    /// # Errors
    /// [`PgError::Locked`], naming the session that has it.
    pub async fn acquire(server: &Server, target: &str) -> PgResult<Self> {
        let session = server.connect_admin_for(target).await?;
        match try_number(&session, target_number(target)).await? {
            true => Ok(Self { session: Arc::new(session), target: target.to_owned() }),
            false => {
                let holder = holder(&session, target_number(target)).await.unwrap_or_default();
                Err(PgError::Locked { database: target.to_owned(), holder })
            }
        }
    }

    /// Takes the lock of the target of that number, unless somebody has it.
    pub(crate) async fn try_acquire(server: &Server, target: &str, number: u32) -> PgResult<Option<Self>> {
        let session = server.connect_admin_for(target).await?;
        let taken = try_number(&session, number).await?;
        Ok(taken.then(|| Self { session: Arc::new(session), target: target.to_owned() }))
    }

    /// The database whose name is locked.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
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

/// Refuses what another run is at work on.
///
/// # Errors
/// [`PgError::Locked`], as [`TargetLock::acquire`]; connection errors.
pub(crate) async fn refuse_if_held(server: &Server, target: &str) -> PgResult<()> {
    let session = server.connect_admin_for(target).await?;
    if !advisory_lock::held_by_others(&session).await?.contains(&target_number(target)) {
        return Ok(());
    }
    let holder = holder(&session, target_number(target)).await.unwrap_or_default();
    Err(PgError::Locked { database: target.to_owned(), holder })
}

/// Who has the lock, for the end of a sentence.
async fn holder(session: &Session, number: u32) -> Option<String> {
    let holder = advisory_lock::holder(session, number).await.ok()??;
    Some(format!(" (server process {}, since {} from {})", holder.pid, holder.since, holder.from))
}
