//! Sessions of a server: who is connected, and ending them.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::adapters::connection::Session;
use crate::adapters::sql::words::Words;
use crate::error::{PgError, PgResult};

/// Whether the row `a` of `pg_stat_activity` is a session that our role may end (PostgreSQL manual, "Server Signaling
/// Functions"): a superuser may end all, others those of roles they are members of, and with pg_signal_backend all but
/// superusers'. What has no role is the server's own; a rename asks it to end.
const MAY_END: &str = "EXISTS (SELECT FROM pg_catalog.pg_roles me, pg_catalog.pg_roles theirs \
    WHERE me.rolname = current_user AND theirs.oid = a.usesysid AND (me.rolsuper OR NOT theirs.rolsuper \
      AND (pg_has_role(theirs.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))))";

/// The server process of a session. When the connection is lost it may still be at work, even at COMMIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    pid: i32,
    started: String,
}

/// A session, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    /// Its server process.
    pub(crate) pid: i32,
    /// Its role.
    pub(crate) role: String,
}

/// A session, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connected {
    /// Its server process.
    pub(crate) pid: i32,
    /// Its database.
    pub(crate) database: String,
}

/// Process id of the session's server process.
pub(crate) async fn own_pid(session: &Session) -> PgResult<i32> {
    let row = session
        .query_one("SELECT pg_catalog.pg_backend_pid()", &[])
        .await
        .map_err(|error| PgError::sql("looking at our own session", error))?;
    Ok(row.get(0))
}

/// What another session of our role waits for, as type and name of the event; nothing if it does not wait, or is not there.
pub(crate) async fn waits_for(session: &Session, pid: i32) -> PgResult<Option<(String, String)>> {
    const EVENT: &str =
        "SELECT wait_event_type, wait_event FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND wait_event IS NOT NULL";
    let rows = as_logged_in(session, "looking at our other session", EVENT, &[&pid]).await?;
    Ok(rows.first().map(|row| (row.get(0), row.get(1))))
}

/// The session's server process, so that it can be told from a later one of the same number.
pub(crate) async fn own_backend(session: &Session) -> PgResult<Backend> {
    const OWN: &str = "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity \
        WHERE pid = pg_catalog.pg_backend_pid()";
    let doing = "looking at our own session";
    let rows = as_logged_in(session, doing, OWN, &[]).await?;
    let known = |row: &Row| Some(Backend { pid: row.get(0), started: row.get::<_, Option<String>>(1)? });
    let hidden = || PgError::internal("the server does not show our own session", "nothing was changed");
    rows.first().and_then(known).ok_or_else(hidden)
}

