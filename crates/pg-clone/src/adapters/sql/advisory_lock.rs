//! Our advisory locks: one class, and a number for each target.

use std::time::Duration;

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
    /// When it last did something, if we may know.
    pub(crate) heard: Option<String>,
    /// For how long it has done nothing; not told amid a statement.
    pub(crate) silent_for: Option<Duration>,
}

impl Holder {
    /// `server process 4711, since 2026-11-30 03:00:00+00 from 10.0.0.5`, for people.
    pub(crate) fn told(&self) -> String {
        format!("server process {}, since {} from {}", self.pid, self.since, self.from)
    }
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

/// Does nothing, which others see.
pub(crate) async fn beat(session: &Session) -> PgResult<()> {
    session.batch_execute("SELECT").await.map_err(|error| PgError::sql("holding the target's lock", error))
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

/// The server process that has a lock and drops a database, as far as our role may know.
pub(crate) async fn dropping(session: &Session, number: u32) -> PgResult<Option<i32>> {
    let row = session
        .query_opt(
            "SELECT a.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.granted \
               AND l.objsubid = 2 AND a.state = 'active' AND a.query ILIKE 'DROP DATABASE %' LIMIT 1",
            &[&i64::from(LOCK_CLASS), &i64::from(number)],
        )
        .await
        .map_err(|error| PgError::sql("looking what is done with the target's lock", error))?;
    Ok(row.map(|row| row.get(0)))
}

/// Another session that has a lock, in whatever database.
pub(crate) async fn holder(session: &Session, number: u32) -> PgResult<Option<Holder>> {
    let row = session
        .query_opt(
            "SELECT a.pid, a.backend_start::timestamp(0)::text, coalesce(host(a.client_addr), 'a local socket'), \
               a.state_change::text, CASE WHEN a.state <> 'active' \
                 THEN extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change)::float8 END \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.granted \
               AND l.objsubid = 2 AND l.pid <> pg_catalog.pg_backend_pid() LIMIT 1",
            &[&i64::from(LOCK_CLASS), &i64::from(number)],
        )
        .await
        .map_err(|error| PgError::sql("looking who has the target's lock", error))?;
    Ok(row.map(|row| Holder {
        pid: row.get(0),
        since: row.get::<_, Option<String>>(1).unwrap_or_else(|| "an unknown time".to_owned()),
        from: row.get(2),
        heard: row.get(3),
        silent_for: row.get::<_, Option<f64>>(4).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    }))
}
