//! Errors of dumps and restores; callers decide by the variant.

mod kinds;
mod obstacle;

use std::fmt;

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;
use backup_core::retention::RetentionError;
use backup_core::run::Cancelled;
use backup_core::{CoreError, FormatError, StoreError};
use jiff::Timestamp;
use tokio::task::JoinError;

pub use self::obstacle::{Obstacle, Problem};
use crate::hook::Point;

/// Most bytes shown of where something happened: a deep recursion fills pages.
const CONTEXT_BYTES_MAX: usize = 1_000;

/// A failed dump, restore, listing or check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PgError {
    /// The location failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A manifest cannot be used.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Retention refused.
    #[error(transparent)]
    Retention(#[from] RetentionError),
    /// The core failed in another way.
    #[error(transparent)]
    Core(CoreError),
    /// The server cannot be reached or does not let us in.
    #[error("cannot connect to {server}")]
    Unreachable {
        /// Host, port and database, without secrets.
        server: String,
        /// The next thing to do.
        help: Remedy,
        /// What the driver said.
        #[source]
        source: backup_core::error::Cause,
    },
    /// The server was lost while we worked.
    #[error("the connection to the server was lost while {doing}")]
    Lost {
        /// What we were doing.
        doing: String,
        /// What the driver said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server refused a statement.
    #[error("{doing} failed: {message}")]
    Sql {
        /// What we were doing.
        doing: String,
        /// The server's message, with detail and hint.
        message: String,
        /// SQLSTATE (PostgreSQL manual, appendix A).
        sqlstate: String,
        /// The next thing to do, if the code tells, and what is still safe.
        help: Option<Remedy>,
    },
    /// `pg_dump` or `pg_restore` failed.
    #[error("`{program}` {how}")]
    Tool {
        /// The program's path.
        program: String,
        /// `ended with exit code 1`, `was killed by signal 9`.
        how: String,
        /// The last lines it printed, and what to do.
        help: Remedy,
    },
    /// A hook of the user's failed, took too long or could not be started.
    #[error("the {point} hook `{hook}` {how}")]
    Hook {
        /// When it ran.
        point: Point,
        /// The command line or the SQL file.
        hook: String,
        /// `ended with exit code 1`, `took longer than 1h and was ended`.
        how: String,
        /// The last lines it printed, and what is still safe.
        help: Remedy,
    },
    /// A program is missing or of the wrong version.
    #[error("{what}")]
    ToolMissing {
        /// Which, and why it will not do.
        what: String,
        /// The next thing to do.
        help: Remedy,
    },
    /// What is stored is not what was written: missing, shorter, longer or changed.
    #[error("`{dump}` is damaged: {what}")]
    Integrity {
        /// The dump's key.
        dump: String,
        /// Which object, and what differs.
        what: String,
    },
    /// What was restored is not what was dumped.
    #[error("the restored copy differs from the dump: {what}")]
    Mismatch {
        /// The first differences.
        what: String,
    },
    /// The server refused objects of the dump, each time they were tried.
    #[error("{what}")]
    Incomplete {
        /// All of them, a line each, with the server's words.
        what: String,
        /// The ways out, and what is still safe.
        help: Remedy,
    },
    /// What would stand in a live database is not what was dumped.
    #[error("the rows in `{database}` would differ from the dump: {what}")]
    RowsDiffer {
        /// The live database.
        database: String,
        /// The first differences.
        what: String,
    },
    /// There is no such dump.
    #[error("there is no dump `{wanted}` in {location}")]
    NoDump {
        /// What was asked for.
        wanted: String,
        /// Where it was looked for.
        location: String,
        /// Databases that have dumps there, the first few, if what was asked for was none of them.
        databases: Vec<String>,
    },
    /// There is no such database.
    #[error("there is no database `{database}` on {server}")]
    NoDatabase {
        /// The database.
        database: String,
        /// The server.
        server: String,
    },
    /// Another restore of the same database is running.
    #[error("another lastgood is restoring `{database}` now{holder}")]
    Locked {
        /// The target database.
        database: String,
        /// Who, if the server tells: ` (pid 4711, since …)`.
        holder: String,
    },
    /// Another session asked for an exclusive lock on a table while the dump was still taking its own locks: it waits for
    /// us, and we would wait for it.
    #[error("another session asked for an exclusive lock on {table} while it was being dumped")]
    LockRace {
        /// The table, as far as it is known.
        table: String,
    },
    /// The schema changed around a snapshot that `pg_dump` could not share.
    #[error("the schema changed while it was dumped")]
    SchemaRace,
    /// The tables were created, dropped or changed all the time while the dump looked at them.
    #[error("{what}")]
    TablesChanging {
        /// Which, and what became of them.
        what: String,
    },
    /// Another session held an exclusive lock on a table for longer than the dump waits.
    #[error("{holders} holds an exclusive lock on a table of the dump for longer than the lock timeout")]
    TableLocked {
        /// Which sessions, as `pid 4711`, or `another session`.
        holders: String,
    },
    /// The server has no room for the locks of all tables.
    #[error("the server's lock table is too small for so many tables")]
    LockTableFull,
    /// Rows that an earlier dump has were to be kept, and the table has others.
    #[error("the rows of `{table}` are not those that `{dump}` has, though no page of them was said to have changed")]
    SourceDiffers {
        /// The table.
        table: String,
        /// The earlier dump.
        dump: String,
    },
    /// Nothing but an incremental dump would do.
    #[error("`{database}` cannot be dumped incrementally: {why}")]
    NotIncremental {
        /// The database.
        database: String,
        /// Why all rows would be read.
        why: String,
    },
    /// The role may not read tables of the dump.
    #[error("no permission to read {tables}")]
    Unreadable {
        /// Their names.
        tables: String,
    },
    /// Row security would leave rows out of the dump without a word.
    #[error("row security would hide rows of {tables}")]
    RowsHidden {
        /// The tables' names.
        tables: String,
    },
    /// A row that the server cannot write as text, in which rows are copied.
    #[error("a row of `{table}` takes 1 GiB or more as text, which the server cannot copy: {message}")]
    RowTooLong {
        /// The table.
        table: String,
        /// The server's message.
        message: String,
    },
    /// The schema is larger than a dump takes.
    #[error("the schema of `{database}` takes more than {mib_max} MiB")]
    SchemaTooLarge {
        /// The database.
        database: String,
        /// How much a dump takes, in MiB.
        mib_max: u64,
    },
    /// The manifest, which names what the dump holds, would be larger than any program reads.
    #[error("a dump of `{database}` could not be published: {what}")]
    ManifestTooLarge {
        /// The database.
        database: String,
        /// What is too much, with the limit.
        what: String,
    },
    /// Something stands against it that was known before anything was changed.
    #[error(transparent)]
    Obstacle(Problem),
    /// Foreign keys are not checked in our session, so that rows alone could break them.
    #[error("foreign keys are switched off for this session: `session_replication_role` is `replica`")]
    ForeignKeysOff,
    /// Putting rows alone into a live database failed, and all of it was rolled back.
    #[error("{doing} failed: {message}")]
    RolledBack {
        /// What we were doing.
        doing: String,
        /// The server's message, with detail and hint.
        message: String,
        /// SQLSTATE (PostgreSQL manual, appendix A).
        sqlstate: String,
        /// The next thing to do, and what is still safe.
        help: Remedy,
    },
    /// The connection was lost during the commit of rows alone: they are all there, or none is.
    #[error("the connection was lost while the rows of `{database}` were committed: {source}")]
    Uncertain {
        /// The live database.
        database: String,
        /// What the driver said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Tables of the live database could not be carried over.
    #[error("{what}")]
    CarryOver {
        /// Which, and why.
        what: String,
        /// The next thing to do, and what is still safe.
        help: Remedy,
    },
    /// The database has no local copy of that role.
    #[error("`{database}` has no {copy}")]
    NoCopy {
        /// The database.
        database: String,
        /// `:previous` or `:current`.
        copy: String,
    },
    /// The database has dumps, and none is complete.
    #[error("`{database}` has no complete dump in {location}, only {others} partial or damaged")]
    NoCompleteDump {
        /// The database.
        database: String,
        /// Where it was looked for.
        location: String,
        /// How many others there are.
        others: usize,
    },
    /// A newer dump than the one that would be restored is there and cannot be read now.
    #[error("{}", newer_unreadable(database, what, *more, older.as_deref()))]
    NewerUnreadable {
        /// The database.
        database: String,
        /// Why the newest cannot be read.
        what: String,
        /// How many others that are newer cannot be read either.
        more: usize,
        /// The key of the newest that can be read; absent if none of ours can.
        older: Option<String>,
    },
    /// The database has fewer complete dumps than were to be gone back.
    #[error("`{database}` has only {found} complete dumps in {location}")]
    TooFewDumps {
        /// The database.
        database: String,
        /// Complete dumps that there are.
        found: usize,
        /// Where it was looked for.
        location: String,
    },
    /// All dumps of the database are younger than the moment that was asked for.
    #[error("`{database}` has no dump from {time} or before in {location}; the oldest is `{oldest}`")]
    NoDumpSoEarly {
        /// The database.
        database: String,
        /// The moment.
        time: Timestamp,
        /// The key of the oldest dump.
        oldest: String,
        /// Where it was looked for.
        location: String,
    },
    /// Somebody else replaced a database between our look at it and our change.
    #[error("`{database}` was replaced by somebody else at the same time")]
    Replaced {
        /// The database.
        database: String,
    },
    /// Sessions use a database and cannot be ended.
    #[error("{what}")]
    InUse {
        /// Which sessions, of which database.
        what: String,
        /// Who ends them, and what is still safe.
        help: Remedy,
    },
    /// The database does not accept connections.
    #[error("the database `{database}` does not accept connections")]
    Closed {
        /// The database.
        database: String,
    },
    /// This machine failed us: no memory file, no child process.
    #[error("{what}: {source}")]
    Machine {
        /// What could not be done.
        what: &'static str,
        /// What is still safe.
        safe: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A bug of ours: a worker panicked, or what cannot be was there.
    #[error("{what}")]
    Internal {
        /// What happened.
        what: String,
        /// What is still safe, and where to go from there.
        safe: Remedy,
    },
    /// Somebody has to confirm first.
    #[error("{what}")]
    Confirm {
        /// What would be replaced.
        what: String,
        /// How to confirm.
        help: Remedy,
    },
    /// A guard forbids it, and no confirmation helps.
    #[error("{what}")]
    Forbidden {
        /// What is forbidden, and who says so.
        what: String,
        /// What can be done instead, if there is something.
        help: Option<Remedy>,
    },
    /// An argument or setting that cannot be used.
    #[error("{what}")]
    Usage {
        /// Which, and what is wrong with it.
        what: String,
        /// The next thing to do.
        help: Remedy,
    },
    /// The caller asked to stop, and everything begun was cleared away.
    #[error("interrupted; nothing was published or swapped")]
    Interrupted,
}

/// Result of everything here.
pub type PgResult<T> = Result<T, PgError>;

impl Problem {
    /// The error that it is for `undertaking`, such as `` `shop` cannot be restored ``.
    pub(crate) fn against(&self, undertaking: &str) -> PgError {
        Self { what: format!("{undertaking}: {}", self.what), ..self.clone() }.refusal()
    }

    /// The error that it is for a run, which it ends before anything is changed.
    pub(crate) fn refusal(self) -> PgError {
        PgError::Obstacle(Self { help: self.help.and("; nothing was changed"), ..self })
    }
}

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
            other => Self::Core(other),
        }
    }
}

