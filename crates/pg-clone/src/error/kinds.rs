//! Code, class and general remedy of every error of this crate: a page of the reference.

use std::borrow::Cow;

use backup_core::failure::Failure;
use backup_core::failure_kinds;
use backup_core::retention::RetentionError;
use backup_core::{CoreError, FormatError, StoreError};

use super::{PgError, Problem};

impl Failure for PgError {
    failure_kinds! {
        [Store(StoreError), Format(FormatError), Retention(RetentionError), Core(CoreError), Obstacle(Problem)]
        Unreachable: "pg::unreachable", Unreachable, passing, "the server cannot be reached, or rejects the login",
            "check host, port, user and password; the error says which of them";
        Lost: "pg::lost", Unreachable, passing, "the connection to the server was lost during the work",
            "see the server's log; nothing was published or switched, run the command again";
        Sql: "pg::sql", Failed, permanent, "the server rejected a statement; the message is the server's";
        Tool: "pg::tool", Tool, permanent, "`pg_dump` or `pg_restore` failed", "read the last lines it printed";
        Hook: "pg::hook", Tool, permanent, "a hook failed, took too long or could not be started",
            "correct the hook; `lastgood pg hooks test` tries it";
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
        TablesChanging: "pg::tables_changing", Failed, passing, "tables were created, dropped or changed faster than they could be locked",
            "run the dump again when no migration is running; nothing was written";
        TableLocked: "pg::table_locked", Failed, passing,
            "another session held an exclusive lock on a table for longer than the lock timeout",
            "wait for it, end it, or raise --lock-timeout; nothing was written";
        LockTableFull: "pg::lock_table_full", Failed, permanent, "the server's lock table has no room for the locks of so many tables",
            "raise max_locks_per_transaction in postgresql.conf (twice the number of tables, divided by max_connections, is enough) and restart the server; nothing was published";
        Unreadable: "pg::unreadable", Failed, permanent, "the role may not read tables of the dump",
            "grant SELECT on them and USAGE on their schemas to the dumping role (or the role pg_read_all_data), or leave tables out with --exclude-table; nothing was written";
        RowsHidden: "pg::rows_hidden", Failed, permanent, "row security would hide rows from the dump",
            "dump as the tables' owner (and not under FORCE ROW LEVEL SECURITY) or as a role with BYPASSRLS, or leave their rows out with --exclude-table-data; nothing was written";
        RowTooLong: "pg::row_too_long", Failed, permanent, "a row takes 1 GiB or more as text, in which rows are copied",
            "split it, or leave the table's rows out with --exclude-table-data TABLE; nothing was published";
        SchemaTooLarge: "pg::schema_too_large", Failed, permanent, "the schema is larger than a dump takes",
            "leave tables out with --exclude-table; nothing was published";
        ForeignKeysOff: "pg::foreign_keys_off", Failed, permanent, "foreign keys are switched off for the role or the database",
            "reset it (ALTER DATABASE or ALTER ROLE … RESET session_replication_role); nothing was changed";
        RolledBack: "pg::rolled_back", Failed, permanent,
            "putting rows alone into a live database failed; everything was rolled back", "as the error says; nothing was changed";
        Uncertain: "pg::uncertain", Failed, permanent, "the connection was lost while rows alone were committed",
            "either all of them are there or none: look into one of the tables, and if none are, run it again";
        NoCopy: "pg::no_copy", Failed, permanent, "the database has no `:previous` or no `:current`",
            "a restore with --reversible keeps one, and a restore without it drops it; `lastgood pg ls --local` shows what there is. Nothing was changed";
        NoCompleteDump: "pg::no_complete_dump", Failed, permanent, "the database has dumps, and none is complete",
            "`lastgood pg ls DATABASE` shows them; a partial one is restored by its whole key, or by --config with its configuration";
        TooFewDumps: "pg::too_few_dumps", Failed, permanent, "the database has fewer complete dumps than were to be gone back",
            "`lastgood pg ls DATABASE` shows them";
        Replaced: "pg::replaced", Failed, passing, "somebody else replaced the database at the same moment",
            "nothing was changed; look at `lastgood pg ls --local` and run it again";
        InUse: "pg::in_use", Failed, passing, "sessions use the database and cannot be ended",
            "end them (see pg_stat_activity) and run it again";
        Closed: "pg::closed", Failed, permanent, "the database does not accept connections",
            "if a restore was killed, `lastgood pg recover` mends it";
        Machine: "pg::machine", Failed, permanent, "this machine could not start a program or keep a file in memory";
        Internal: "pg::internal", Failed, permanent, "a bug of lastgood, such as a worker that panicked",
            "this is unexpected: please report it";
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
            Self::Core(error) => error.remedy(),
            Self::Obstacle(problem) => problem.remedy(),
            Self::Unreachable { help, .. }
            | Self::Tool { help, .. }
            | Self::Hook { help, .. }
            | Self::ToolMissing { help, .. }
            | Self::RolledBack { help, .. }
            | Self::InUse { help, .. }
            | Self::Confirm { help, .. }
            | Self::Usage { help, .. } => Some(help.into()),
            Self::Sql { help, .. } => help.as_deref().map(Cow::Borrowed),
            Self::RowTooLong { table, .. } => Some(
                format!(
                    "find it by pg_column_size and length of the wide columns (bytea counts twice) and split it or move the \
                     value to a large object, or leave the table's rows out with --exclude-table-data {table}; pg_dump \
                     cannot dump it either; nothing was published"
                )
                .into(),
            ),
            Self::NoCompleteDump { database, .. } => Some(
                format!(
                    "`lastgood pg ls {database}` shows them; a partial one is restored by its whole key, or by --config \
                     with its configuration"
                )
                .into(),
            ),
            Self::TooFewDumps { database, .. } => Some(format!("`lastgood pg ls {database}` shows them").into()),
            Self::Machine { safe, .. } => Some((*safe).into()),
            Self::Internal { safe, .. } => Some(format!("this is unexpected: please report it; {safe}").into()),
            _ => self.kind().remedy.map(Cow::Borrowed),
        }
    }
}

#[cfg(feature = "diagnostics")]
backup_core::diagnostic!(PgError);
