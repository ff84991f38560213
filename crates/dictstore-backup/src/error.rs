//! What can go wrong; each variant is a decision for the caller.

use std::sync::Arc;

use backup_core::retention::RetentionError;
use backup_core::{CoreError, FormatError, StoreError};

/// Result of everything here.
pub type DictResult<T> = Result<T, DictError>;

/// A failed operation on a store or on its backups.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum DictError {
    /// There is no table of that name.
    #[error("there is no table `{table}`")]
    #[diagnostic(code("dict::no_table"))]
    NoTable {
        /// The name.
        table: String,
    },
    /// There is a table of that name.
    #[error("there is a table `{table}` already")]
    #[diagnostic(code("dict::table_exists"))]
    TableExists {
        /// The name.
        table: String,
    },
    /// There is a record with that key.
    #[error("the table `{table}` has a record with the key {key} already; nothing was changed")]
    #[diagnostic(code("dict::duplicate_key"))]
    DuplicateKey {
        /// The table.
        table: String,
        /// The key, as JSON.
        key: String,
    },
    /// There is no record with that key.
    #[error("the table `{table}` has no record with the key {key}")]
    #[diagnostic(code("dict::no_record"))]
    NoRecord {
        /// The table.
        table: String,
        /// The key, as JSON.
        key: String,
    },
    /// The record does not fit the table.
    #[error("a record does not fit the table `{table}`: {what}; nothing was changed")]
    #[diagnostic(code("dict::schema"))]
    Schema {
        /// The table.
        table: String,
        /// What is wrong.
        what: String,
    },
    /// A value that the format of the backup cannot say.
    #[error("the table `{table}` cannot be written: {what}")]
    #[diagnostic(code("dict::encode"), help("nothing was published; change the value, or back up as pickle"))]
    Encode {
        /// The table.
        table: String,
        /// What cannot be said.
        what: String,
    },
    /// A file that is not what it should be: cut off, changed, or of another kind.
    #[error("`{file}` cannot be read: {what}")]
    #[diagnostic(code("dict::damaged"), help("nothing was changed; `lastgood dict ls` shows other backups"))]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong, with the position where known.
        what: String,
    },
    /// A file that is whole and that we refuse to read: foreign classes, too deep, too large.
    #[error("`{file}` is refused: {what}; nothing of it was executed")]
    #[diagnostic(code("dict::refused"))]
    Refused {
        /// The file.
        file: String,
        /// Why.
        what: String,
    },
    /// The chain of backups has a hole.
    #[error("the backups cannot be restored up to `{wanted}`: {what}")]
    #[diagnostic(code("dict::gap"))]
    Gap {
        /// The backup wanted.
        wanted: String,
        /// What is missing or damaged.
        what: String,
        /// What can be restored instead.
        #[help]
        help: String,
    },
    /// There is no backup to restore.
    #[error("there is no backup {which} in `{location}`")]
    #[diagnostic(code("dict::no_backup"))]
    NoBackup {
        /// Which was wanted.
        which: String,
        /// Where.
        location: String,
    },
    /// A file on this machine that cannot be read or written.
    #[error("cannot {action} `{path}`")]
    #[diagnostic(code("dict::io"))]
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
    #[diagnostic(transparent)]
    Core(#[from] CoreError),
    /// An option that makes no sense.
    #[error("{what}")]
    #[diagnostic(code("dict::usage"))]
    Usage {
        /// What is wrong, and what to give instead.
        what: String,
    },
    /// The backups of this store have been stopped.
    #[error("the backups were stopped; nothing was written")]
    #[diagnostic(code("dict::stopped"))]
    Stopped,
    /// A bug of ours, or of a store plugged in: the work panicked.
    #[error("the backup failed unexpectedly: {what}")]
    #[diagnostic(code("dict::panicked"), help("changes are kept for the next backup; please report this"))]
    Panicked {
        /// What the panic said.
        what: String,
    },
    /// An error that others were told too.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Shared(Arc<DictError>),
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
