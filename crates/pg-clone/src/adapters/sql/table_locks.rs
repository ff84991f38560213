//! Locks of tables that are dumped.

use crate::adapters::connection::{DrivenSession, Session};
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;

/// SQLSTATE of a lock that somebody else has: lock_not_available.
pub(crate) const NOT_AVAILABLE: &str = "55P03";

/// Frees what was locked for the units before: in a transaction, locks are kept but for those behind a savepoint that is
/// rolled back to (PostgreSQL manual, 13.3). The leader's locks stay, and they are what protects the dump.
const LET_GO: &str = "ROLLBACK TO SAVEPOINT lastgood_units";

/// Locks these tables against changes, waiting as long as the session waits for locks.
pub(crate) async fn share(session: &Session, tables: &[QualifiedName]) -> PgResult<()> {
    let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", alone(tables));
    session.batch_execute(&lock).await.map_err(|error| PgError::sql("locking the tables", error))
}

/// Locks them at once or not at all: behind a waiting ACCESS EXCLUSIVE request, which itself waits for the leader, we would
/// wait for ever.
pub(crate) async fn share_now(session: &mut DrivenSession, tables: &[QualifiedName]) -> PgResult<()> {
    run_now(session, "", tables).await
}

/// [`share_now`], and lets go what was locked since [`mark`].
pub(crate) async fn share_now_instead(session: &mut DrivenSession, tables: &[QualifiedName]) -> PgResult<()> {
    run_now(session, &format!("{LET_GO}; "), tables).await
}

async fn run_now(session: &mut DrivenSession, before: &str, tables: &[QualifiedName]) -> PgResult<()> {
    let lock = format!("{before}LOCK TABLE {} IN ACCESS SHARE MODE NOWAIT", alone(tables));
    session.batch_execute(&lock).await.map_err(|error| match error.as_db_error() {
        // The message names the relation.
        Some(db) if db.code().code() == NOT_AVAILABLE => {
            PgError::LockRace { table: db.message().rsplit(" on ").next().unwrap_or("a table").to_owned() }
        }
        _ => PgError::sql("locking the tables", error),
    })
}

/// From here on [`share_now_instead`] lets go.
pub(crate) async fn mark(session: &mut DrivenSession) -> PgResult<()> {
    let marked = session.batch_execute("SAVEPOINT lastgood_units").await;
    marked.map_err(|error| PgError::sql("locking the tables", error))
}

/// Who has one of these tables for themselves: sessions, and transactions that are prepared and belong to none.
pub(crate) async fn exclusive_holders(admin: &Session, oids: &[u32]) -> PgResult<Vec<String>> {
    let rows = admin
        .query(
            "SELECT DISTINCT coalesce('pid ' || a.pid, 'the prepared transaction `' || x.gid || '`') FROM pg_catalog.pg_locks l \
             LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             LEFT JOIN pg_catalog.pg_locks own ON l.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid' \
               AND own.virtualtransaction = l.virtualtransaction \
             LEFT JOIN pg_catalog.pg_prepared_xacts x ON x.transaction = own.transactionid \
             WHERE l.locktype = 'relation' AND l.relation = ANY ($1) AND l.mode = 'AccessExclusiveLock' AND l.granted \
               AND (a.pid IS NOT NULL OR x.gid IS NOT NULL) ORDER BY 1",
            &[&oids],
        )
        .await
        .map_err(|error| PgError::sql("looking who has locked the tables", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn alone(tables: &[QualifiedName]) -> String {
    tables.iter().map(|table| format!("ONLY {}", table.quoted())).collect::<Vec<_>>().join(", ")
}
