//! Our advisory locks: one class, and a number for each target.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};

/// First half of our advisory locks' key: `lgpg` in ASCII. The second is the target's number.
const LOCK_CLASS: i32 = 0x6c67_7067;

/// A session that has a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its server process.
    pub(crate) pid: i32,
    /// When it began.
    pub(crate) since: String,
    /// Its client's address.
    pub(crate) from: String,
}

/// The lock's second half: the same 32 bits, as the signed number the server wants.
fn key(number: u32) -> i32 {
    i32::from_ne_bytes(number.to_ne_bytes())
}

/// Takes a lock for the session, unless another one of the same database has it.
pub(crate) async fn try_take(session: &Session, number: u32) -> PgResult<bool> {
    let row = session
        .query_one("SELECT pg_catalog.pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &key(number)])
        .await
        .map_err(|error| PgError::sql("taking the target's lock", error))?;
    Ok(row.get(0))
}

/// Gives a lock back that the session has.
pub(crate) async fn give_back(session: &Session, number: u32) -> PgResult<()> {
    session
        .execute("SELECT pg_catalog.pg_advisory_unlock($1, $2)", &[&LOCK_CLASS, &key(number)])
        .await
        .map_err(|error| PgError::sql("giving the target's lock back", error))?;
    Ok(())
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

/// Another session that has a lock, in whatever database.
pub(crate) async fn holder(session: &Session, number: u32) -> PgResult<Option<Holder>> {
    let row = session
        .query_opt(
            "SELECT a.pid, a.backend_start::timestamp(0)::text, coalesce(host(a.client_addr), 'a local socket') \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.granted \
               AND l.objsubid = 2 AND l.pid <> pg_catalog.pg_backend_pid() LIMIT 1",
            &[&i64::from(LOCK_CLASS), &i64::from(number)],
        )
        .await
        .map_err(|error| PgError::sql("looking who has the target's lock", error))?;
    Ok(row.map(|row| Holder { pid: row.get(0), since: row.get(1), from: row.get(2) }))
}
