//! Code, class and general remedy of every error of this crate: a page of the reference.

use std::borrow::Cow;

use backup_core::failure::Failure;
use backup_core::failure_kinds;
use backup_core::retention::RetentionError;
use backup_core::{FormatError, StoreError};

use super::PgError;

impl Failure for PgError {
    failure_kinds! {
        [Store(StoreError), Format(FormatError), Retention(RetentionError)]
        Unreachable: "pg::unreachable", Unreachable, passing, "the server cannot be reached, or rejects the login",
            "check host, port, user and password; the error says which of them";
        Lost: "pg::lost", Unreachable, passing, "the connection to the server was lost during the work",
            "see the server's log; nothing was published or switched, run the command again";
        Sql: "pg::sql", Failed, permanent, "the server rejected a statement; the message is the server's";
        Tool: "pg::tool", Tool, permanent, "`pg_dump` or `pg_restore` failed", "read the last lines it printed";
        Hook: "pg::hook", Tool, permanent, "a hook failed, took too long or could not be started",
            "correct the hook; `lastgood pg hooks` tries it";
        ToolMissing: "pg::tool_missing", Tool, permanent, "a program is missing or has the wrong version",
            "install the PostgreSQL client programs of the server's version, or name their folder with --pg-bin";
        Integrity: "pg::integrity", Integrity, permanent,
            "a stored object is missing, or is shorter, longer or different from what was written",
            "nothing was restored. `lastgood pg ls` shows other dumps; `lastgood pg verify KEY` checks one";
        Mismatch: "pg::mismatch", Integrity, permanent, "the restored database differs from the dump",
            "the live database was not touched";
        RowsDiffer: "pg::rows_differ", Integrity, permanent, "the rows in the live database would differ from the dump",
            "everything was rolled back, nothing was changed; restore the dump beside it with --into OTHER_NAME, without --data-only, to see its rows";
        NoDump: "pg::no_dump", Failed, permanent, "there is no such dump", "`lastgood pg ls` lists what there is";
        NoDatabase: "pg::no_database", Failed, permanent, "there is no such database on the server";
        Locked: "pg::locked", Held, passing, "another lastgood is restoring this database",
            "wait for it to end; nothing was changed";
        LockRace: "pg::lock_race", Failed, passing, "another session asked for an exclusive lock on a table that was being dumped",
            "run the dump again after the migration; nothing was published";
        SchemaRace: "pg::schema_race", Failed, passing, "the schema changed while it was dumped",
            "run the dump again after the migration; nothing was published";
        Refused: "pg::refused", Failed, permanent, "it cannot be done as things are";
        Confirm: "pg::confirm", Confirmation, permanent, "a live database would be changed, and nobody confirmed it",
            "confirm as the error says; nothing was changed";
        Forbidden: "pg::forbidden", Confirmation, permanent, "a protected database or server would be changed",
            "no option overrides that, and nothing was changed; restore on another server, or change what forbids it";
        Usage: "pg::usage", Usage, permanent, "an option, argument or setting cannot be used";
        Interrupted: "pg::interrupted", Interrupted, permanent, "the run was interrupted, and cleaned up after itself";
    }

    fn remedy(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Store(error) => error.remedy(),
            Self::Format(error) => error.remedy(),
            Self::Retention(error) => error.remedy(),
            Self::Unreachable { help, .. }
            | Self::Tool { help, .. }
            | Self::Hook { help, .. }
            | Self::ToolMissing { help, .. }
            | Self::Refused { help, .. }
            | Self::Confirm { help, .. }
            | Self::Usage { help, .. } => Some(help.into()),
            Self::Sql { help, .. } => help.as_deref().map(Cow::Borrowed),
            _ => self.kind().remedy.map(Cow::Borrowed),
        }
    }
}

#[cfg(feature = "diagnostics")]
backup_core::diagnostic!(PgError);
