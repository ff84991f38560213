//! Every exit code, and which error gets which: one table, also for help texts and documentation.

use backup_core::{Class, Failure};

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
    (Exit::Stale, "the newest backup is too old or missing"),
    (Exit::Unreachable, "the server or the location cannot be reached, or the connection was lost"),
    (Exit::Tool, "an external program such as `pg_dump`, or a hook, failed or is missing"),
    (Exit::RestoreTest, "a restore test failed (reserved)"),
    (Exit::Interrupted, "interrupted by SIGINT, after clean-up"),
    (Exit::Terminated, "terminated by SIGTERM or SIGHUP, after clean-up"),
];

impl Exit {
    /// The number the process ends with.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// Which error ends with which code, whatever crate it is of.
impl From<Class> for Exit {
    fn from(class: Class) -> Self {
        match class {
            Class::Failed => Self::Failed,
            Class::Usage => Self::Usage,
            Class::Partial => Self::Partial,
            Class::NoLocation => Self::NoLocation,
            Class::Held => Self::Held,
            Class::Key => Self::Key,
            Class::Integrity => Self::Integrity,
            Class::RetentionRefused => Self::RetentionRefused,
            Class::Confirmation => Self::Confirmation,
            Class::NewerFormat => Self::NewerFormat,
            Class::Stale => Self::Stale,
            Class::Unreachable => Self::Unreachable,
            Class::Tool => Self::Tool,
            Class::RestoreTest => Self::RestoreTest,
            Class::Interrupted => Self::Interrupted,
            Class::Terminated => Self::Terminated,
        }
    }
}

/// The code of an error.
pub(crate) fn of(error: &CliError) -> Exit {
    error.class().into()
}

#[cfg(test)]
#[cfg(feature = "default")]
mod tests {
    use std::collections::BTreeSet;

    use backup_core::{CoreError, FormatError, StoreError};
    use object_backup::ObjectError;
    use pg_clone::PgError;

    use super::*;

    #[test]
    fn every_class_has_a_code_of_its_own_and_every_code_but_done_a_class() {
        let codes: BTreeSet<u8> = Class::ALL.map(|class| Exit::from(class).code()).into();
        assert_eq!(codes.len(), Class::ALL.len());
        assert_eq!(codes, TABLE.iter().map(|(exit, _)| exit.code()).filter(|code| *code != 0).collect());
    }

    #[test]
    fn what_a_server_says_means_the_same_for_records() {
        let unreachable = PgError::Unreachable { server: "db1".into(), help: "".into(), source: "refused".into() };
        let source = backup_core::failure::Reported::cause(unreachable);
        let error = ObjectError::Target { action: "connect to", what: "shop".into(), source };
        assert_eq!(of(&error.into()), Exit::Unreachable);
        let error = ObjectError::Source { action: "read", what: "shop".into(), source: "disk on fire".into() };
        assert_eq!(of(&error.into()), Exit::Failed);
    }

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
        let required = FormatError::Requires { key: "a".into(), features: vec!["vaults".into()] };
        assert_eq!(of(&CoreError::Format(required).into()), Exit::NewerFormat);
    }

    #[test]
    fn a_refused_put_fails_and_is_not_taken_for_an_unreachable_store() {
        let denied = StoreError::PermissionDenied {
            key: "a".into(),
            action: "s3:PutObject".into(),
            help: "".into(),
            source: "403".into(),
        };
        assert_eq!(of(&PgError::Store(denied).into()), Exit::Failed);
    }
}
