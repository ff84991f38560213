//! What stands against a restore, copy or drop as things are: known before anything is changed, by a plan and its run.

use backup_core::failure::{Failure, FailureKind, Kinds, Operation, Remedy, Setting};
use serde::{Serialize, Serializer};

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
    /// The name has the form of lastgood's own copies: choose another.
    ReservedName,
    /// The name that is needed belongs to another database: choose another, or move that one away.
    NameTaken,
    /// A `DROP DATABASE` of the database was interrupted, so that nothing else can be done with it: drop it.
    InvalidDatabase,
    /// The database is being restored, or is a leftover of a killed run: wait, or recover.
    Unfinished,
    /// Rows alone need a database that is there: restore definitions too.
    NoTarget,
    /// The dump does not have what was selected: choose another dump, or another part.
    NotInDump,
    /// The rows do not fit into the schema that is there: bring it to the dump's, or restore beside it.
    DoesNotFit,
    /// There are rows or large objects where those of the dump belong: replace them, or leave them out.
    RowsInTheWay,
    /// The dump's schema acts outside of the new database: do not restore it, or allow it by name.
    ActsOutside,
    /// Other tables refer to those that are to be emptied: select them too.
    Referenced,
    /// One transaction would take more locks than the server has room for: leave something out, or restore beside it.
    LockRoom,
}

impl Failure for Obstacle {
    backup_core::failure_kinds! {
        []
        Standby: "pg::standby", Failed, permanent, "the server is a standby, on which nothing can be changed",
            "nothing was changed. Use its primary";
        MissingPrivilege: "pg::missing_privilege", Failed, permanent, "the role lacks a privilege",
            "nothing was changed. Grant it as the error says, or connect as another role";
        SystemDatabase: "pg::system_database", Failed, permanent, "it is a maintenance or template database",
            ["nothing was changed. Choose another database with ", Setting::Into];
        PreparedTransactions: "pg::prepared_transactions", Failed, permanent,
            "the live database has prepared transactions, which keep it from being renamed",
            "nothing was changed. COMMIT PREPARED or ROLLBACK PREPARED them (see pg_prepared_xacts)";
        Replication: "pg::replication", Failed, permanent, "logical replication is bound to the live database",
            ["nothing was changed. Drop the slots and subscriptions, or use ", Setting::Force];
        OlderServer: "pg::older_server", Failed, permanent, "the server is older than the one that was dumped",
            "nothing was changed. Restore on a server of the same or a newer version";
        MissingOnServer: "pg::missing_on_server", Failed, permanent,
            "the server lacks an encoding, a locale, an extension or a role that the dump needs",
            ["nothing was changed. Install or create it there, or restore on a server that has it; skip owners and privileges with ",
             Setting::NoOwner, " and ", Setting::NoAcl];
        InvalidName: "pg::invalid_name", Failed, permanent, "the name has too many bytes for the server, or none",
            ["nothing was changed. Choose another with ", Setting::Into];
        ReservedName: "pg::reserved_name", Failed, permanent, "the name has the form of lastgood's own copies",
            ["nothing was changed. Choose another with ", Setting::Into];
        NameTaken: "pg::name_taken", Failed, permanent, "the name that is needed belongs to another database",
            "nothing was changed. Choose another name, or rename that database";
        InvalidDatabase: "pg::invalid_database", Failed, permanent, "a DROP DATABASE of it was interrupted: it can only be dropped",
            ["nothing was changed. Drop it: ", Operation::DropDatabase.on("DATABASE")];
        Unfinished: "pg::unfinished", Failed, permanent,
            "the database is being restored, or is a leftover of a killed run",
            ["nothing was changed. Wait for that run, or run ", Operation::Recover];
        NoTarget: "pg::no_target", Failed, permanent, "a data-only restore needs an existing database",
            ["nothing was changed. Restore without ", Setting::DataOnly, ", or choose another database with ", Setting::Into];
        NotInDump: "pg::not_in_dump", Failed, permanent, "the dump does not have what was selected",
            "nothing was changed. Choose a dump that has it, or another part";
        DoesNotFit: "pg::does_not_fit", Failed, permanent, "the rows do not fit the existing schema",
            ["nothing was changed. Choose other tables, or restore the whole dump with ", Setting::Into.with("NAME")];
        RowsInTheWay: "pg::rows_in_the_way", Failed, permanent,
            "there are rows or large objects where those of the dump belong",
            ["nothing was changed. Replace them with ", Setting::ReplaceRows, ", or choose other tables"];
        ActsOutside: "pg::acts_outside", Failed, permanent, "the dump's schema acts outside of the new database",
            ["nothing was changed. Do not restore a dump that you do not trust; ", Setting::AllowOutside, " allows it by name"];
        Referenced: "pg::referenced", Failed, permanent, "other tables refer to those that are to be emptied",
            "nothing was changed. Select the referring tables too, or empty the selected ones yourself";
        LockRoom: "pg::lock_room", Failed, permanent, "one transaction would take more locks than the server has room for",
            ["nothing was changed. Leave something out, raise max_locks_per_transaction, or restore with ",
             Setting::Into.with("NAME")];
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
#[non_exhaustive]
pub struct Problem {
    /// Which of them; in JSON its code.
    #[serde(rename = "code")]
    pub obstacle: Obstacle,
    /// What, with names.
    pub what: String,
    /// What to do.
    pub help: Remedy,
}

impl Problem {
    pub(crate) fn new(obstacle: Obstacle, what: impl Into<String>, help: impl Into<Remedy>) -> Self {
        Self { obstacle, what: what.into(), help: help.into() }
    }
}

impl Failure for Problem {
    fn kind(&self) -> &'static FailureKind {
        self.obstacle.kind()
    }

    fn collect(kinds: &mut Kinds) {
        Obstacle::collect(kinds);
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(self.help.clone())
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
        assert_eq!(error.remedy().unwrap().to_string(), "restore on its primary; nothing was changed");
    }
}
