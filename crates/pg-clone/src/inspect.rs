//! Information about a server and its programs, for checks before the first dump.

use std::path::Path;

use serde::Serialize;

use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Need, Tool};
use crate::adapters::sql;
use crate::dump::{self, DumpOptions};
use crate::error::{PgResult, Problem};
use crate::live::{local, recover};
use crate::standing::Undertaking;

/// A server as it answers.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServerFacts {
    /// Host and port.
    pub server: String,
    /// `server_version`.
    pub version: String,
    /// The major version, such as 15.
    pub major: u32,
    /// The role we are.
    pub role: String,
    /// Whether the role may create databases, which a restore needs.
    pub may_create_databases: bool,
}

/// Whether a server lets dumps keep what did not change, without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IncrementalFacts {
    /// The role we are.
    pub role: String,
    /// Whether its version can summarize its write-ahead log, which names the pages that change.
    pub supported: bool,
    /// Whether it does (`summarize_wal`).
    pub summarizes: bool,
    /// Functions that the role may not call and a dump would.
    pub forbidden: Vec<String>,
    /// Whether the role may ask for a checkpoint (`pg_checkpoint`): a summary ends only where one begins.
    pub may_checkpoint: bool,
    /// Whether it is a standby, whose summaries end at checkpoints of its primary.
    pub in_recovery: bool,
}

/// Asks whether a dump of `database`, or, without one, of any, can keep what did not change.
///
/// # Errors
/// Connection errors.
pub async fn incremental(server: &Server, database: Option<&str>) -> PgResult<IncrementalFacts> {
    let session = match database {
        Some(database) => server.connect(database).await?,
        None => server.connect_admin().await?,
    };
    let sql::server::Facts { major, role, .. } = sql::server::facts(&session).await?;
    if major < dump::changes::SUMMARIES_MAJOR {
        let (forbidden, in_recovery) = (Vec::new(), false);
        return Ok(IncrementalFacts {
            role,
            supported: false,
            summarizes: false,
            forbidden,
            may_checkpoint: false,
            in_recovery,
        });
    }
    let sql::wal_summaries::Readiness { summarizes, forbidden, may_checkpoint, in_recovery } =
        sql::wal_summaries::readiness(&session).await?;
    Ok(IncrementalFacts { role, supported: true, summarizes, forbidden, may_checkpoint, in_recovery })
}

/// A program of PostgreSQL's.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Program {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
}

/// Asks the server who it is and who we are, in `database` or, without one, in `postgres`.
///
/// # Errors
/// Connection errors.
pub async fn server(server: &Server, database: Option<&str>) -> PgResult<ServerFacts> {
    Box::pin(facts(server, database)).await
}

async fn facts(server: &Server, database: Option<&str>) -> PgResult<ServerFacts> {
    let session = match database {
        Some(database) => server.connect(database).await?,
        None => server.connect_admin().await?,
    };
    let sql::server::Facts { version, major, role, may_create_databases } = sql::server::facts(&session).await?;
    Ok(ServerFacts { server: server.describe(), version, major, role, may_create_databases })
}

/// Looks whether all of `database` may be read, as a dump of it would; returns how many tables it has.
///
/// # Errors
/// What a dump refuses before it copies the first row: [`PgError::Unreadable`](crate::PgError::Unreadable) and [`PgError::RowsHidden`](crate::PgError::RowsHidden) naming what
/// cannot be read, [`PgError::Confirm`](crate::PgError::Confirm) where there is nothing, connection errors.
pub async fn dumpable(server: &Server, database: &str) -> PgResult<u64> {
    Box::pin(dump::count_readable(server, &DumpOptions::new(database))).await
}

/// What would stand against a restore over `database`.
///
/// # Errors
/// Connection errors.
pub async fn restorable(server: &Server, database: &str) -> PgResult<Vec<Problem>> {
    Box::pin(obstacles(server, database)).await
}

async fn obstacles(server: &Server, database: &str) -> PgResult<Vec<Problem>> {
    let admin = server.connect_admin_for(database).await?;
    let standing = sql::standing::read(&admin, &[database]).await?;
    let over = Undertaking { target: database, replaces: true, source: None, force: false };
    let mut problems = standing.problems(&server.describe(), over);
    problems.extend(local::half_dropped(&recover::look(&admin).await?, database));
    Ok(problems)
}

/// Finds `pg_dump` or `pg_restore` for a server of version `server_major`.
///
/// # Errors
/// [`PgError::ToolMissing`](crate::PgError::ToolMissing).
pub async fn program(name: &str, server_major: u32, pg_bin: Option<&Path>) -> PgResult<Program> {
    let tool = Tool::find(name, Need::server(server_major), pg_bin).await?;
    Ok(Program { path: tool.path.display().to_string(), version: tool.version })
}
