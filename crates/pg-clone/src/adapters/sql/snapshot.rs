//! A dump's transactions: the one that takes the snapshot, and those that import it.

use crate::adapters::connection::{DrivenSession, Session};
use crate::adapters::sql::session_settings::{RAW_ENCODING, READING};
use crate::error::{PgError, PgResult};
use crate::ident::quote_literal;

/// Begins the transaction that will take the snapshot: its first query does.
pub(crate) async fn begin(session: &Session, lock_timeout_ms: u128) -> PgResult<()> {
    let begin = format!("SET lock_timeout = {lock_timeout_ms}; BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    session.batch_execute(&begin).await.map_err(|error| PgError::sql("beginning the dump's transaction", error))
}

/// Takes the snapshot, and gives it a name by which others may import it.
pub(crate) async fn export(session: &Session) -> PgResult<String> {
    let row = session
        .query_one("SELECT pg_catalog.pg_export_snapshot()", &[])
        .await
        .map_err(|error| PgError::sql("exporting the snapshot", error))?;
    Ok(row.get(0))
}

/// Takes the snapshot for this session alone: the first statement that reads takes it.
pub(crate) async fn take(session: &Session) -> PgResult<()> {
    session.batch_execute("SELECT 1").await.map_err(|error| PgError::sql("taking the snapshot", error))
}

/// Fails if the transaction, and with it every lock, does not stand any more.
pub(crate) async fn still_holds(session: &Session) -> PgResult<()> {
    session.batch_execute("SELECT 1").await.map_err(|error| PgError::sql("holding the dump's snapshot", error))
}

/// Makes the session read rows as a dump does: in a transaction of its own by the snapshot of that name, or, without one,
/// in the one it is in. `raw_encoding` leaves bytes of no known encoding as they are.
pub(crate) async fn import(session: &mut DrivenSession, name: Option<&str>, raw_encoding: bool) -> PgResult<()> {
    let mut statements = vec![READING.to_owned()];
    if raw_encoding {
        statements.push(RAW_ENCODING.to_owned());
    }
    if let Some(name) = name {
        statements.push("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned());
        statements.push(format!("SET TRANSACTION SNAPSHOT {}", quote_literal(name)));
    }
    let imported = session.batch_execute(&statements.join("; ")).await;
    imported.map_err(|error| PgError::sql("importing the dump's snapshot", error))
}
