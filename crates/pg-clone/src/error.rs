//! Errors of dumps and restores; callers decide by the variant.

use backup_core::retention::RetentionError;
use backup_core::run::Cancelled;
use backup_core::{CoreError, FormatError, StoreError};

use crate::hook::Point;

/// A failed dump, restore, listing or check.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum PgError {
    /// The location failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// A manifest cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Format(#[from] FormatError),
    /// Retention refused.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Retention(#[from] RetentionError),
    /// The server cannot be reached or does not let us in.
    #[error("cannot connect to {server}")]
    #[diagnostic(code("pg::unreachable"))]
    Unreachable {
        /// Host, port and database, without secrets.
        server: String,
        /// The next thing to do.
        #[help]
        help: String,
        /// What the driver said.
        #[source]
        source: backup_core::error::Cause,
    },
    /// The server was lost while we worked.
    #[error("the connection to the server was lost while {doing}")]
    #[diagnostic(
        code("pg::lost"),
        help("nothing was published or swapped. See the server's log, then run the command again")
    )]
    Lost {
        /// What we were doing.
        doing: String,
        /// What the driver said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server refused a statement.
    #[error("{doing} failed: {message}")]
    #[diagnostic(code("pg::sql"))]
    Sql {
        /// What we were doing.
        doing: String,
        /// The server's message, with detail and hint.
        message: String,
        /// SQLSTATE (PostgreSQL manual, appendix A).
        sqlstate: String,
        /// The next thing to do, if the code tells, and what is still safe.
        #[help]
        help: Option<String>,
    },
    /// `pg_dump` or `pg_restore` failed.
    #[error("`{program}` {how}")]
    #[diagnostic(code("pg::tool"))]
    Tool {
        /// The program's path.
        program: String,
        /// `ended with exit code 1`, `was killed by signal 9`.
        how: String,
        /// The last lines it printed, and what to do.
        #[help]
        help: String,
    },
    /// A hook of the user's failed, took too long or could not be started.
    #[error("the {point} hook `{hook}` {how}")]
    #[diagnostic(code("pg::hook"))]
    Hook {
        /// When it ran.
        point: Point,
        /// The command line or the SQL file.
        hook: String,
        /// `ended with exit code 1`, `took longer than 1h and was ended`.
        how: String,
        /// The last lines it printed, and what is still safe.
        #[help]
        help: String,
    },
    /// A program is missing or of the wrong version.
    #[error("{what}")]
    #[diagnostic(code("pg::tool_missing"))]
    ToolMissing {
        /// Which, and why it will not do.
        what: String,
        /// The next thing to do.
        #[help]
        help: String,
    },
    /// What is stored is not what was written: missing, shorter, longer or changed.
    #[error("`{dump}` is damaged: {what}")]
    #[diagnostic(
        code("pg::integrity"),
        help(
            "nothing was restored. Run `lastgood pg ls` to find another dump, and `lastgood pg verify KEY` to check \
              it"
        )
    )]
    Integrity {
        /// The dump's key.
        dump: String,
        /// Which object, and what differs.
        what: String,
    },
    /// What was restored is not what was dumped.
    #[error("the restored copy differs from the dump: {what}")]
    #[diagnostic(code("pg::mismatch"), help("the live database was not touched"))]
    Mismatch {
        /// The first differences.
        what: String,
    },
    /// What would stand in a live database is not what was dumped.
    #[error("the rows in `{database}` would differ from the dump: {what}")]
    #[diagnostic(
        code("pg::rows_differ"),
        help(
            "everything was rolled back, nothing was changed. To see the dump's rows, restore it into another \
             database with \
             --into NAME, without --data-only"
        )
    )]
    RowsDiffer {
        /// The live database.
        database: String,
        /// The first differences.
        what: String,
    },
    /// There is no such dump.
    #[error("there is no dump `{wanted}` in {location}")]
    #[diagnostic(code("pg::no_dump"), help("run `lastgood pg ls` to list dumps"))]
    NoDump {
        /// What was asked for.
        wanted: String,
        /// Where it was looked for.
        location: String,
    },
    /// There is no such database.
    #[error("there is no database `{database}` on {server}")]
    #[diagnostic(code("pg::no_database"))]
    NoDatabase {
        /// The database.
        database: String,
        /// The server.
        server: String,
    },
    /// Another restore of the same database is running.
    #[error("another lastgood is restoring `{database}` now{holder}")]
    #[diagnostic(code("pg::locked"), help("nothing was changed. Wait for it to end"))]
    Locked {
        /// The target database.
        database: String,
        /// Who, if the server tells: ` (pid 4711, since …)`.
        holder: String,
    },
    /// Another session asked for an exclusive lock on a table while the dump was still taking its own locks: it waits for
    /// us, and we would wait for it.
    #[error("another session asked for an exclusive lock on {table} while it was being dumped")]
    #[diagnostic(code("pg::lock_race"), help("nothing was published. Run the dump again after the migration"))]
    LockRace {
        /// The table, as far as it is known.
        table: String,
    },
    /// The schema changed around a snapshot that `pg_dump` could not share.
    #[error("the schema changed while it was dumped")]
    #[diagnostic(code("pg::schema_race"), help("nothing was published. Run the dump again after the migration"))]
    SchemaRace,
    /// Something we will not do as things are.
    #[error("{what}")]
    #[diagnostic(code("pg::refused"))]
    Refused {
        /// What, and why not.
        what: String,
        /// The next thing to do.
        #[help]
        help: String,
    },
    /// Somebody has to confirm first.
    #[error("{what}")]
    #[diagnostic(code("pg::confirm"))]
    Confirm {
        /// What would be replaced.
        what: String,
        /// How to confirm.
        #[help]
        help: String,
    },
    /// A guard forbids it, and no confirmation helps.
    #[error("{what}")]
    #[diagnostic(
        code("pg::forbidden"),
        help(
            "nothing was changed. No option overrides this; restore on another server, or change the setting that \
             forbids it"
        )
    )]
    Forbidden {
        /// What is forbidden, and who says so.
        what: String,
    },
    /// An argument or setting that cannot be used.
    #[error("{what}")]
    #[diagnostic(code("pg::usage"))]
    Usage {
        /// Which, and what is wrong with it.
        what: String,
        /// The next thing to do.
        #[help]
        help: String,
    },
    /// The caller asked to stop, and everything begun was cleared away.
    #[error("interrupted; nothing was published or swapped")]
    #[diagnostic(code("pg::interrupted"))]
    Interrupted,
}

