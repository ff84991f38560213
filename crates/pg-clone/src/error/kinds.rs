//! Code, class and general remedy of every error of this crate: a page of the reference.

use backup_core::failure::{Failure, Operation, Remedy, Setting};
use backup_core::retention::RetentionError;
use backup_core::{CoreError, FormatError, StoreError};
use backup_core::{failure_kinds, remedy};

use super::{PgError, Problem};

impl Failure for PgError {
    failure_kinds! {
        [Store(StoreError), Format(FormatError), Retention(RetentionError), Core(CoreError), Obstacle(Problem)]
        Unreachable: "pg::unreachable", Unreachable, passing, "the server cannot be reached, or rejects the login",
            "check host, port, user and password; the error says which of them";
        Lost: "pg::lost", Unreachable, passing, "the connection to the server was lost during the work",
            "nothing was published or swapped. See the server's log, then run the command again";
        Sql: "pg::sql", Failed, permanent, "the server rejected a statement; the message is the server's";
        Tool: "pg::tool", Tool, permanent, "`pg_dump` or `pg_restore` failed", "read the last lines it printed";
        Hook: "pg::hook", Tool, permanent, "a hook failed, took too long or could not be started",
            ["correct the hook; ", Operation::TestHooks, " tries it"];
        ToolMissing: "pg::tool_missing", Tool, permanent, "a program is missing or has the wrong version",
            ["install the PostgreSQL client programs of the server's version, or name their folder with ", Setting::PgBin];
        Integrity: "pg::integrity", Integrity, permanent,
            "a stored object is missing, or is shorter, longer or different from what was written",
            ["nothing was restored. Run ", Operation::ListDumps, " to find another dump, and ", Operation::VerifyDump.on("KEY"),
             " to check it"];
        Mismatch: "pg::mismatch", Integrity, permanent, "the restored database differs from the dump",
            "the live database was not touched";
        Incomplete: "pg::incomplete", Failed, permanent, "objects of the dump cannot be restored on this server",
            ["nothing was switched. ", Setting::AllowIncomplete, " restores the rest, ", Setting::KeepFailed,
             " keeps the temporary database to finish it by hand"];
        RowsDiffer: "pg::rows_differ", Integrity, permanent, "the rows in the live database would differ from the dump",
            ["everything was rolled back, nothing was changed. To see the dump's rows, restore it into another database with ",
             Setting::Into.with("NAME"), ", without ", Setting::DataOnly];
        NoDump: "pg::no_dump", Failed, permanent, "there is no such dump", ["run ", Operation::ListDumps, " to list dumps"];
        NoDatabase: "pg::no_database", Failed, permanent, "there is no such database on the server",
            [Operation::ListDatabases, " lists the databases there. Nothing was changed"];
        Locked: "pg::locked", Held, passing, "another run is restoring this database",
            "nothing was changed. Wait for it to end";
        LockRace: "pg::lock_race", Failed, passing, "another session asked for an exclusive lock on a table that was being dumped",
            "nothing was published. Run the dump again after the migration";
        SchemaRace: "pg::schema_race", Failed, passing, "the schema changed while it was dumped",
            "nothing was published. Run the dump again after the migration";
        TablesChanging: "pg::tables_changing", Failed, passing, "tables were created, dropped or changed faster than they could be locked",
            "nothing was written. Run the dump again when no migration is running";
        TableLocked: "pg::table_locked", Failed, passing,
            "another session held an exclusive lock on a table for longer than the lock timeout",
            ["nothing was written. Wait for it, end it, or raise ", Setting::LockTimeout];
        LockTableFull: "pg::lock_table_full", Failed, permanent, "the server's lock table is too small for so many tables",
            "nothing was published. Raise max_locks_per_transaction in postgresql.conf (twice the number of tables, divided by max_connections, is enough) and restart the server";
        SourceDiffers: "pg::source_differs", Integrity, permanent,
            "rows that no changed page was named for differ from those of the earlier dump",
            ["nothing was published. Dump with ", Setting::Full, ", and verify the earlier dumps of the table by restoring them"];
        NotIncremental: "pg::not_incremental", Failed, permanent, "an incremental dump was required, and all rows would be read",
            "nothing was written. Dump without requiring it: that keeps what can be kept, and says why not more";
        Unreadable: "pg::unreadable", Failed, permanent, "the role may not read tables of the dump",
            ["nothing was written. Grant SELECT on them and USAGE on their schemas to the dumping role (or the role pg_read_all_data), or leave out tables with ",
             Setting::ExcludeTable];
        RowsHidden: "pg::rows_hidden", Failed, permanent, "row security would hide rows from the dump",
            ["nothing was written. Dump as the tables' owner (and not under FORCE ROW LEVEL SECURITY) or as a role with BYPASSRLS, or leave out their rows with ",
             Setting::ExcludeTableData];
        RowTooLong: "pg::row_too_long", Failed, permanent, "a row takes 1 GiB or more as text, which the server cannot copy",
            ["nothing was published. Split the row, or leave out the table's rows with ", Setting::ExcludeTableData.with("TABLE")];
        SchemaTooLarge: "pg::schema_too_large", Failed, permanent, "the schema is larger than a dump takes",
            ["nothing was published. Leave out tables with ", Setting::ExcludeTable];
        ManifestTooLarge: "pg::manifest_too_large", Failed, permanent,
            "the database has more, or the dump would leave out more, than a manifest can name",
            ["nothing was written. Leave out fewer tables, by patterns of schemas that ", Setting::ExcludeTable,
             " names, or dump a part of the database"];
        ForeignKeysOff: "pg::foreign_keys_off", Failed, permanent, "foreign keys are switched off for the role or the database",
            "nothing was changed. Reset it (ALTER DATABASE or ALTER ROLE … RESET session_replication_role)";
        RolledBack: "pg::rolled_back", Failed, permanent,
            "putting rows alone into a live database failed; everything was rolled back", "as the error says; nothing was changed";
        Uncertain: "pg::uncertain", Failed, permanent, "the connection was lost while rows alone were committed",
            "either all rows were restored or none: check one of the tables, and if none were, run it again";
        CarryOver: "pg::carry_over", Failed, permanent,
            "tables of the live database could not be carried over into the restored one", "as the error says; nothing was changed";
        NoCopy: "pg::no_copy", Failed, permanent, "the database has no `:previous` or no `:current`",
            ["a restore with ", Setting::Reversible, " keeps one, and a restore without it drops it; ", Operation::ListDatabases,
             " lists copies. Nothing was changed"];
        NoCompleteDump: "pg::no_complete_dump", Failed, permanent, "the database has dumps, and none is complete",
            [Operation::ListDumps.on("DATABASE"), " lists them; a partial one can be restored by its full key, or by ", Setting::Config,
             " with its configuration"];
        NewerUnreadable: "pg::newer_unreadable", Confirmation, permanent,
            "a newer dump than the one that would be restored cannot be read now",
            ["nothing was changed. Make the newer one readable, or restore the older one by its key or with ", Setting::AllowOlder];
        TooFewDumps: "pg::too_few_dumps", Failed, permanent, "the database has fewer complete dumps than were to be gone back",
            [Operation::ListDumps.on("DATABASE"), " lists them"];
        NoDumpSoEarly: "pg::no_dump_so_early", Failed, permanent,
            "all dumps of the database are younger than the moment that was asked for",
            [Operation::ListDumps.on("DATABASE"), " lists them"];
        Replaced: "pg::replaced", Failed, passing, "the database was replaced by somebody else at the same time",
            ["nothing was changed. Check ", Operation::ListDatabases, " and run it again"];
        InUse: "pg::in_use", Failed, passing, "sessions use the database and cannot be ended",
            "end them (see pg_stat_activity) and run it again";
        Closed: "pg::closed", Failed, permanent, "the database does not accept connections",
            ["if a restore was killed, run ", Operation::Recover];
        Machine: "pg::machine", Failed, permanent, "this machine could not start a program or keep a file in memory";
        Internal: "pg::internal", Failed, permanent, "a bug of lastgood, such as a worker that panicked",
            "this is unexpected: please report it";
        Confirm: "pg::confirm", Confirmation, permanent, "a live database would be changed, and nobody confirmed it",
            "confirm as the error says; nothing was changed";
        Forbidden: "pg::forbidden", Confirmation, permanent, "a protected database or server would be changed",
            "nothing was changed. No option overrides this; restore on another server, or change the setting that forbids it";
        Usage: "pg::usage", Usage, permanent, "an option, argument or setting cannot be used";
        Interrupted: "pg::interrupted", Interrupted, permanent, "the run was interrupted, and cleaned up after itself";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Store(error) if error.is_full() => Some(remedy![
                "nothing was published. Delete old dumps with ",
                Operation::PruneDumps.on("DATABASE").with(Setting::KeepDaily.with("7")),
                ", which works on a full disk too, or choose another location with ",
                Setting::Location
            ]),
            Self::Store(error) => error.remedy(),
            Self::Format(error) => error.remedy(),
            Self::Retention(error) => error.remedy(),
            Self::Core(error) => error.remedy(),
            Self::Obstacle(problem) => problem.remedy(),
            Self::Unreachable { help, .. }
            | Self::Tool { help, .. }
            | Self::Hook { help, .. }
            | Self::Incomplete { help, .. }
            | Self::ToolMissing { help, .. }
            | Self::RolledBack { help, .. }
            | Self::CarryOver { help, .. }
            | Self::InUse { help, .. }
            | Self::Confirm { help, .. }
            | Self::Usage { help, .. } => Some(help.clone()),
            Self::Sql { help, .. } => help.clone(),
            Self::Forbidden { help: Some(help), .. } => Some(help.clone()),
            Self::RowTooLong { table, .. } => Some(remedy![
                "nothing was published, and pg_dump cannot dump it either. Find the row by pg_column_size and length of the \
                 wide columns (bytea counts twice), then split it or move the value to a large object, or leave out the \
                 table's rows with ",
                Setting::ExcludeTableData.with(table.clone())
            ]),
            Self::NoDump { databases, .. } if !databases.is_empty() => {
                let names: Vec<String> = databases.iter().map(|name| format!("`{name}`")).collect();
                Some(remedy![
                    format!("dumps there are of {}; ", names.join(", ")),
                    Operation::ListDumps,
                    " lists them all"
                ])
            }
            Self::NoCompleteDump { database, .. } => Some(remedy![
                Operation::ListDumps.on(database.clone()),
                " lists them; a partial one can be restored by its full key, or by ",
                Setting::Config,
                " with its configuration"
            ]),
            Self::TooFewDumps { database, .. } | Self::NoDumpSoEarly { database, .. } => {
                Some(remedy![Operation::ListDumps.on(database.clone()), " lists them"])
            }
            Self::Machine { safe, .. } => Some((*safe).into()),
            Self::Internal { safe, .. } => Some(remedy!["this is unexpected: please report it; "].and(safe.clone())),
            _ => self.kind().remedy(),
        }
    }
}

#[cfg(feature = "diagnostics")]
backup_core::diagnostic!(PgError);
