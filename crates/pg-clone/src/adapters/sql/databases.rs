//! Databases as wholes: which there are, and what is made, marked, opened and dropped.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::database_settings::{create_database, within};
use crate::adapters::sql::server;
use crate::adapters::sql::words::Words;
use crate::error::{PgError, PgResult};
use crate::ident::{quote_ident, quote_literal};
use crate::stored::database_settings::DatabaseSettings;

/// SQLSTATE of a statement that a server does not know yet: syntax_error.
const UNKNOWN_SYNTAX: &str = "42601";

/// SQLSTATE of what cannot be dropped since somebody uses it: object_in_use.
const IN_USE: &str = "55006";

/// Codes with which `DROP DATABASE … WITH (FORCE)` fails where one without may not: PostgreSQL 12 does not know it; and it
/// asks for the right to end everybody in there, autovacuum too (insufficient_privilege), which ends by itself for the other.
const TRIED_WITHOUT_FORCE: [&str; 2] = [UNKNOWN_SYNTAX, "42501"];

/// The connection limit of a database that somebody began to drop (`DATCONNLIMIT_INVALID_DB` in PostgreSQL's
/// `pg_database.h`, since its releases of August 2023).
pub(super) const INVALID_LIMIT: i32 = -2;

/// A database of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) allow_connections: bool,
    pub(crate) is_template: bool,
    /// Whether dropping it was begun and not ended: then it can be dropped, and nothing else.
    pub(crate) is_invalid: bool,
    pub(crate) comment: Option<String>,
    pub(crate) owner: String,
    /// Whether the owner is our role, or a superuser.
    pub(crate) is_ours: bool,
}

/// How much there is of a database, and how many use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) oid: u32,
    /// Its size, if we may know.
    pub(crate) bytes: Option<u64>,
    /// Sessions but for our own.
    pub(crate) sessions: u64,
}

/// All databases, by oid.
pub(crate) async fn all(admin: &Session) -> PgResult<Vec<Database>> {
    databases(admin, "ORDER BY oid", &[]).await
}

/// The database of that name, if there is one.
pub(crate) async fn named(admin: &Session, name: &str) -> PgResult<Option<Database>> {
    Ok(databases(admin, "WHERE datname = $1", &[&name]).await?.pop())
}

/// The database of that oid, which a rename does not change, if it is there.
pub(crate) async fn with_oid(admin: &Session, oid: u32) -> PgResult<Option<Database>> {
    Ok(databases(admin, "WHERE oid = $1", &[&oid]).await?.pop())
}

async fn databases(admin: &Session, which: &str, parameters: &[&(dyn ToSql + Sync)]) -> PgResult<Vec<Database>> {
    let statement = format!(
        "SELECT oid, datname::text, datallowconn, datistemplate, pg_catalog.shobj_description(oid, 'pg_database'), \
           datconnlimit = {INVALID_LIMIT}, pg_catalog.pg_get_userbyid(datdba)::text, \
           EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = datdba AND (r.rolsuper OR r.rolname = current_user)) \
         FROM pg_catalog.pg_database {which}"
    );
    let rows =
        admin.query(&statement, parameters).await.map_err(|error| PgError::sql("looking at the databases", error))?;
    let database = |row: &Row| Database {
        oid: row.get(0),
        name: row.get::<_, Words>(1).0,
        allow_connections: row.get(2),
        is_template: row.get(3),
        comment: row.get::<_, Option<Words>>(4).map(|words| words.0),
        is_invalid: row.get(5),
        owner: row.get::<_, Words>(6).0,
        is_ours: row.get(7),
    };
    Ok(rows.iter().map(database).collect())
}

