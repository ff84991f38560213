//! Beginning and ending transactions; `doing` is what an error says was done.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;

/// Begins one.
pub(crate) async fn begin(session: &Session, doing: &str) -> PgResult<()> {
    run(session, "BEGIN", doing).await
}

/// Begins one by emptying a table, so that rows can be loaded frozen into it.
pub(crate) async fn begin_emptying(session: &Session, table: &QualifiedName, doing: &str) -> PgResult<()> {
    run(session, &format!("BEGIN; TRUNCATE ONLY {}", table.quoted()), doing).await
}

/// Commits it.
pub(crate) async fn commit(session: &Session, doing: &str) -> PgResult<()> {
    run(session, "COMMIT", doing).await
}

/// Rolls it back.
pub(crate) async fn roll_back(session: &Session, doing: &str) -> PgResult<()> {
    run(session, "ROLLBACK", doing).await
}

/// The name of the one place that a transaction of ours may return to.
const SAVEPOINT: &str = "lastgood";

/// Remembers a place to return to.
pub(crate) async fn set_savepoint(session: &Session, doing: &str) -> PgResult<()> {
    run(session, &format!("SAVEPOINT {SAVEPOINT}"), doing).await
}

/// Undoes what was done since then, and gives the locks back that were taken for it.
pub(crate) async fn return_to_savepoint(session: &Session, doing: &str) -> PgResult<()> {
    run(session, &format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}"), doing).await
}

async fn run(session: &Session, statement: &str, doing: &str) -> PgResult<()> {
    session.batch_execute(statement).await.map_err(|error| PgError::sql(doing, error))
}
