//! Errors; callers decide by the variant.

use backup_core::error::Cause;
use backup_core::failure::{self, Class, Failure, Operation, Remedy, Setting};
use backup_core::remedy;
use backup_core::retention::RetentionError;
use backup_core::run::Cancelled;
use backup_core::source::LATEST;
use backup_core::{CoreError, FormatError, StoreError};

/// Result of everything here.
pub type ObjectResult<T> = Result<T, ObjectError>;

/// A failed backup, check or restore of an application's records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// A record that cannot be backed up as it is.
    #[error("{record} of `{member}` cannot be backed up: {what}")]
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
    Changed {
        /// The file or type.
        what: String,
    },
    /// A database whose last change was cut off, and that only a writer can mend.
    #[error("`{file}` has an unfinished transaction, which `{journal}` can roll back; nothing was published")]
    Unfinished {
        /// The database.
        file: String,
        /// The journal beside it.
        journal: String,
    },
    /// A database whose log can neither be read nor made where it is.
    #[error("`{file}` is in WAL mode, and its `-wal` and `-shm` cannot be created beside it; nothing was published")]
    NoLog {
        /// The database.
        file: String,
    },
    /// The program that prints records failed.
    #[error("`{command}` {what}; nothing was published")]
    Command {
        /// The program and the type.
        command: String,
        /// How it ended.
        what: String,
    },
    /// Types that had records in the last good backup have none now.
    #[error("types that had records in the last good backup have none now: {types}; nothing was published")]
    Emptied {
        /// The types, with the records they had.
        types: String,
    },
    /// There is nothing to back up, and nobody said that this is right.
    #[error("{what}; nothing was published")]
    Nothing {
        /// The source, and what it does not have.
        what: String,
    },
    /// The backup holds less than the one before, by more than is allowed.
    #[error("{what}; nothing was published")]
    Shrunk {
        /// By how much, and how much is allowed.
        what: String,
    },
    /// There are backups, and none is complete.
    #[error("`{name}` has no complete backup in `{location}`, only {others} partial or damaged")]
    NotComplete {
        /// What the backups are called.
        name: String,
        /// Where.
        location: String,
        /// How many there are.
        others: usize,
    },
    /// A newer backup than the one that would be restored is there and cannot be read now.
    #[error("{}", newer_unreadable(what, *more, older.as_deref()))]
    NewerUnreadable {
        /// Why the newest cannot be read.
        what: String,
        /// How many others that are newer cannot be read either.
        more: usize,
        /// The key of the newest that can be read; absent if none can.
        older: Option<String>,
    },
    /// There is no backup to read.
    #[error("{} in `{location}`", none(which))]
    NoBackup {
        /// Which was wanted.
        which: String,
        /// Where.
        location: String,
        /// Names that backups have there, if the one that was wanted has none.
        known: Vec<String>,
    },
    /// A tarball where backups of gludb are not looked for.
    #[error("`{file}` is no backup where it is: {what}")]
    Misplaced {
        /// The tarball, as it was asked for.
        file: String,
        /// Where it is, and what is missing there.
        what: String,
        /// Where it belongs.
        help: Remedy,
    },
    /// A tarball that is not what was backed up: cut off, changed, or another's.
    #[error("`{file}` is damaged: {what}")]
    Damaged {
        /// The tarball.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A tarball that no backup of records looks like, and that is not read any further.
    #[error("`{file}` was refused: {what}")]
    Refused {
        /// The tarball.
        file: String,
        /// Why.
        what: String,
    },
    /// The target has something already.
    #[error("{what}; nothing was restored")]
    Conflict {
        /// What is there.
        what: String,
    },
    /// Names that a backup has apart and the target would not, or would change.
    #[error("{what}; nothing was restored")]
    Names {
        /// The names, and what would become of them.
        what: String,
        /// What to do instead.
        help: Remedy,
    },
    /// A table of the target that cannot take the records, or could not keep them apart.
    #[error("{what}; nothing was restored")]
    Unfit {
        /// The table, and what is wrong with it.
        what: String,
        /// What to do instead.
        help: Remedy,
    },
    /// What SQLite would apply to a database of that name lies there, and no database does.
    #[error(
        "`{file}` is missing or empty, but {found} there, and SQLite would apply that to the restored records; \
         nothing was restored"
    )]
    Leftovers {
        /// The database.
        file: String,
        /// The files beside it, in words.
        found: String,
    },
    /// The target cannot be written.
    #[error("cannot {action} `{what}`; nothing was restored")]
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
    #[error("the connection to `{what}` was lost during the commit: either everything was restored, or nothing")]
    Uncertain {
        /// The database.
        what: String,
    },
    /// All of it is there, and the system could not promise that it stays.
    #[error(
        "`{what}` was restored completely, but its folder could not be written to disk: a power failure may still \
         lose it"
    )]
    Volatile {
        /// The file or folder.
        what: String,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The location failed.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// An option or name that cannot be used.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to give instead.
        help: Remedy,
    },
    /// The caller asked to stop.
    #[error("interrupted; nothing was published and nothing was restored")]
    Interrupted,
    /// A bug of ours, or of a source plugged in: the work panicked.
    #[error("the work failed unexpectedly: {what}")]
    Panicked {
        /// What the panic said.
        what: String,
    },
}