/// Sizes and clients of all databases but templates, by the databases' names.
pub(crate) async fn usages(admin: &Session) -> PgResult<Vec<Usage>> {
    let rows = admin
        .query(
            "SELECT d.oid, CASE WHEN has_database_privilege(d.oid, 'CONNECT') \
                THEN pg_catalog.pg_database_size(d.oid) END, \
               (SELECT count(*) FROM pg_catalog.pg_stat_activity a \
                WHERE a.datid = d.oid AND a.pid <> pg_catalog.pg_backend_pid() \
                  AND coalesce(a.backend_type = 'client backend', a.usesysid IS NOT NULL)) \
             FROM pg_catalog.pg_database d WHERE NOT d.datistemplate ORDER BY d.datname COLLATE \"C\"",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("listing the databases", error))?;
    Ok(rows.iter().map(usage).collect())
}

/// Size and sessions of the database of that name, if there is one.
pub(crate) async fn usage_of(admin: &Session, name: &str) -> PgResult<Option<Usage>> {
    let row = admin
        .query_opt(
            "SELECT d.oid, CASE WHEN has_database_privilege(d.oid, 'CONNECT') \
                THEN pg_catalog.pg_database_size(d.oid) END, \
               (SELECT count(*) FROM pg_catalog.pg_stat_activity a \
                WHERE a.datid = d.oid AND a.pid <> pg_catalog.pg_backend_pid() \
                  AND coalesce(a.backend_type = 'client backend', a.usesysid IS NOT NULL)) \
             FROM pg_catalog.pg_database d WHERE d.datname::text = $1",
            &[&name],
        )
        .await
        .map_err(|error| PgError::sql("looking for the target database", error))?;
    Ok(row.as_ref().map(usage))
}

fn usage(row: &Row) -> Usage {
    Usage {
        oid: row.get(0),
        bytes: row.get::<_, Option<i64>>(1).map(i64::unsigned_abs),
        sessions: row.get::<_, i64>(2).unsigned_abs(),
    }
}

/// The tablespace to name for a database that is to be like `target`, or else like one of `fallback`; none where the
/// server's default will do, for naming that takes a privilege of its own.
pub(crate) async fn tablespace(admin: &Session, target: &str, fallback: Option<&str>) -> PgResult<Option<String>> {
    let row = admin
        .query_opt(
            "SELECT t.spcname::text FROM pg_catalog.pg_tablespace t WHERE t.spcname <> 'pg_default' AND t.spcname = \
               coalesce((SELECT l.spcname FROM pg_catalog.pg_database d \
                         JOIN pg_catalog.pg_tablespace l ON l.oid = d.dattablespace WHERE d.datname = $1), $2)",
            &[&target, &fallback],
        )
        .await
        .map_err(|error| PgError::sql("looking for the tablespace", error))?;
    Ok(row.map(|row| row.get(0)))
}

/// Creates an empty database with the encoding and locale of `like`, or the server's defaults.
pub(crate) async fn create(
    admin: &Session,
    name: &str,
    like: Option<&DatabaseSettings>,
    tablespace: Option<&str>,
) -> PgResult<()> {
    let mut create = create_database(name, like, server::major(admin).await?);
    if let Some(tablespace) = tablespace {
        create.push_str(&format!(" TABLESPACE {}", quote_ident(tablespace)));
    }
    admin.batch_execute(&create).await.map_err(|error| PgError::sql("creating the temporary database", error))
}

/// Copies `source`, to which nobody may be connected, into a database that lets nobody in and has a connection limit.
pub(crate) async fn create_copy(admin: &Session, name: &str, source: &str, connection_limit: i32) -> PgResult<()> {
    let create = format!(
        "CREATE DATABASE {} TEMPLATE {} ALLOW_CONNECTIONS false CONNECTION LIMIT {connection_limit}",
        quote_ident(name),
        quote_ident(source)
    );
    admin.batch_execute(&create).await.map_err(|error| PgError::sql(format!("copying `{source}`"), error))
}

