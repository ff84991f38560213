//! Errors of commands, in addition to those of the libraries.

use backup_core::run::Cancelled;
use backup_core::{CoreError, FormatError, StoreError};
use dictstore_backup::DictError;
use object_backup::ObjectError;
use pg_clone::error::PgError;

/// Result of a command.
pub(crate) type CliResult<T> = Result<T, CliError>;

/// A failed command.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum CliError {
    /// A dump, restore or check failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pg(#[from] PgError),
    /// A restore, check or compaction of an in-memory store's backups failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dict(#[from] DictError),
    /// A backup, check or restore of an application's records failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Object(#[from] ObjectError),
    /// The location failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Core(#[from] CoreError),
    /// An argument or setting that cannot be used.
    #[error("{what}")]
    #[diagnostic(code("cli::usage"))]
    Usage {
        what: String,
        #[help]
        help: String,
    },
    /// Somebody has to confirm first.
    #[error("{what}")]
    #[diagnostic(code("cli::confirm"))]
    Confirm {
        what: String,
        #[help]
        help: String,
    },
    /// The doctor found something that must be mended.
    #[error("{failed} of {checks} checks failed")]
    #[diagnostic(code("cli::unhealthy"), help("the lines marked `fail` say what to do"))]
    Unhealthy { failed: usize, checks: usize },
    /// Some of what was asked for could not be done.
    #[error("{what}")]
    #[diagnostic(code("cli::partial"))]
    Partial {
        what: String,
        #[help]
        help: String,
    },
    /// Standard output or a file of documentation cannot be written, or something cannot be started.
    #[error("cannot {action}")]
    #[diagnostic(code("cli::output"))]
    Output {
        action: String,
        #[source]
        source: std::io::Error,
    },
    /// The user gave up at a question.
    #[error("interrupted; nothing was changed")]
    #[diagnostic(code("cli::interrupted"))]
    Interrupted,
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

impl From<FormatError> for CliError {
    fn from(error: FormatError) -> Self {
        Self::Core(error.into())
    }
}

impl From<Cancelled> for CliError {
    fn from(_: Cancelled) -> Self {
        Self::Interrupted
    }
}

impl CliError {
    /// An argument or setting that cannot be used, and what to write instead.
    pub(crate) fn usage(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), help: help.into() }
    }
}
