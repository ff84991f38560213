//! What stands against a restore, copy or drop as things are: known before anything is changed, by a plan and its run.

use std::borrow::Cow;

use backup_core::failure::{Failure, FailureKind, Kinds};
use serde::{Serialize, Serializer};

use super::PgError;

/// Why it cannot be done as things are; each variant is a decision for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.kind().meaning)]
#[non_exhaustive]
pub enum Obstacle {
    /// The server is a standby: go to its primary.
    Standby,
    /// The role lacks a privilege: grant it, or connect as another.
    MissingPrivilege,
    /// It is a database for the server's own upkeep, or a template: choose another.
    SystemDatabase,
    /// Prepared transactions keep the database from being renamed: end them.
    PreparedTransactions,
    /// Logical replication is bound to the database: drop it, or break it on purpose.
    Replication,
    /// The server is older than the one that was dumped: restore on another.
    OlderServer,
    /// The server lacks locales, extensions or roles that the dump needs: add them, or leave them out.
    MissingOnServer,
    /// The server would cut the name: choose a shorter one.
    InvalidName,
    /// The name that is needed belongs to another database: choose another, or move that one away.
    NameTaken,
    /// The database is being built, or was left by a run that was killed: wait, or recover.
    Unfinished,
    /// Rows alone need a database that is there: restore definitions too.
    NoTarget,
    /// The dump does not have what was selected: choose another dump, or another part.
    NotInDump,
    /// The rows do not fit into the schema that is there: bring it to the dump's, or restore beside it.
    DoesNotFit,
    /// There are rows or large objects where those of the dump belong: replace them, or leave them out.
    RowsInTheWay,
    /// Other tables refer to those that are to be emptied: select them too.
    Referenced,
}

impl Failure for Obstacle {
    backup_core::failure_kinds! {
        []
        Standby: "pg::standby", Failed, permanent, "the server is a standby, on which nothing can be changed",
            "go to its primary; nothing was changed";
        MissingPrivilege: "pg::missing_privilege", Failed, permanent, "the role lacks a privilege",
            "grant it as the error says, or connect as another role; nothing was changed";
        SystemDatabase: "pg::system_database", Failed, permanent, "it is a maintenance or template database",
            "name another with --into; nothing was changed";
        PreparedTransactions: "pg::prepared_transactions", Failed, permanent,
            "the live database has prepared transactions, which keep it from being renamed",
            "COMMIT PREPARED or ROLLBACK PREPARED them (see pg_prepared_xacts); nothing was changed";
        Replication: "pg::replication", Failed, permanent, "logical replication is bound to the live database",
            "drop the slots and subscriptions, or say --force; nothing was changed";
        OlderServer: "pg::older_server", Failed, permanent, "the server is older than the one that was dumped",
            "restore on a server of the same or a newer version; nothing was changed";
        MissingOnServer: "pg::missing_on_server", Failed, permanent,
            "the server lacks an encoding, a locale, an extension or a role that the dump needs",
            "install or create it there, or restore on a server that has it; roles can be left out with --no-owner --no-acl";
        InvalidName: "pg::invalid_name", Failed, permanent, "the name has too many bytes for the server, or none",
            "choose another with --into; nothing was changed";
        NameTaken: "pg::name_taken", Failed, permanent, "the name that is needed belongs to another database",
            "choose another name, or rename that database; nothing was changed";
        Unfinished: "pg::unfinished", Failed, permanent,
            "the database is being built, or was left by a run that was killed",
            "wait for that run, or run `lastgood pg recover`; nothing was changed";
        NoTarget: "pg::no_target", Failed, permanent, "rows alone need a database that is there",
            "restore without --data-only, or name another database with --into; nothing was changed";
        NotInDump: "pg::not_in_dump", Failed, permanent, "the dump does not have what was selected",
            "choose a dump that has it, or another part; nothing was changed";
        DoesNotFit: "pg::does_not_fit", Failed, permanent, "the rows do not fit into the schema that is there",
            "select other tables, or restore the whole dump with --into OTHER_NAME; nothing was changed";
        RowsInTheWay: "pg::rows_in_the_way", Failed, permanent,
            "there are rows or large objects where those of the dump belong",
            "replace them with --replace-rows, or select other tables; nothing was changed";
        Referenced: "pg::referenced", Failed, permanent, "other tables refer to those that are to be emptied",
            "select the referring tables too, or empty the selected ones yourself; nothing was changed";
    }
}

impl Serialize for Obstacle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// Something that stands against a restore, copy or drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// Which of them; in JSON its code.
    #[serde(rename = "code")]
    pub obstacle: Obstacle,
    /// What, with names.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Problem {
    pub(crate) fn new(obstacle: Obstacle, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { obstacle, what: what.into(), help: help.into() }
    }

    /// The error that it is for `undertaking`, such as `` `shop` cannot be restored ``.
    pub(crate) fn against(&self, undertaking: &str) -> PgError {
        Self { what: format!("{undertaking}: {}", self.what), ..self.clone() }.refusal()
    }

    /// The error that it is for a run, which it ends before anything is changed.
    pub(crate) fn refusal(self) -> PgError {
        PgError::Obstacle(Self { help: format!("{}; nothing was changed", self.help), ..self })
    }
}

impl Failure for Problem {
    fn kind(&self) -> &'static FailureKind {
        self.obstacle.kind()
    }

    fn collect(kinds: &mut Kinds) {
        Obstacle::collect(kinds);
    }

    fn remedy(&self) -> Option<Cow<'_, str>> {
        Some(self.help.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_a_plan_and_the_error_of_its_run_have_one_code() {
        let problem = Problem::new(Obstacle::Standby, "db1 is a standby", "restore on its primary");
        let listed = serde_json::to_value(&problem).unwrap();
        let error = problem.refusal();
        assert_eq!(listed["code"], error.code());
        assert_eq!(error.code(), "pg::standby");
        assert_eq!(error.to_string(), "db1 is a standby");
        assert_eq!(error.remedy().unwrap(), "restore on its primary; nothing was changed");
    }
}
