//! Errors; callers decide by the variant.

use std::sync::Arc;

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
        help: String,
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
        help: String,
    },
    /// The store has no record, and there are backups that have.
    #[error("the store has no records, but `{last}` has some; nothing was written")]
    Empty {
        /// The newest backup that has records.
        last: String,
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
    /// The location failed.
    #[error(transparent)]
    Core(#[from] CoreError),
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

impl DictError {
    /// A short name of what happened, which stays the same from version to version.
    #[must_use]
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::NoTable { .. } => "dict::no_table",
            Self::TableExists { .. } => "dict::table_exists",
            Self::DuplicateKey { .. } => "dict::duplicate_key",
            Self::NoRecord { .. } => "dict::no_record",
            Self::Schema { .. } => "dict::schema",
            Self::Encode { .. } => "dict::encode",
            Self::Damaged { .. } => "dict::damaged",
            Self::Refused { .. } => "dict::refused",
            Self::Gap { .. } => "dict::gap",
            Self::NoBackup { .. } => "dict::no_backup",
            Self::Source { .. } => "dict::source",
            Self::Empty { .. } => "dict::empty",
            Self::Io { .. } => "dict::io",
            Self::Core(error) => error.error_code(),
            Self::Usage { .. } => "dict::usage",
            Self::Stopped => "dict::stopped",
            Self::Interrupted => "dict::interrupted",
            Self::Panicked { .. } => "dict::panicked",
            Self::Shared(error) => error.error_code(),
        }
    }

    /// The next thing to do, and what is still safe, where there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::Encode { .. } => Some("nothing was published; change the value, or back up as pickle"),
            Self::Damaged { .. } => Some("nothing was changed; `lastgood dict ls` shows other backups"),
            Self::Gap { help, .. } | Self::Source { help, .. } => Some(help),
            Self::Empty { .. } => Some(
                "check whether the store should have been restored first; if it is meant to be empty, use \
                 `Builder::allow_empty` or `--allow-empty`",
            ),
            Self::Core(error) => error.remedy(),
            Self::Panicked { .. } => Some("changes are kept for the next backup; please report this"),
            Self::Shared(error) => error.remedy(),
            _ => None,
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
