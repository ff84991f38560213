//! Every exit code, and which error gets which: one table, also for help texts and documentation.

use backup_core::retention::RetentionError;
use backup_core::{CoreError, FormatError, StoreError};
use dictstore_backup::DictError;
use object_backup::ObjectError;
use pg_clone::error::PgError;

use crate::error::CliError;

/// What a run ends with. Codes not listed here must be read as failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    Partial = 3,
    NoLocation = 10,
    Held = 11,
    Key = 12,
    Integrity = 13,
    RetentionRefused = 14,
    Confirmation = 15,
    NewerFormat = 16,
    Stale = 20,
    Unreachable = 21,
    Tool = 22,
    RestoreTest = 30,
    Interrupted = 130,
    Terminated = 143,
}

/// The table: code and meaning, in order.
pub(crate) const TABLE: &[(Exit, &str)] = &[
    (Exit::Ok, "success"),
    (Exit::Failed, "failed; the error says what is still safe"),
    (Exit::Usage, "invalid command line or setting"),
    (Exit::Partial, "partly done; the output names what is missing"),
    (Exit::NoLocation, "the location does not exist, or something else is there"),
    (Exit::Held, "another run holds the lock"),
    (Exit::Key, "the location rejects the credentials or the key"),
    (Exit::Integrity, "damage: stored or restored data differs from what was backed up"),
    (Exit::RetentionRefused, "no retention rule was given, or the last good backup would be deleted"),
    (Exit::Confirmation, "confirmation required, or restoring is forbidden here"),
    (Exit::NewerFormat, "written by a newer version of lastgood"),
    (Exit::Stale, "the newest backup is too old or missing (reserved)"),
    (Exit::Unreachable, "the server or the location cannot be reached, or the connection was lost"),
    (Exit::Tool, "an external program such as `pg_dump`, or a hook, failed or is missing"),
    (Exit::RestoreTest, "a restore test failed (reserved)"),
    (Exit::Interrupted, "interrupted by SIGINT, after clean-up"),
    (Exit::Terminated, "terminated by SIGTERM, after clean-up"),
];

impl Exit {
    /// The number the process ends with.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// The code of an error.
pub(crate) fn of(error: &CliError) -> Exit {
    match error {
        CliError::Pg(error) => of_pg(error),
        CliError::Dict(error) => of_dict(error.inner()),
        CliError::Object(error) => of_object(error),
        CliError::Core(error) => of_core(error),
        CliError::Usage { .. } => Exit::Usage,
        CliError::Confirm { .. } => Exit::Confirmation,
        CliError::Unhealthy { .. } | CliError::Output { .. } => Exit::Failed,
        CliError::Partial { .. } => Exit::Partial,
        CliError::Interrupted => Exit::Interrupted,
    }
}

fn of_pg(error: &PgError) -> Exit {
    match error {
        PgError::Store(error) => of_store(error),
        PgError::Format(error) => of_format(error),
        PgError::Retention(error) => of_retention(error),
        PgError::Unreachable { .. } | PgError::Lost { .. } => Exit::Unreachable,
        PgError::Tool { .. } | PgError::ToolMissing { .. } | PgError::Hook { .. } => Exit::Tool,
        PgError::Integrity { .. } | PgError::Mismatch { .. } | PgError::RowsDiffer { .. } => Exit::Integrity,
        PgError::Locked { .. } => Exit::Held,
        PgError::Confirm { .. } | PgError::Forbidden { .. } => Exit::Confirmation,
        PgError::Usage { .. } => Exit::Usage,
        PgError::Interrupted => Exit::Interrupted,
        // Sql, NoDump, NoDatabase, Refused, and whatever is added later.
        _ => Exit::Failed,
    }
}

fn of_dict(error: &DictError) -> Exit {
    match error {
        DictError::Core(error) => of_core(error),
        DictError::Damaged { .. } | DictError::Refused { .. } | DictError::Gap { .. } => Exit::Integrity,
        DictError::Usage { .. } | DictError::Source { .. } => Exit::Usage,
        DictError::Empty { .. } => Exit::Confirmation,
        DictError::Interrupted => Exit::Interrupted,
        // NoBackup, Encode, Io, Schema, and whatever is added later.
        _ => Exit::Failed,
    }
}

fn of_object(error: &ObjectError) -> Exit {
    match error {
        ObjectError::Core(error) => of_core(error),
        ObjectError::Damaged { .. } | ObjectError::Refused { .. } => Exit::Integrity,
        ObjectError::Command { .. } => Exit::Tool,
        ObjectError::Emptied { .. } | ObjectError::Nothing { .. } | ObjectError::Shrunk { .. } => Exit::Confirmation,
        ObjectError::Usage { .. } => Exit::Usage,
        ObjectError::Interrupted => Exit::Interrupted,
        // What the server said when it was connected to means what it means everywhere.
        ObjectError::Source { source, .. } | ObjectError::Target { source, .. } => {
            source.downcast_ref::<PgError>().map_or(Exit::Failed, of_pg)
        }
        // Record, Changed, NoBackup, NotComplete, Conflict, Uncertain, and whatever is added later.
        _ => Exit::Failed,
    }
}

fn of_core(error: &CoreError) -> Exit {
    match error {
        CoreError::Store(error) => of_store(error),
        CoreError::Format(error) => of_format(error),
        CoreError::Retention(error) => of_retention(error),
        CoreError::Cancelled => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::NoLocation { .. } | StoreError::NotInitialized { .. } | StoreError::Occupied { .. } => {
            Exit::NoLocation
        }
        StoreError::Unauthenticated { .. } => Exit::Key,
        StoreError::Busy { .. } | StoreError::Unreachable { .. } => Exit::Unreachable,
        StoreError::Damaged { .. } | StoreError::NotAnObject { .. } => Exit::Integrity,
        StoreError::Invalid { .. } => Exit::Usage,
        // NotFound, AlreadyExists, Precondition, PermissionDenied, NoSpace, Unsuitable, Other.
        _ => Exit::Failed,
    }
}

fn of_format(error: &FormatError) -> Exit {
    match error {
        FormatError::Newer { .. } => Exit::NewerFormat,
        _ => Exit::Integrity,
    }
}

fn of_retention(error: &RetentionError) -> Exit {
    match error {
        RetentionError::Invalid { .. } => Exit::Usage,
        _ => Exit::RetentionRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_each_code_once() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0.code() < pair[1].0.code()));
    }

    #[test]
    fn a_damaged_object_is_an_integrity_failure_wherever_it_is_found() {
        let damaged = || StoreError::Damaged { key: "a".into(), what: "shorter".into() };
        assert_eq!(of(&PgError::Store(damaged()).into()), Exit::Integrity);
        assert_eq!(of(&CoreError::Store(damaged()).into()), Exit::Integrity);
        assert_eq!(of(&FormatError::Digest { key: "a".into() }.into()), Exit::Integrity);
    }

    #[test]
    fn a_newer_format_has_its_own_code() {
        let newer = FormatError::Newer { key: "a".into(), found: 2, supported: 1 };
        assert_eq!(of(&PgError::Format(newer).into()), Exit::NewerFormat);
    }

    #[test]
    fn a_refused_put_fails_and_is_not_taken_for_an_unreachable_store() {
        let denied = StoreError::PermissionDenied {
            key: "a".into(),
            action: "s3:PutObject".into(),
            help: String::new(),
            source: "403".into(),
        };
        assert_eq!(of(&PgError::Store(denied).into()), Exit::Failed);
    }
}