/// Whether [`create_copy`] has left the database as it made it.
pub(crate) async fn is_closed_with_limit(admin: &Session, name: &str, connection_limit: i32) -> PgResult<bool> {
    let row = admin
        .query_opt(
            "SELECT FROM pg_catalog.pg_database WHERE datname = $1 AND datconnlimit = $2 AND NOT datallowconn",
            &[&name, &connection_limit],
        )
        .await
        .map_err(|error| PgError::sql("looking at an unmarked database", error))?;
    Ok(row.is_some())
}

/// How many relations there are in the session's database that are not the server's own.
pub(crate) async fn count_relations(session: &Session) -> PgResult<u64> {
    let row = session
        .query_one(
            "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("looking into an unmarked database", error))?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// Gives the database its comment once more, within it, if it takes that.
///
/// # Errors
/// As [`Server::connect`], and what the server says.
pub(crate) async fn comment_within(server: &Server, database: &str, settings: &DatabaseSettings) -> PgResult<()> {
    let Some(text) = settings.comment.as_deref().filter(|text| !text.is_ascii()) else { return Ok(()) };
    match within(server, database, settings).await? {
        Some(session) => comment(&session, database, Some(text)).await,
        None => Ok(()),
    }
}

/// Sets or removes a database's comment.
pub(crate) async fn comment(admin: &Session, name: &str, text: Option<&str>) -> PgResult<()> {
    let text = text.map_or_else(|| "NULL".to_owned(), quote_literal);
    admin
        .batch_execute(&format!("COMMENT ON DATABASE {} IS {text}", quote_ident(name)))
        .await
        .map_err(|error| PgError::sql("marking the database", error))
}

/// Lets clients in.
pub(crate) async fn allow_connections(admin: &Session, name: &str) -> PgResult<()> {
    let open = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", quote_ident(name));
    admin.batch_execute(&open).await.map_err(|error| PgError::sql(format!("letting clients into `{name}`"), error))
}

/// Lets any number of clients in.
pub(crate) async fn allow_all_connections(admin: &Session, name: &str) -> PgResult<()> {
    let open = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1", quote_ident(name));
    admin.batch_execute(&open).await.map_err(|error| PgError::sql(format!("letting clients into `{name}`"), error))
}

/// Turns clients of all these away.
pub(crate) async fn forbid_connections(admin: &Session, names: &[String]) -> PgResult<()> {
    let close = close(names);
    admin.batch_execute(&close).await.map_err(|error| PgError::sql("turning clients away", error))
}

fn close(names: &[String]) -> String {
    let close = |name: &String| format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", quote_ident(name));
    names.iter().map(close).collect::<Vec<_>>().join("; ")
}

/// Drops a database with whoever is still connected to it (PostgreSQL 13 and newer).
pub(crate) async fn drop_if_exists(admin: &Session, name: &str) -> PgResult<()> {
    let quoted = quote_ident(name);
    let forced = match admin.batch_execute(&format!("DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")).await {
        Err(error) if error.code().is_some_and(|code| TRIED_WITHOUT_FORCE.contains(&code.code())) => error,
        other => return other.map_err(|error| dropping(name, error)),
    };
    match admin.batch_execute(&format!("DROP DATABASE IF EXISTS {quoted}")).await {
        // Whoever is in there may not be ended by us: that is what to say, and not that somebody is.
        Err(error) if error.code().is_some_and(|code| code.code() == IN_USE) && !is_unknown(&forced) => {
            Err(dropping(name, forced))
        }
        other => other.map_err(|error| dropping(name, error)),
    }
}

fn is_unknown(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code() == UNKNOWN_SYNTAX)
}

fn dropping(name: &str, error: tokio_postgres::Error) -> PgError {
    PgError::sql(format!("dropping `{name}`"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_is_closed() {
        let names = ["copy".to_owned(), "we\"ird".to_owned()];
        assert_eq!(
            close(&names),
            r#"ALTER DATABASE "copy" ALLOW_CONNECTIONS false; ALTER DATABASE "we""ird" ALLOW_CONNECTIONS false"#
        );
    }
}