/// What stands against the older one.
fn newer_unreadable(database: &str, what: &str, more: usize, older: Option<&str>) -> String {
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    match older {
        Some(older) => format!("a newer dump than `{older}` is there and cannot be read: {what}{more}"),
        None => format!("the dumps of `{database}` cannot be read: {what}{more}"),
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
                if let Some(context) = db.where_() {
                    message.push_str(&format!("; CONTEXT: {}", one_line(context)));
                }
                let sqlstate = db.code().code().to_owned();
                let help = of_sqlstate(&sqlstate, db.message());
                Self::Sql { doing, message, sqlstate, help }
            }
            _ => Self::Lost { doing, source },
        }
    }

    /// A bug of ours, wherever it shows: the one place that says so.
    pub(crate) fn internal(what: impl Into<String>, safe: impl Into<Remedy>) -> Self {
        Self::Internal { what: what.into(), safe: safe.into() }
    }

    /// A task of ours panicked. `what` it was, such as `a worker`.
    pub(crate) fn died(what: impl fmt::Display, error: &JoinError, safe: &'static str) -> Self {
        Self::internal(format!("{what} died: {error}"), safe)
    }

    /// The SQLSTATE of a statement that the server refused.
    pub(crate) fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Sql { sqlstate, .. } => Some(sqlstate),
            _ => None,
        }
    }

    /// Whether the server refused what it was to take, so that it may take it when other things are there; not if it had no
    /// room or no time for it, or found itself damaged (classes 53, 57, 58 and XX of SQLSTATEs; extensions raise XX000 for
    /// anything).
    pub(crate) fn is_refusal(&self) -> bool {
        const OF_THE_SERVER: [&str; 5] = ["53", "57", "58", "XX001", "XX002"];
        self.sqlstate().is_some_and(|code| !OF_THE_SERVER.iter().any(|class| code.starts_with(class)))
    }

    /// What the server said; otherwise what the error says.
    pub(crate) fn servers_words(&self) -> String {
        match self {
            Self::Sql { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    /// The same, said of a copy that nobody uses yet.
    pub(crate) fn before_the_swap(self) -> Self {
        const SAFE: &str = "the live database was not touched";
        let Self::Sql { doing, message, sqlstate, help } = self else { return self };
        let help = help.map_or(SAFE.into(), |help| help.and("; ").and(SAFE));
        Self::Sql { doing, message, sqlstate, help: Some(help) }
    }
}

/// Where in which function it happened, as the server has it on several lines, in one and not endless.
fn one_line(context: &str) -> String {
    let mut line = context.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    if line.len() > CONTEXT_BYTES_MAX {
        line.truncate(line.floor_char_boundary(CONTEXT_BYTES_MAX));
        line.push('…');
    }
    line
}

/// What to do when every connection of a server is taken, or of those that a role or a database may have, as the server said.
pub(crate) fn no_connection(said: &str) -> Remedy {
    let (whose, raise) = if said.contains("too many connections for role") {
        ("every connection of the role", "raise its limit (`ALTER ROLE … CONNECTION LIMIT`)")
    } else if said.contains("too many connections for database") {
        ("every connection of the database", "raise its limit (`ALTER DATABASE … CONNECTION LIMIT`)")
    } else {
        ("every connection", "raise max_connections")
    };
    remedy![format!("{whose} is taken: run with fewer "), Setting::Jobs, format!(", or {raise}")]
}

/// The next thing to do when the server refuses a statement, for codes that everybody meets.
fn of_sqlstate(sqlstate: &str, message: &str) -> Option<Remedy> {
    Some(match sqlstate {
        "42501" if message.contains("row-level security") => {
            "its policies would hide rows from the role: connect as a superuser or a role with BYPASSRLS, or as the table's \
             owner after ALTER TABLE … NO FORCE ROW LEVEL SECURITY"
                .into()
        }
        "42501" => "the role lacks a privilege for it: connect as one that has it, or GRANT it".into(),
        "53100" => "the server's disk is full: free up space, and run the command again".into(),
        "53300" => no_connection(message),
        "55P03" => {
            remedy!["another session has it locked: run the command again, or with a longer ", Setting::LockTimeout]
        }
        _ => return None,
    })
}
