//! Errors; callers decide by the variant.

use std::sync::Arc;

use backup_core::failure::{Failure, Operation, Remedy, Setting};
use backup_core::retention::RetentionError;
use backup_core::run::Cancelled;
use backup_core::{CoreError, FormatError, StoreError};

/// Result of everything here.
pub type DictResult<T> = Result<T, DictError>;

/// A failed operation on a store or on its backups.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DictError {
    /// There is no table of that name.
    #[error("there is no table `{table}`")]
    NoTable {
        /// The name.
        table: String,
    },
    /// There is a table of that name.
    #[error("the table `{table}` already exists")]
    TableExists {
        /// The name.
        table: String,
    },
    /// There is a record with that key.
    #[error("the table `{table}` already has a record with the key {key}; nothing was changed")]
    DuplicateKey {
        /// The table.
        table: String,
        /// The key, as JSON.
        key: String,
    },
    /// There is no record with that key.
    #[error("the table `{table}` has no record with the key {key}")]
    NoRecord {
        /// The table.
        table: String,
        /// The key, as JSON.
        key: String,
    },
    /// The record does not fit the table.
    #[error("a record does not fit the table `{table}`: {what}; nothing was changed")]
    Schema {
        /// The table.
        table: String,
        /// What is wrong.
        what: String,
    },
    /// A value that the format of the backup cannot say.
    #[error("the table `{table}` cannot be written: {what}")]
    Encode {
        /// The table.
        table: String,
        /// What cannot be said.
        what: String,
    },
    /// A file that is not what it should be: cut off, changed, or of another kind.
    #[error("`{file}` cannot be read: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong, with the position where known.
        what: String,
    },
    /// A file that is whole and that we refuse to read: foreign classes, too deep, too large.
    #[error("`{file}` was refused: {what}; nothing in it was executed")]
    Refused {
        /// The file.
        file: String,
        /// Why.
        what: String,
    },
    /// The chain of backups has a hole.
    #[error("cannot restore up to `{wanted}`: {what}")]
    Gap {
        /// The backup wanted.
        wanted: String,
        /// What is missing or damaged.
        what: String,
        /// What can be restored instead.
        help: Remedy,
    },
    /// The backup that is wanted, or one it builds on, is there and cannot be read now.
    #[error("cannot restore up to `{wanted}`, which is there and cannot be read: {what}")]
    NewerUnreadable {
        /// The backup wanted.
        wanted: String,
        /// Why not.
        what: String,
        /// What can be restored instead.
        help: Remedy,
    },
    /// There is no backup to restore.
    #[error("there is no backup {which} in `{location}`")]
    NoBackup {
        /// Which was wanted.
        which: String,
        /// Where.
        location: String,
    },
    /// Several stores have backups where one was looked for, or the one that was named has none.
    #[error("{what}")]
    Source {
        /// Which have.
        what: String,
        /// How to say which is meant.
        help: Remedy,
    },
    /// The store has no record, and there are backups that have.
    #[error("the store has no records, but `{last}` has some; nothing was written")]
    Empty {
        /// The newest backup that has records.
        last: String,
    },
    /// Another program holds the lock that both were told to take.
    #[error("`{file}` is locked: {holder} has held its lock for {seconds} s; nothing was changed")]
    Locked {
        /// The file.
        file: String,
        /// Who, as far as it is known: `process 4711 (`python3`)`.
        holder: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A file on this machine that cannot be read or written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What a file was to be written to is neither absent nor a regular file.
    #[error("`{path}` is {what}, which is not replaced")]
    InTheWay {
        /// Where.
        path: String,
        /// What is there.
        what: &'static str,
    },
    /// The location failed.
    #[error(transparent)]
    Core(CoreError),
    /// An option that makes no sense.
    #[error("{what}")]
    Usage {
        /// What is wrong, and what to give instead.
        what: String,
    },
    /// The backups of this store have been stopped.
    #[error("the backups were stopped; nothing was written")]
    Stopped,
    /// The caller asked to stop.
    #[error("interrupted; nothing was published and nothing was written")]
    Interrupted,
    /// A bug of ours, or of a store plugged in: the work panicked.
    #[error("the backup failed unexpectedly: {what}")]
    Panicked {
        /// What the panic said.
        what: String,
    },
    /// An error that others were told too.
    #[error(transparent)]
    Shared(Arc<DictError>),
}

