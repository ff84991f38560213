//! What a server says of itself and of our session.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};

/// A server, and our role on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// `server_version`.
    pub(crate) version: String,
    /// The major version.
    pub(crate) major: u32,
    /// The role we are.
    pub(crate) role: String,
    /// Whether it may create databases.
    pub(crate) may_create_databases: bool,
}

/// Who the server is, and who we are.
pub(crate) async fn facts(session: &Session) -> PgResult<Facts> {
    let row = session
        .query_one(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000, \
               current_user::text, rolsuper OR rolcreatedb \
             FROM pg_catalog.pg_roles WHERE rolname = current_user",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("asking the server who it is", error))?;
    Ok(Facts {
        version: row.get(0),
        major: row.get::<_, i32>(1).unsigned_abs(),
        role: row.get(2),
        may_create_databases: row.get(3),
    })
}

/// The server's major version.
pub(crate) async fn major(session: &Session) -> PgResult<u32> {
    let row = session
        .query_one("SELECT current_setting('server_version_num')::int / 10000", &[])
        .await
        .map_err(|error| PgError::sql("reading the server's version", error))?;
    Ok(row.get::<_, i32>(0).unsigned_abs())
}

/// How many locks all sessions of the server can have together (PostgreSQL manual, `max_locks_per_transaction`). There is
/// some more memory, but it is anybody's.
pub(crate) async fn lock_room(session: &Session) -> PgResult<u64> {
    let row = session
        .query_one(
            "SELECT current_setting('max_locks_per_transaction')::int8 \
               * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8)",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("reading the size of the lock table", error))?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// `session_replication_role`, by which somebody may have switched off all triggers, and with them the foreign keys.
pub(crate) async fn replication_role(session: &Session) -> PgResult<String> {
    let row = session
        .query_one("SELECT current_setting('session_replication_role')", &[])
        .await
        .map_err(|error| PgError::sql("looking whether foreign keys are checked", error))?;
    Ok(row.get(0))
}