/// Asks as the role that logged in, in a transaction of its own. `ALTER ROLE … SET role` makes another of it, to whom the
/// server shows nothing of our own sessions.
async fn as_logged_in(
    session: &Session,
    doing: &str,
    query: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> PgResult<Vec<Row>> {
    let sql = |error| PgError::sql(doing.to_owned(), error);
    session.batch_execute("BEGIN; SET LOCAL ROLE none").await.map_err(sql)?;
    let answer = session.query(query, parameters).await.map_err(sql);
    let ended = session.batch_execute("COMMIT").await.map_err(sql);
    let rows = answer?;
    ended?;
    Ok(rows)
}

/// Ends a server process; true once it is gone.
pub(crate) async fn end_backend(admin: &Session, backend: &Backend) -> PgResult<bool> {
    const END: &str = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
        WHERE pid = $1 AND backend_start::text = $2";
    let rows = as_logged_in(admin, "ending our lost session", END, &[&backend.pid, &backend.started]).await?;
    Ok(rows.is_empty())
}

/// Ends the session of that process id.
pub(crate) async fn end(admin: &Session, pid: i32) -> PgResult<()> {
    let ended = admin.execute("SELECT pg_catalog.pg_terminate_backend($1)", &[&pid]).await;
    ended.map(|_| ()).map_err(|error| PgError::sql("ending a session", error))
}

/// Stops the statement of the session of that process id.
pub(crate) async fn cancel(admin: &Session, pid: i32) -> PgResult<()> {
    admin
        .query("SELECT pg_catalog.pg_cancel_backend($1)", &[&pid])
        .await
        .map_err(|error| PgError::sql("stopping the copy", error))?;
    Ok(())
}

/// Sessions of a database that only others may end.
pub(crate) async fn not_ours_to_end(admin: &Session, database: &str) -> PgResult<Vec<Owned>> {
    let rows = admin
        .query(
            &format!(
                "SELECT a.pid, a.usename::text FROM pg_catalog.pg_stat_activity a \
                 WHERE a.datname = $1 AND a.pid <> pg_catalog.pg_backend_pid() AND a.usesysid IS NOT NULL AND NOT {MAY_END} \
                 ORDER BY 1"
            ),
            &[&database],
        )
        .await
        .map_err(|error| PgError::sql("looking at the sessions of the live database", error))?;
    Ok(rows.iter().map(|row| Owned { pid: row.get(0), role: row.get::<_, Words>(1).0 }).collect())
}

/// Asks every session of these databases but `spared` that we may end to end, and tells which were still there.
/// Autovacuum's end by themselves: a rename asks them to, and only a superuser could.
pub(crate) async fn end_all(admin: &Session, databases: &[String], spared: &[i32]) -> PgResult<Vec<Connected>> {
    // Whoever is no superuser is told nothing of others' sessions but their role, not even what kind they are.
    let statement = format!(
        "SELECT pid, CASE WHEN usesysid IS NULL OR {MAY_END} THEN pg_catalog.pg_terminate_backend(pid) END, datname::text \
         FROM pg_catalog.pg_stat_activity a WHERE datname = ANY ($1) AND pid <> pg_catalog.pg_backend_pid() \
           AND pid <> ALL ($2) \
           AND (usesysid IS NOT NULL OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))"
    );
    let rows = admin
        .query(&statement, &[&databases, &spared])
        .await
        .map_err(|error| PgError::sql("ending the sessions of the live database", error))?;
    Ok(rows.iter().map(|row| Connected { pid: row.get(0), database: row.get(2) }).collect())
}

/// Ends the sessions of a database but our own and `spared`, and tells which there were. What has no role is the server's own,
/// as autovacuum, and only a superuser may end it: it ends by itself, for the server asks it to. Whoever is no superuser is not
/// told what kind a session is, but whose.
pub(crate) async fn end_all_but(admin: &Session, database: &str, spared: i32) -> PgResult<Vec<i32>> {
    let rows = admin
        .query(
            "SELECT pid, pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
             WHERE datname = $1 AND pid NOT IN (pg_catalog.pg_backend_pid(), $2) AND usesysid IS NOT NULL",
            &[&database, &spared],
        )
        .await
        .map_err(|error| PgError::sql(format!("ending the sessions of `{database}`"), error))?;
    Ok(rows.iter().map(|row: &Row| row.get(0)).collect())
}

/// What kind of process it is, as far as we may know: `client backend, psql`.
pub(crate) async fn kind_of(admin: &Session, pid: i32) -> PgResult<Option<String>> {
    let row = admin
        .query_opt(
            "SELECT nullif(concat_ws(', ', backend_type, nullif(application_name, '')), '') \
             FROM pg_catalog.pg_stat_activity WHERE pid = $1",
            &[&pid],
        )
        .await
        .map_err(|error| PgError::sql("looking whom the server waits for", error))?;
    Ok(row.and_then(|row| row.get(0)))
}

/// Everything that uses a database but our own sessions and `spared`, in words.
pub(crate) async fn users_but(admin: &Session, database: &str, spared: i32) -> PgResult<Vec<String>> {
    let rows = admin
        .query(
            "SELECT 'server process ' || pid FROM pg_catalog.pg_stat_activity \
               WHERE datname = $1 AND pid NOT IN (pg_catalog.pg_backend_pid(), $2) \
             UNION ALL SELECT 'prepared transaction `' || gid || '`' FROM pg_catalog.pg_prepared_xacts \
               WHERE database = $1",
            &[&database, &spared],
        )
        .await
        .map_err(|error| PgError::sql("looking who is connected", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
