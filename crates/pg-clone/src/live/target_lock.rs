//! One restore of a database at a time.

use std::sync::Arc;

use crate::adapters::connection::{Server, Session};
use crate::error::{PgError, PgResult};
use crate::live::state::target_number;

/// First half of our advisory locks' key: `lgpg` in ASCII. The second is the target's number.
const LOCK_CLASS: i32 = 0x6c67_7067;

/// A session that holds the advisory lock of a target for as long as it lives: a killed run's lock goes with its
/// connection. What creates, renames and drops databases for the target runs on this very session, so that the lock is
/// free only when the server does nothing more for its holder.
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

/// The lock's second half: the same 32 bits, as the signed number the server wants.
fn key(number: u32) -> i32 {
    i32::from_ne_bytes(number.to_ne_bytes())
}

/// An advisory lock belongs to the database of the session that takes it, and a role that may not enter `postgres` takes
/// it in `template1`: whoever has it in another database has it too.
async fn try_number(session: &Session, number: u32) -> PgResult<bool> {
    let sql = |error| PgError::sql("taking the target's lock", error);
    let taken = session
        .query_one("SELECT pg_catalog.pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &key(number)])
        .await
        .map_err(sql)?;
    if !taken.get::<_, bool>(0) {
        return Ok(false);
    }
    let elsewhere = session
        .query_one(
            "SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid::bigint = $1 \
               AND objid::bigint = $2 AND objsubid = 2 AND granted AND pid <> pg_catalog.pg_backend_pid()",
            &[&i64::from(LOCK_CLASS), &i64::from(number)],
        )
        .await
        .map_err(sql)?;
    if elsewhere.get::<_, i64>(0) == 0 {
        return Ok(true);
    }
    session.execute("SELECT pg_catalog.pg_advisory_unlock($1, $2)", &[&LOCK_CLASS, &key(number)]).await.map_err(sql)?;
    Ok(false)
}

/// Numbers of the targets whose lock another session has, in whatever database.
pub(crate) async fn held_by_others(session: &Session) -> PgResult<Vec<u32>> {
    let rows = session
        .query(
            "SELECT DISTINCT objid FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid::bigint = $1 \
               AND objsubid = 2 AND granted AND pid <> pg_catalog.pg_backend_pid()",
            &[&i64::from(LOCK_CLASS)],
        )
        .await
        .map_err(|error| PgError::sql("looking for restores that run", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Refuses what another run is at work on.
///
/// # Errors
/// [`PgError::Locked`], as [`TargetLock::acquire`]; connection errors.
pub(crate) async fn refuse_if_held(server: &Server, target: &str) -> PgResult<()> {
    let session = server.connect_admin_for(target).await?;
    if !held_by_others(&session).await?.contains(&target_number(target)) {
        return Ok(());
    }
    let holder = holder(&session, target_number(target)).await.unwrap_or_default();
    Err(PgError::Locked { database: target.to_owned(), holder })
}

async fn holder(session: &Session, number: u32) -> Option<String> {
    let row = session
        .query_opt(
            "SELECT a.pid, a.backend_start::timestamp(0)::text, coalesce(host(a.client_addr), 'a local socket') \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.granted \
               AND l.objsubid = 2 AND l.pid <> pg_catalog.pg_backend_pid() LIMIT 1",
            &[&i64::from(LOCK_CLASS), &i64::from(number)],
        )
        .await
        .ok()??;
    Some(format!(
        " (server process {}, since {} from {})",
        row.get::<_, i32>(0),
        row.get::<_, String>(1),
        row.get::<_, String>(2)
    ))
}