impl Failure for DictError {
    backup_core::failure_kinds! {
        [Core(CoreError), Shared(DictError)]
        NoTable: "dict::no_table", Failed, permanent, "there is no table of that name";
        TableExists: "dict::table_exists", Failed, permanent, "there is a table of that name already";
        DuplicateKey: "dict::duplicate_key", Failed, permanent, "the table has a record with that key already";
        NoRecord: "dict::no_record", Failed, permanent, "the table has no record with that key";
        Schema: "dict::schema", Failed, permanent, "a record does not fit its table";
        Encode: "dict::encode", Failed, permanent, "a value cannot be represented in the format of the backup",
            "nothing was published; change the value, or back up as pickle";
        Damaged: "dict::damaged", Integrity, permanent, "a file was cut off or changed, or is of another kind",
            ["nothing was changed; ", Operation::ListStores, " shows other backups"];
        Refused: "dict::refused", Integrity, permanent,
            "a file is whole and unsafe to read: it names foreign classes, or is too deep or too large";
        Gap: "dict::gap", Integrity, permanent, "a backup between the full backup and the one wanted is missing or damaged",
            "restore what the error names instead";
        NewerUnreadable: "dict::newer_unreadable", Confirmation, permanent,
            "a newer backup than the one that could be restored cannot be read now", "restore what the error names instead";
        NoBackup: "dict::no_backup", Failed, permanent, "there is no backup to restore";
        Source: "dict::source", Usage, permanent,
            "several in-memory stores have backups where one was looked for, or the one that was named has none",
            "name one, as the error says";
        Empty: "dict::empty", Confirmation, permanent, "the in-memory store has no record, and its last backup has some",
            ["check whether the store should have been restored first; if it is meant to be empty, use ", Setting::AllowEmpty];
        Locked: "dict::locked", Held, permanent, "another program holds the lock that both were told to take",
            "end the program that holds it, or run the command again once it has given it back";
        Io: "dict::io", Failed, permanent, "a file on this machine cannot be read or written";
        InTheWay: "dict::in_the_way", Usage, permanent, "a file was to be written where something other than a regular file is",
            "nothing was changed. Give the name of a file, or of one that is not there yet";
        Usage: "dict::usage", Usage, permanent, "an option cannot be used";
        Stopped: "dict::stopped", Failed, permanent, "the backups of this in-memory store were stopped";
        Interrupted: "dict::interrupted", Interrupted, permanent, "the run was interrupted, and cleaned up after itself";
        Panicked: "dict::panicked", Failed, permanent, "a bug of lastgood, or of a store plugged in",
            "changes are kept for the next backup; please report this";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Core(error) => error.remedy(),
            Self::Shared(error) => error.remedy(),
            Self::Gap { help, .. } | Self::NewerUnreadable { help, .. } | Self::Source { help, .. } => {
                Some(help.clone())
            }
            _ => self.kind().remedy(),
        }
    }
}

impl From<CoreError> for DictError {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Cancelled => Self::Interrupted,
            error => Self::Core(error),
        }
    }
}

impl From<StoreError> for DictError {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

impl From<FormatError> for DictError {
    fn from(error: FormatError) -> Self {
        Self::Core(error.into())
    }
}

impl From<RetentionError> for DictError {
    fn from(error: RetentionError) -> Self {
        Self::Core(error.into())
    }
}

impl From<Cancelled> for DictError {
    fn from(_: Cancelled) -> Self {
        Self::Interrupted
    }
}

impl DictError {
    /// The error itself, whoever else was told.
    #[must_use]
    pub fn inner(&self) -> &Self {
        match self {
            Self::Shared(error) => error.inner(),
            other => other,
        }
    }
}

#[cfg(feature = "diagnostics")]
backup_core::diagnostic!(DictError);