/// That there is no such backup: of `NAME/latest` it is the name that nothing has.
fn none(which: &str) -> String {
    match which.strip_suffix(LATEST).and_then(|rest| rest.strip_suffix('/')) {
        Some(name) => format!("there is no backup named `{name}`"),
        None => format!("there is no backup `{which}`"),
    }
}

impl Failure for ObjectError {
    backup_core::failure_kinds! {
        [Core(CoreError)]
        Record: "app::record", Failed, permanent, "a record cannot be backed up as it is",
            ["nothing was published. Fix the record, or use ", Setting::AllowPartial, " to leave out its type"];
        Source: "app::source", Failed, permanent,
            "the source cannot be read; what a database says as it is connected to ends with the exit code that it has for dumps";
        Changed: "app::changed", Failed, permanent, "the source changed while it was read",
            "stop whatever writes to it, or back up a copy of it";
        Unfinished: "app::unfinished", Failed, permanent,
            "an SQLite database has an unfinished transaction, which only a writer can roll back",
            "start the application or run `sqlite3 FILE .tables`, then back up again";
        NoLog: "app::no_log", Failed, permanent,
            "an SQLite database is in WAL mode, and its log and index cannot be created beside it",
            "run the backup as a user who can write to that folder, or back up a copy made with `sqlite3 FILE '.backup COPY'`";
        Command: "app::command", Tool, permanent, "the program that prints records failed";
        Emptied: "app::emptied", Confirmation, permanent, "types that had records in the last good backup have none now",
            ["if this is intended, use ", Setting::AllowEmpty];
        Nothing: "app::nothing", Confirmation, permanent, "there is nothing to back up",
            ["check that this is the right source; if it is meant to be empty, use ", Setting::AllowEmpty];
        Shrunk: "app::shrunk", Confirmation, permanent, "the backup has less than the one before, by more than is allowed",
            ["check whether records are missing; if this is intended, back up once without ", Setting::MaxShrink];
        NotComplete: "app::not_complete", Failed, permanent, "there are backups, and none is complete",
            [Operation::ListRecords.on("NAME"), " lists them; a partial one can be restored by its full key"];
        NewerUnreadable: "app::newer_unreadable", Confirmation, permanent,
            "a newer backup than the one that would be restored cannot be read now",
            ["nothing was changed. Make the newer one readable, or restore the older one by its key or with ", Setting::AllowOlder];
        NoBackup: "app::no_backup", Failed, permanent, "there is no such backup",
            ["run ", Operation::ListRecords, " to list backups"];
        Misplaced: "app::misplaced", Failed, permanent, "a tarball is not where backups are looked for";
        Damaged: "app::damaged", Integrity, permanent, "a tarball was cut off or changed, or is another's",
            ["nothing was restored. Run ", Operation::ListRecords, " to find another backup"];
        Refused: "app::refused", Integrity, permanent, "a tarball has members that no backup of records has",
            "nothing was restored. The file is not a backup of records";
        Conflict: "app::conflict", Failed, permanent, "the target has something already",
            ["use ", Setting::OnConflict.with("skip".to_owned()), " or ", Setting::OnConflict.with("replace".to_owned())];
        Names: "app::names", Failed, permanent, "the target would merge or change names of the backup",
            "restore to another target, or as the error says";
        Unfit: "app::unfit", Failed, permanent, "a table of the target cannot take the records",
            "change the table, or restore to another target";
        Leftovers: "app::leftovers", Failed, permanent,
            "files of SQLite were left beside a missing database, and SQLite would apply them to the restored records",
            "stop whatever may still use it. Move it back to the database it belongs to if that still exists, since it may contain the last changes, otherwise move it away. Then restore again, or restore to another name";
        Target: "app::target", Failed, permanent,
            "the target cannot be written; what a database says as it is connected to ends with the exit code that it has for restores";
        Uncertain: "app::uncertain", Failed, permanent,
            "the connection was lost during the commit: either everything was restored, or nothing",
            ["check which; ", Setting::OnConflict.with("replace".to_owned()), " restores again in both cases"];
        Volatile: "app::volatile", Failed, permanent,
            "everything was restored, but a power failure may still lose it",
            "check the disk, then run `sync`";
        Usage: "app::usage", Usage, permanent, "an option or name cannot be used";
        Interrupted: "app::interrupted", Interrupted, permanent, "the run was interrupted, and cleaned up after itself";
        Panicked: "app::panicked", Failed, permanent, "a bug of lastgood, or of a source plugged in",
            "nothing was published and nothing was restored; please report this";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Core(CoreError::Store(error)) if error.is_full() => Some(remedy![
                "nothing was published. Delete old backups with ",
                Operation::PruneRecords.on("NAME").with(Setting::KeepDaily.with("7")),
                ", which works on a full disk too, or choose another location with ",
                Setting::Location
            ]),
            Self::Core(error) => error.remedy(),
            Self::Names { help, .. }
            | Self::Unfit { help, .. }
            | Self::Misplaced { help, .. }
            | Self::Usage { help, .. } => Some(help.clone()),
            Self::NoBackup { known, .. } if !known.is_empty() => {
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("backups there are named {}", names.join(", ")).into())
            }
            Self::NotComplete { name, .. } => Some(remedy![
                Operation::ListRecords.on(name.clone()),
                " lists them; a partial one can be restored by its full key"
            ]),
            Self::Unfinished { file, .. } => Some(
                format!(
                    "opening the database with write access rolls it back: start the application or run \
                     `sqlite3 {file} .tables`, then back up again"
                )
                .into(),
            ),
            _ => self.kind().remedy(),
        }
    }

    fn class(&self) -> Class {
        self.reported().map_or(self.kind().class, Failure::class)
    }

    fn is_permanent(&self) -> bool {
        self.reported().map_or(self.kind().is_permanent, Failure::is_permanent)
    }
}

