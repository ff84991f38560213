//! Errors of commands, in addition to those of the libraries.

use backup_core::failure::{Operation, Remedy, Value};
use backup_core::run::Cancelled;
use backup_core::{Class, CoreError, Failure, FormatError, StoreError, remedy};
#[cfg(feature = "dict")]
use dictstore_backup::DictError;
#[cfg(feature = "ec2")]
use ec2_snapshots::Ec2Error;
#[cfg(feature = "glacier")]
use glacier_archive::GlacierError;
use lastgood_operator::settings::SettingsError;
#[cfg(feature = "app")]
use object_backup::ObjectError;
use pg_clone::error::PgError;

use crate::render::settings::help as settings_help;

/// Result of a command.
pub(crate) type CliResult<T> = Result<T, CliError>;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A dump, restore or check failed.
    #[error(transparent)]
    Pg(#[from] PgError),
    /// A restore, check or compaction of an in-memory store's backups failed.
    #[cfg(feature = "dict")]
    #[error(transparent)]
    Dict(#[from] DictError),
    /// A backup, check or restore of an application's records failed.
    #[cfg(feature = "app")]
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Something about snapshots failed.
    #[cfg(feature = "ec2")]
    #[error(transparent)]
    Ec2(#[from] Ec2Error),
    /// A backup, retrieval or restore of archived files failed.
    #[cfg(feature = "glacier")]
    #[error(transparent)]
    Glacier(#[from] GlacierError),
    /// The location failed.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The configuration file, or a setting in it, cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An argument or setting that cannot be used.
    #[error("{what}")]
    Usage { what: String, help: String },
    /// Somebody has to confirm first.
    #[error("{what}")]
    Confirm { what: String, help: String },
    /// The doctor found something that must be mended.
    #[error("{failed} of {checks} checks failed")]
    Unhealthy { failed: usize, checks: usize },
    /// Some of what was asked for could not be done.
    #[error("{what}")]
    Partial { what: String, help: String },
    /// Standard output or a file of documentation cannot be written, or something cannot be started.
    #[error("cannot {action}")]
    Output {
        action: String,
        #[source]
        source: std::io::Error,
    },
    /// The clock of this machine shows a time that nothing can be dated with.
    #[error("the clock of this machine shows {shows}")]
    Clock { shows: String },
    /// lastgood itself failed: a thread of it panicked.
    #[error("{panic}")]
    Bug { panic: String },
    /// The user gave up at a question.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

impl Failure for CliError {
    backup_core::failure_kinds! {
        [
            Pg(PgError),
            #[cfg(feature = "dict")] Dict(DictError),
            #[cfg(feature = "app")] Object(ObjectError),
            #[cfg(feature = "ec2")] Ec2(Ec2Error),
            #[cfg(feature = "glacier")] Glacier(GlacierError),
            Core(CoreError),
            Settings(SettingsError),
        ]
        Usage: "cli::usage", Usage, permanent, "an option, argument or setting cannot be used";
        Confirm: "cli::confirm", Confirmation, permanent, "something would be replaced or deleted, and nobody confirmed it",
            "confirm as the error says; nothing was changed";
        Unhealthy: "cli::unhealthy", Failed, permanent, "`lastgood doctor` found something that must be corrected",
            "the lines marked `fail` say what to do";
        Partial: "cli::partial", Partial, permanent, "some of what was asked for could not be done";
        Output: "cli::output", Failed, permanent, "standard output or a file of documentation cannot be written, or something cannot be started";
        Clock: "cli::clock", Failed, permanent, "the clock of this machine is before 1970 or beyond 9998",
            "nothing was done. Set it (`date`, `timedatectl`) and run the command again: backups are dated and ordered by it";
        Bug: "cli::bug", Failed, permanent, "a bug of lastgood", "this is unexpected: please report it";
        Interrupted: "cli::interrupted", Interrupted, permanent, "a question was answered by giving up; nothing was changed";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Settings(error) => Some(settings_help(error).into()),
            Self::Usage { help, .. } | Self::Confirm { help, .. } | Self::Partial { help, .. } => {
                Some(help.clone().into())
            }
            Self::Unhealthy { .. }
            | Self::Output { .. }
            | Self::Clock { .. }
            | Self::Bug { .. }
            | Self::Interrupted => self.kind().remedy(),
            // A word of other programs, which nobody calls a database.
            Self::Pg(PgError::NoDump { wanted, .. }) if wanted == "latest" => Some(remedy![
                "the name of a database means its latest complete dump: ",
                Operation::ShowDump.on(Value::Placeholder("DATABASE")),
                ". ",
                Operation::ListDumps,
                " lists them all"
            ]),
            // Those of the libraries.
            _ => self.inner().and_then(Failure::remedy),
        }
    }

    fn class(&self) -> Class {
        self.inner().map_or(self.kind().class, Failure::class)
    }

    fn is_permanent(&self) -> bool {
        self.inner().map_or(self.kind().is_permanent, Failure::is_permanent)
    }
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
    /// The error of a library that it is.
    fn inner(&self) -> Option<&dyn Failure> {
        match self {
            Self::Pg(error) => Some(error),
            #[cfg(feature = "dict")]
            Self::Dict(error) => Some(error),
            #[cfg(feature = "app")]
            Self::Object(error) => Some(error),
            #[cfg(feature = "ec2")]
            Self::Ec2(error) => Some(error),
            #[cfg(feature = "glacier")]
            Self::Glacier(error) => Some(error),
            Self::Core(error) => Some(error),
            Self::Settings(error) => Some(error),
            Self::Usage { .. }
            | Self::Confirm { .. }
            | Self::Unhealthy { .. }
            | Self::Partial { .. }
            | Self::Output { .. }
            | Self::Clock { .. }
            | Self::Bug { .. }
            | Self::Interrupted => None,
        }
    }

    /// An argument or setting that cannot be used, and what to write instead.
    pub(crate) fn usage(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), help: help.into() }
    }
}
