//! One restore of a database at a time.

use crate::adapters::connection::{Server, Session};
use crate::error::{PgError, PgResult};
use crate::state::target_number;

/// First half of our advisory locks' key: `lgpg` in ASCII. The second is the target's number.
const LOCK_CLASS: i32 = 0x6c67_7067;

/// A session that holds the advisory lock of a target for as long as it lives: a killed run's lock goes with its
/// connection.
#[derive(Debug)]
pub struct TargetLock {
    _session: Session,
}

impl TargetLock {
    /// Takes the lock of `target`.
    ///
    /// # Errors
    /// [`PgError::Locked`], naming the session that has it.
    pub async fn acquire(server: &Server, target: &str) -> PgResult<Self> {
        let session = server.connect_admin_for(target).await?;
        match try_number(session, target_number(target)).await? {
            Ok(lock) => Ok(lock),
            Err(session) => {
                let holder = holder(&session, target_number(target)).await.unwrap_or_default();
                Err(PgError::Locked { database: target.to_owned(), holder })
            }
        }
    }

    /// Takes the lock of the target of that number, unless somebody has it.
    pub(crate) async fn try_acquire(server: &Server, target: &str, number: u32) -> PgResult<Option<Self>> {
        let session = server.connect_admin_for(target).await?;
        Ok(try_number(session, number).await?.ok())
    }
}

/// The lock's second half: the same 32 bits, as the signed number the server wants.
fn key(number: u32) -> i32 {
    i32::from_ne_bytes(number.to_ne_bytes())
}

async fn try_number(session: Session, number: u32) -> PgResult<Result<TargetLock, Session>> {
    let row = session
        .query_one("SELECT pg_catalog.pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &key(number)])
        .await
        .map_err(|error| PgError::sql("taking the target's lock", error))?;
    Ok(if row.get(0) { Ok(TargetLock { _session: session }) } else { Err(session) })
}

async fn holder(session: &Session, number: u32) -> Option<String> {
    let row = session
        .query_opt(
            "SELECT a.pid, a.backend_start::timestamp(0)::text, coalesce(host(a.client_addr), 'a local socket') \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.granted \
               AND l.objsubid = 2 LIMIT 1",
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