#[cfg(feature = "diagnostics")]
backup_core::diagnostic!(ObjectError);

/// What stands against the older one.
fn newer_unreadable(what: &str, more: usize, older: Option<&str>) -> String {
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    match older {
        Some(older) => format!("a newer backup than `{older}` is there and cannot be read: {what}{more}"),
        None => format!("the backups cannot be read: {what}{more}"),
    }
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

    /// What a server says when it is connected to means what it means everywhere.
    fn reported(&self) -> Option<&(dyn Failure + Send + Sync)> {
        match self {
            Self::Source { source, .. } | Self::Target { source, .. } => failure::reported(&**source),
            _ => None,
        }
    }

    pub(crate) fn usage(what: impl Into<String>, help: impl Into<Remedy>) -> Self {
        Self::Usage { what: what.into(), help: help.into() }
    }

    pub(crate) fn source(action: &'static str, what: impl ToString, source: impl Into<Cause>) -> Self {
        Self::Source { action, what: what.to_string(), source: source.into() }
    }

    pub(crate) fn target(action: &'static str, what: impl ToString, source: impl Into<Cause>) -> Self {
        Self::Target { action, what: what.to_string(), source: source.into() }
    }

    pub(crate) fn names(what: impl Into<String>, help: impl Into<Remedy>) -> Self {
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
