//! What can go wrong; each variant is a decision for the caller.

use backup_core::error::Cause;
use backup_core::retention::RetentionError;
use backup_core::run::Cancelled;
use backup_core::{CoreError, FormatError, StoreError};

/// Result of everything here.
pub type ObjectResult<T> = Result<T, ObjectError>;

/// A failed backup, check or restore of an application's records.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum ObjectError {
    /// A record that cannot be backed up as it is.
    #[error("{record} of `{member}` cannot be backed up: {what}")]
    #[diagnostic(
        code("app::record"),
        help("nothing was published; mend the record, or use `--allow-partial` to leave its type out")
    )]
    Record {
        /// The type and table.
        member: String,
        /// The record, by its id or its position.
        record: String,
        /// What is wrong, with the byte.
        what: String,
    },
    /// The source cannot be read.
    #[error("cannot {action} `{what}`; nothing was published")]
    #[diagnostic(code("app::source"))]
    Source {
        /// What was tried.
        action: &'static str,
        /// The file, table or type.
        what: String,
        /// What the system or the database said.
        #[source]
        source: Cause,
    },
    /// The source is not one moment: it was changed while it was read.
    #[error("`{what}` changed while it was read; nothing was published")]
    #[diagnostic(code("app::changed"), help("let nothing write to it, or make a copy and back that up"))]
    Changed {
        /// The file or type.
        what: String,
    },
    /// A database whose last change was cut off, and that only a writer can mend.
    #[error("a change of `{file}` was cut off, and `{journal}` says how to undo it; nothing was published")]
    #[diagnostic(
        code("app::unfinished"),
        help(
            "whoever may write to it undoes the change by opening it: start the application, or run \
              `sqlite3 {file} .tables`, and back up again"
        )
    )]
    Unfinished {
        /// The database.
        file: String,
        /// The journal beside it.
        journal: String,
    },
    /// The program that prints records failed.
    #[error("`{command}` {what}; nothing was published")]
    #[diagnostic(code("app::command"))]
    Command {
        /// The program and the type.
        command: String,
        /// How it ended.
        what: String,
    },
    /// Types that had records in the last good backup have none now.
    #[error("no records any more, and the last good backup had some: {types}; nothing was published")]
    #[diagnostic(code("app::emptied"), help("if that is right, say so with `--allow-empty`"))]
    Emptied {
        /// The types, with the records they had.
        types: String,
    },
    /// There is nothing to back up, and nobody said that this is right.
    #[error("{what}; nothing was published")]
    #[diagnostic(
        code("app::nothing"),
        help("look whether it is the source you mean; if it is right to have nothing, say so with `--allow-empty`")
    )]
    Nothing {
        /// The source, and what it does not have.
        what: String,
    },
    /// The backup holds less than the one before, by more than is allowed.
    #[error("{what}; nothing was published")]
    #[diagnostic(
        code("app::shrunk"),
        help("look whether records are missing; if it is as it should be, back up once without `--max-shrink`")
    )]
    Shrunk {
        /// By how much, and how much is allowed.
        what: String,
    },
    /// There are backups, and none is complete.
    #[error("`{name}` has no complete backup in `{location}`, and {others} that are partial or damaged")]
    #[diagnostic(
        code("app::not_complete"),
        help("`lastgood app ls {name}` shows them; a partial one is restored by its whole key")
    )]
    NotComplete {
        /// What the backups are called.
        name: String,
        /// Where.
        location: String,
        /// How many there are.
        others: usize,
    },
    /// There is no backup to read.
    #[error("there is no backup `{which}` in `{location}`")]
    #[diagnostic(code("app::no_backup"), help("`lastgood app ls` shows what there is"))]
    NoBackup {
        /// Which was wanted.
        which: String,
        /// Where.
        location: String,
    },
    /// A tarball that is not what was backed up: cut off, changed, or another's.
    #[error("`{file}` is damaged: {what}")]
    #[diagnostic(code("app::damaged"), help("nothing was restored; `lastgood app ls` shows other backups"))]
    Damaged {
        /// The tarball.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A tarball that no backup of records looks like, and that is not read any further.
    #[error("`{file}` is refused: {what}")]
    #[diagnostic(code("app::refused"), help("it is no backup of records; nothing was restored"))]
    Refused {
        /// The tarball.
        file: String,
        /// Why.
        what: String,
    },
    /// The target has something already.
    #[error("{what} already; nothing was restored")]
    #[diagnostic(code("app::conflict"), help("choose with `--on-conflict skip` or `--on-conflict replace`"))]
    Conflict {
        /// What is there.
        what: String,
    },
    /// Names that a backup has apart and the target would not, or would change.
    #[error("{what}; nothing was restored")]
    #[diagnostic(code("app::names"))]
    Names {
        /// The names, and what would become of them.
        what: String,
        /// What to do instead.
        #[help]
        help: String,
    },
    /// What SQLite would apply to a database of that name lies there, and no database does.
    #[error(
        "`{file}` is missing or empty, but {found} there, which SQLite would apply to what is restored; nothing was restored"
    )]
    #[diagnostic(
        code("app::leftovers"),
        help(
            "stop what may still use it, and move it away: to the database it belongs to, if that still exists, since it \
              may hold its last changes. Then restore again; or restore to another name"
        )
    )]
    Leftovers {
        /// The database.
        file: String,
        /// The files beside it, in words.
        found: String,
    },
    /// The target cannot be written.
    #[error("cannot {action} `{what}`; nothing was restored")]
    #[diagnostic(code("app::target"))]
    Target {
        /// What was tried.
        action: &'static str,
        /// The file or table.
        what: String,
        /// What the system or the database said.
        #[source]
        source: Cause,
    },
    /// The connection broke at the very end.
    #[error(
        "the connection to `{what}` was lost while everything was to be made visible: it was restored wholly, or not at all"
    )]
    #[diagnostic(code("app::uncertain"), help("look which; `--on-conflict replace` restores again in both cases"))]
    Uncertain {
        /// The database.
        what: String,
    },
    /// All of it is there, and the system could not promise that it stays.
    #[error("`{what}` was restored wholly, and its folder could not be written to disk: a power cut may still take it")]
    #[diagnostic(code("app::volatile"), help("look after the disk, then run `sync`"))]
    Volatile {
        /// The file or folder.
        what: String,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The location failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Core(#[from] CoreError),
    /// An option or name that cannot be used.
    #[error("{what}")]
    #[diagnostic(code("app::usage"))]
    Usage {
        /// What is wrong.
        what: String,
        /// What to give instead.
        #[help]
        help: String,
    },
    /// The caller asked to stop.
    #[error("interrupted; nothing was published and nothing was restored")]
    #[diagnostic(code("app::interrupted"))]
    Interrupted,
    /// A bug of ours, or of a source plugged in: the work panicked.
    #[error("the work failed unexpectedly: {what}")]
    #[diagnostic(code("app::panicked"), help("nothing was published and nothing was restored; please report this"))]
    Panicked {
        /// What the panic said.
        what: String,
    },
}

impl From<StoreError> for ObjectError {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

impl From<FormatError> for ObjectError {
    fn from(error: FormatError) -> Self {
        Self::Core(error.into())
    }
}

impl From<RetentionError> for ObjectError {
    fn from(error: RetentionError) -> Self {
        Self::Core(error.into())
    }
}

impl From<Cancelled> for ObjectError {
    fn from(_: Cancelled) -> Self {
        Self::Interrupted
    }
}

impl ObjectError {
    /// Whether what is stored is not what was backed up, or no backup of records at all.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Refused { .. }
                | Self::Core(CoreError::Format(_))
                | Self::Core(CoreError::Store(StoreError::Damaged { .. } | StoreError::NotFound { .. }))
        )
    }

    pub(crate) fn usage(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), help: help.into() }
    }

    pub(crate) fn source(action: &'static str, what: impl ToString, source: impl Into<Cause>) -> Self {
        Self::Source { action, what: what.to_string(), source: source.into() }
    }

    pub(crate) fn target(action: &'static str, what: impl ToString, source: impl Into<Cause>) -> Self {
        Self::Target { action, what: what.to_string(), source: source.into() }
    }

    pub(crate) fn names(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Names { what: what.into(), help: help.into() }
    }

    pub(crate) fn damaged(file: &str, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), what: what.into() }
    }

    pub(crate) fn refused(file: &str, what: impl Into<String>) -> Self {
        Self::Refused { file: file.to_owned(), what: what.into() }
    }

    pub(crate) fn panicked(error: &tokio::task::JoinError) -> Self {
        Self::Panicked { what: error.to_string() }
    }
}