/// Result of everything here.
pub type PgResult<T> = Result<T, PgError>;

impl From<Cancelled> for PgError {
    fn from(_: Cancelled) -> Self {
        Self::Interrupted
    }
}

impl From<CoreError> for PgError {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Store(error) => Self::Store(error),
            CoreError::Format(error) => Self::Format(error),
            CoreError::Retention(error) => Self::Retention(error),
            CoreError::Cancelled => Self::Interrupted,
            taken @ CoreError::Taken { .. } => Self::Refused {
                what: taken.to_string(),
                help: "run only one of the two at a time, then run this one again".to_owned(),
            },
            other => Self::Refused { what: other.to_string(), help: "this is unexpected: please report it".to_owned() },
        }
    }
}

impl PgError {
    /// Sorts a driver error: a lost connection or a statement the server refused. `doing` begins with a verb in -ing
    /// form, such as `locking the tables`.
    #[must_use]
    pub fn sql(doing: impl Into<String>, source: tokio_postgres::Error) -> Self {
        let doing = doing.into();
        match source.as_db_error() {
            // 57P0x: the server is going down, and with it everything we asked of it.
            Some(db) if !db.code().code().starts_with("57P0") => {
                let mut message = db.message().to_owned();
                for extra in [db.detail(), db.hint()].into_iter().flatten() {
                    message.push_str("; ");
                    message.push_str(extra);
                }
                let sqlstate = db.code().code().to_owned();
                let help = remedy(&sqlstate).map(str::to_owned);
                Self::Sql { doing, message, sqlstate, help }
            }
            _ => Self::Lost { doing, source },
        }
    }

    /// The same, said of a copy that nobody uses yet.
    pub(crate) fn before_the_switch(self) -> Self {
        const SAFE: &str = "the live database was not touched";
        let Self::Sql { doing, message, sqlstate, help } = self else { return self };
        let help = help.map_or(SAFE.to_owned(), |help| format!("{help}; {SAFE}"));
        Self::Sql { doing, message, sqlstate, help: Some(help) }
    }

    /// Whether trying the same again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Store(error) => error.is_permanent(),
            Self::Unreachable { .. }
            | Self::Lost { .. }
            | Self::Locked { .. }
            | Self::LockRace { .. }
            | Self::SchemaRace => false,
            _ => true,
        }
    }
}

/// What to do when every connection of a server is taken.
pub(crate) const NO_CONNECTION: &str = "every connection is taken: run with fewer --jobs, or raise max_connections";

/// The next thing to do when the server refuses a statement, for codes that everybody meets.
fn remedy(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        "42501" => "the role lacks a privilege for it: connect as one that has it, or GRANT it",
        "53100" => "the server's disk is full: free up space, and run the command again",
        "53300" => NO_CONNECTION,
        "55P03" => "another session has it locked: run the command again, or with a longer --lock-timeout",
        _ => return None,
    })
}
