//! The options and operations that a remedy can name, whatever crate has them.

/// Makes an enum of names, so that none is without a name in the libraries and none is missing from the list.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $type:ident { $( $(#[$doc:meta])* $variant:ident = $name:literal, )* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $( $(#[$doc])* $variant, )*
        }

        impl $type {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What it is called in the libraries.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )*
                }
            }
        }
    };
}

vocabulary! {
    /// An option of a library, by its name there.
    Setting {
        /// Where the backups are.
        Location = "location",
        /// Keep the newest backup of each of so many days.
        KeepDaily = "keep_daily",
        /// Keep the newest backup of each of so many weeks.
        KeepWeekly = "keep_weekly",
        /// Publish a backup that has nothing.
        AllowEmpty = "allow_empty",
        /// Publish a backup without what cannot be read.
        AllowPartial = "allow_partial",
        /// By how much a backup may have less than the one before.
        MaxShrink = "max_shrink",
        /// Read and store everything.
        Full = "full",
        /// Which source, where there are backups of several.
        Source = "source",
        /// Which cluster, where there are dumps of several.
        Cluster = "cluster",
        /// The configuration of a dump.
        Config = "config",
        /// The database to restore into.
        Into = "into",
        /// The file, folder or database to restore records into.
        To = "to",
        /// The last backup that is restored.
        UpTo = "up_to",
        /// The name that confirms.
        Confirm = "confirm",
        /// Restore rows into tables that are there.
        DataOnly = "data_only",
        /// Restore definitions without rows.
        SchemaOnly = "schema_only",
        /// Tables of the live database that survive its replacement.
        CarryOver = "carry_over",
        /// Delete the rows that are in the way.
        ReplaceRows = "replace_rows",
        /// Load rows without checking foreign keys.
        DisableTriggers = "disable_triggers",
        /// Keep the replaced database and a copy of the restored one.
        Reversible = "reversible",
        /// Keep the temporary database of a restore that failed.
        KeepFailed = "keep_failed",
        /// Restore what can be restored, and tell what cannot.
        AllowIncomplete = "allow_incomplete",
        /// Take an older backup if newer ones cannot be read.
        AllowOlder = "allow_older",
        /// The name that confirms a replacement which may be incomplete.
        ConfirmIncomplete = "confirm_incomplete",
        /// Not this extension, nor what needs it.
        ExcludeExtension = "exclude_extension",
        /// Swap although logical replication is bound to the live database.
        Force = "force",
        /// What a dump's schema may do outside of its database.
        AllowOutside = "allow_outside",
        /// Leave out who owns what.
        NoOwner = "no_owner",
        /// Leave out privileges.
        NoAcl = "no_acl",
        /// Put everything into the database's own tablespace.
        NoTablespaces = "no_tablespaces",
        /// The server is somebody else's, and the role no superuser of it.
        Managed = "managed",
        /// The locale of the new database.
        Locale = "locale",
        /// Whose locales the new database uses.
        LocaleProvider = "locale_provider",
        /// Run no hooks.
        NoHooks = "hooks",
        /// Only this table.
        Table = "table",
        /// Only this schema.
        Schema = "schemas",
        /// Not this table.
        ExcludeTable = "exclude_table",
        /// Not the rows of this table.
        ExcludeTableData = "exclude_table_data",
        /// How many workers.
        Jobs = "jobs",
        /// How long a lock is waited for.
        LockTimeout = "lock_timeout",
        /// The folder of PostgreSQL's programs.
        PgBin = "pg_bin",
        /// The host of a server.
        Host = "host",
        /// The port of a server.
        Port = "port",
        /// The role to connect as.
        User = "user",
        /// Only these types of records.
        Type = "types",
        /// What happens to a record that is there already.
        OnConflict = "on_conflict",
        /// After how long a bucket deletes backups.
        ExpireAfter = "expire_after",
        /// After how long a bucket moves backups to cold storage.
        GlacierAfter = "glacier_after",
        /// The folder of what this machine knows of archives.
        State = "state",
        /// Where files go that a restored backup does not know.
        Orphans = "orphans",
        /// How fast archives are made readable.
        Tier = "tier",
        /// Which regions.
        Region = "region",
        /// What has this tag.
        Tag = "tag",
        /// What snapshots have to be consistent with.
        Consistent = "consistent",
        /// How a host is reached.
        Via = "via",
        /// Run commands through sudo.
        Sudo = "sudo",
        /// The mount points to freeze.
        Freeze = "freeze",
        /// What runs before a freeze.
        HookBefore = "hook_before",
        /// What runs after a freeze.
        HookAfter = "hook_after",
        /// The region whose snapshots are copied by day.
        Primary = "primary",
        /// The region they are copied to.
        Secondary = "secondary",
        /// Where it is copied from.
        From = "from",
        /// The time that copies may take.
        Within = "within",
        /// How often snapshots are made.
        Cadence = "cadence",
        /// How long it goes on.
        For = "for",
        /// The file that a plan is written to.
        PlanOut = "plan_out",
    }
}

vocabulary! {
    /// Something that can be run, by its function in the libraries.
    Operation {
        /// Show what a run would do, without doing it.
        Plan = "plan()",
        /// Create a location.
        Init = "Location::init",
        /// List dumps, of the database that it is done to or of all.
        ListDumps = "list",
        /// Show a dump.
        ShowDump = "show",
        /// Verify dumps.
        VerifyDump = "verify",
        /// Restore a dump.
        RestoreDump = "restore",
        /// Delete dumps that no rule keeps.
        PruneDumps = "prune",
        /// List the databases of the server that are local copies or have some.
        ListDatabases = "local::list",
        /// Copy a database on its server.
        CopyDatabase = "local::duplicate",
        /// Drop a database of the server.
        DropDatabase = "local::drop",
        /// Finish or undo what killed restores left on the server.
        Recover = "recover",
        /// Run hooks for a test.
        TestHooks = "hook::trial",
        /// List backups of records, of the name that it is done to or of all.
        ListRecords = "list",
        /// Delete backups of records that no rule keeps.
        PruneRecords = "prune",
        /// List backups of in-memory stores.
        ListStores = "list",
        /// List snapshots of volumes.
        ListSnapshots = "list",
        /// Show snapshots.
        ShowSnapshots = "show",
        /// Make snapshots.
        Snapshot = "snapshot",
        /// Delete snapshots that failed.
        CleanBroken = "clean",
        /// Thaw what is frozen on a host.
        Thaw = "thaw",
        /// List backups of archived files.
        ListArchived = "find::list",
        /// Show what retrieving archives takes and costs.
        PlanRetrieval = "plan_retrieval",
        /// Delete archived backups that no rule keeps, and end interrupted deletions.
        PruneArchived = "prune::Deletion",
        /// Ask what became of retrievals.
        WatchRetrievals = "watch_once",
        /// Read archives that are ready.
        FetchArchived = "fetch",
        /// Lists files that a restored backup did not know.
        ListOrphans = "orphans::list",
        /// Read what this machine should know of archives from the backups.
        RebuildCatalogue = "rebuild::rebuild",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_options_have_one_name() {
        for (index, setting) in Setting::ALL.iter().enumerate() {
            assert!(Setting::ALL[..index].iter().all(|other| other.name() != setting.name()), "{setting:?}");
        }
    }
}
