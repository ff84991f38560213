//! Findings: whether everything is there that a backup and a restore will need. What was looked at, what was found, how bad
//! it is and what helps, as values; whoever shows them has the words.

mod location;
mod server;

use backup_core::location::Exposure;
use backup_core::store::ListingOrder;
use backup_core::{CoreError, StoreError};
use jiff::SignedDuration;
use pg_clone::PgError;
use pg_clone::error::Problem;
use pg_clone::inspect::{IncrementalFacts, Program, ServerFacts};
use pg_clone::live::state::Action;
use serde::Serialize;

pub use crate::findings::location::location;
pub use crate::findings::server::server;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Subject {
    /// Where the backups are.
    Location,
    /// A PostgreSQL server.
    Server,
    /// A database of it.
    Database,
    /// The programs for it.
    Programs,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Some runs will fail, or something is left over.
    Warn,
    /// Backups will fail.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub subject: Subject,
    /// What was found.
    pub found: Found,
}

/// What was found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Found {
    /// The location can be reached, and its store makes conditional writes.
    Reachable {
        /// The location.
        location: String,
        /// The format of its marker.
        format: u64,
        /// In which order its store lists by itself, where that is known and not a folder's.
        listing: Option<ListingOrder>,
    },
    /// The location can be reached, and not written to: backups will fail, and restores need not.
    ReadOnly {
        /// The location.
        location: String,
        /// Why, and what to do about it.
        failure: StoreError,
    },
    /// Other users can look into the location.
    Exposed(Exposure),
    /// Uploads that nobody goes on with.
    Uploads {
        /// How many.
        old: u64,
        /// How long they have been left alone, at least.
        age_min: SignedDuration,
    },
    /// Uploads that the store cannot list: leftovers stay, and may cost money.
    UploadsUnknown {
        /// What the store says.
        why: String,
    },
    /// The server answers.
    Answers(ServerFacts),
    /// The role may not create databases, which a restore does.
    CannotCreateDatabases {
        /// The role.
        role: String,
    },
    /// A dump may read everything.
    Readable {
        /// The role.
        role: String,
        /// The database.
        database: String,
        /// How many tables with rows it has.
        tables: u64,
    },
    /// Something stands against a restore over the database.
    Unrestorable {
        /// The database.
        database: String,
        /// What stands against it.
        problem: Problem,
    },
    /// Whether dumps need not read what did not change: no dump needs that.
    Incremental(IncrementalFacts),
    /// A program is there.
    Program(Program),
    /// What killed restores left on the server; nothing, if the list is empty.
    Left(Vec<Action>),
    /// It could not be looked at, or is not as a backup needs it.
    Failed(Failure),
}

/// Why something could not be looked at, or would fail a backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The location.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The server or a program.
    #[error(transparent)]
    Pg(#[from] PgError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

/// What helps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// A command for the shell.
    Command(String),
    /// Pruning with leftovers.
    PruneLeftovers,
    /// Letting the role create databases.
    GrantCreateDatabases {
        /// The role.
        role: String,
    },
    /// Finishing or undoing what killed restores left.
    Recover,
    /// What the crate says that knows the problem.
    Said(backup_core::failure::Remedy),
}

impl Finding {
    fn new(subject: Subject, found: Found) -> Self {
        Self { subject, found }
    }

    /// What came of looking, or why nothing did.
    fn of(subject: Subject, result: Result<Found, impl Into<Failure>>) -> Self {
        Self::new(subject, result.unwrap_or_else(|failure| Found::Failed(failure.into())))
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match &self.found {
            Found::Failed(_) => Severity::Fail,
            Found::Exposed(_)
            | Found::ReadOnly { .. }
            | Found::UploadsUnknown { .. }
            | Found::CannotCreateDatabases { .. }
            | Found::Unrestorable { .. } => Severity::Warn,
            Found::Uploads { old, .. } if *old > 0 => Severity::Warn,
            Found::Left(actions) if !actions.is_empty() => Severity::Warn,
            Found::Reachable { .. }
            | Found::Uploads { .. }
            | Found::Answers(_)
            | Found::Readable { .. }
            | Found::Incremental(_)
            | Found::Program(_)
            | Found::Left(_) => Severity::Ok,
        }
    }

    /// What helps, where something is not as it should be. A failure's own error says what helps.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        if self.severity() == Severity::Ok {
            return None;
        }
        match &self.found {
            Found::Exposed(exposure) => Some(Remedy::Command(exposure.remedy())),
            Found::ReadOnly { failure, .. } => backup_core::Failure::remedy(failure).map(Remedy::Said),
            Found::Uploads { .. } => Some(Remedy::PruneLeftovers),
            Found::CannotCreateDatabases { role } => Some(Remedy::GrantCreateDatabases { role: role.clone() }),
            Found::Unrestorable { problem, .. } => Some(Remedy::Said(problem.help.clone())),
            Found::Left(_) => Some(Remedy::Recover),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(found: Found) -> (Severity, Option<Remedy>) {
        let finding = Finding::new(Subject::Server, found);
        (finding.severity(), finding.remedy())
    }

    #[test]
    fn nothing_left_over_is_no_warning() {
        let uploads = |old| Found::Uploads { old, age_min: SignedDuration::from_hours(24) };
        assert_eq!(judged(uploads(0)), (Severity::Ok, None));
        assert_eq!(judged(uploads(1)), (Severity::Warn, Some(Remedy::PruneLeftovers)));
        assert_eq!(judged(Found::Left(Vec::new())), (Severity::Ok, None));
        let left = Found::Left(vec![Action::AllowConnections { database: "shop".into() }]);
        assert_eq!(judged(left), (Severity::Warn, Some(Remedy::Recover)));
    }

    #[test]
    fn who_only_dumps_is_warned_and_not_failed() {
        let (severity, remedy) = judged(Found::CannotCreateDatabases { role: "backup".into() });
        assert_eq!(severity, Severity::Warn);
        assert_eq!(remedy, Some(Remedy::GrantCreateDatabases { role: "backup".into() }));
        let failed = Finding::of(Subject::Server, Err(PgError::Interrupted));
        assert_eq!((failed.severity(), failed.remedy()), (Severity::Fail, None));
    }
}
