//! Under which search path the server plans and computes what a live database defines.
//!
//! To plan a statement about a table, to empty it and to check its keys, the server reads the expressions of its indexes,
//! statistics and partitions, and the bodies of functions in them. What these name without a schema it finds only by the
//! path that the database has in use.

use crate::adapters::connection::Session;
use crate::adapters::sql::session_settings;
use crate::error::{PgError, PgResult};

/// A search path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchPath {
    /// None, as `pg_restore` has it, for sessions that set it so.
    Empty,
    /// That which the database has in use. Only for statements in which nothing of ours is found by it: all else that we
    /// say would mean whatever somebody has put on the path (CVE-2018-1058).
    InUse,
}

impl SearchPath {
    /// From here on the server finds names by this path.
    pub(crate) async fn enter(self, session: &Session) -> PgResult<()> {
        match self {
            Self::Empty => Ok(()),
            Self::InUse => session_settings::reset_search_path(session).await,
        }
    }

    /// From here on it finds none again that does not say its schema.
    pub(crate) async fn leave(self, session: &Session) -> PgResult<()> {
        match self {
            Self::Empty => Ok(()),
            Self::InUse => session_settings::empty_search_path(session).await,
        }
    }
}

/// Whether the server did not find something that it may find with a search path.
pub(crate) fn may_need_search_path(error: &PgError) -> bool {
    /// SQLSTATEs of undefined functions, tables, objects and schemas.
    const UNDEFINED: [&str; 4] = ["42883", "42P01", "42704", "3F000"];
    error.sqlstate().is_some_and(|code| UNDEFINED.contains(&code))
}
