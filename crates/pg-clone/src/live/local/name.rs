//! Names of the copies a reversible restore keeps, and how a local database is named on a command line.

use backup_core::digest::Sha256Digest;
use backup_core::failure::Operation;
use backup_core::remedy;
use serde::Serialize;

use crate::error::{PgError, PgResult};

/// Bytes of a name, one less than NAMEDATALEN (PostgreSQL manual, "Identifiers and Key Words").
pub(crate) const NAME_BYTES_MAX: usize = 63;

/// Hexadecimal digits of a digest that stand for the end of a name that is too long: 32 bits tell more databases apart
/// than a server has.
const DIGEST_CHARS: usize = 8;

/// Which of the two copies of a reversible restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyRole {
    /// The database that was replaced.
    Previous,
    /// The database as it was restored.
    Current,
}

impl CopyRole {
    /// As it is typed.
    #[must_use]
    pub fn reference(self) -> &'static str {
        match self {
            Self::Previous => ":previous",
            Self::Current => ":current",
        }
    }
}

/// How the names of such copies end.
pub(super) fn suffix(role: CopyRole) -> &'static str {
    match role {
        CopyRole::Previous => "__previous",
        CopyRole::Current => "__current",
    }
}

/// The name of a copy of `target`: with a suffix, and where that does not fit with a digest in place of the name's end.
/// Always the same for the same target, never the target's own, and at most 63 bytes, so that the server cuts nothing.
#[must_use]
pub fn copy_name(target: &str, role: CopyRole) -> String {
    let suffix = suffix(role);
    if target.len() + suffix.len() <= NAME_BYTES_MAX {
        return format!("{target}{suffix}");
    }
    let mut end = NAME_BYTES_MAX - suffix.len() - DIGEST_CHARS - 1;
    while !target.is_char_boundary(end) {
        end -= 1;
    }
    let mut digest = Sha256Digest::of(target.as_bytes());
    loop {
        let name = format!("{}_{}{suffix}", &target[..end], &digest.to_string()[..DIGEST_CHARS]);
        if name != target {
            return name;
        }
        // Somebody named his database as its own copy would be.
        digest = Sha256Digest::of(name.as_bytes());
    }
}

/// A local database as the source of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalSource {
    /// `:previous` or `:current` (and `:pre`, `:post` of django-pgclone 3) of the target.
    Copy(CopyRole),
    /// `:NAME`, any database.
    Named(String),
}

impl LocalSource {
    /// Reads what begins with a colon; anything else is no local database.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.strip_prefix(':')? {
            "previous" | "prev" | "pre" => Self::Copy(CopyRole::Previous),
            "current" | "curr" | "post" => Self::Copy(CopyRole::Current),
            name => Self::Named(name.to_owned()),
        })
    }

    /// Reads the name of a database, with or without the colon: what is copied or dropped is always local.
    ///
    /// # Errors
    /// [`PgError::Usage`] for `:previous` and `:current`, which are names only beside a target.
    pub fn name(text: &str) -> PgResult<String> {
        match Self::parse(text) {
            None => Ok(text.to_owned()),
            Some(Self::Named(name)) => Ok(name),
            Some(Self::Copy(role)) => Err(PgError::Usage {
                what: format!(
                    "`{text}` is a reserved name: it means the {} copy of a database",
                    &role.reference()[1..]
                ),
                help: remedy!["use the copy's full name, as printed by ", Operation::ListDatabases],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_as_both_originals_wrote_them() {
        let previous = Some(LocalSource::Copy(CopyRole::Previous));
        assert_eq!(LocalSource::parse(":previous"), previous);
        assert_eq!(LocalSource::parse(":pre"), previous);
        assert_eq!(LocalSource::parse(":post"), Some(LocalSource::Copy(CopyRole::Current)));
        assert_eq!(LocalSource::parse(":shop test"), Some(LocalSource::Named("shop test".into())));
        assert_eq!(LocalSource::parse("shop"), None);
        assert_eq!(LocalSource::name("shop").unwrap(), "shop");
        assert_eq!(LocalSource::name(":shop").unwrap(), "shop");
        assert!(LocalSource::name(":current").is_err());
    }

    #[test]
    fn a_database_named_as_its_own_copy_would_be_gets_another() {
        let target = copy_name(&"x".repeat(60), CopyRole::Previous);
        assert_eq!(target.len(), 63);
        assert_ne!(copy_name(&target, CopyRole::Previous), target);
        assert_eq!(copy_name("shop", CopyRole::Current), "shop__current");
    }

    proptest! {
        #[test]
        fn names_fit_and_never_meet(target in "[a-z_é中]{1,63}", other in "[a-z_é中]{1,63}") {
            prop_assume!(target.len() <= NAME_BYTES_MAX && other.len() <= NAME_BYTES_MAX);
            let names = [CopyRole::Previous, CopyRole::Current].map(|role| copy_name(&target, role));
            for (name, role) in names.iter().zip([CopyRole::Previous, CopyRole::Current]) {
                prop_assert!(name.len() <= NAME_BYTES_MAX);
                prop_assert_ne!(name, &target);
                prop_assert_eq!(name, &copy_name(&target, role));
                if other != target {
                    prop_assert_ne!(name, &copy_name(&other, role));
                }
            }
            prop_assert_ne!(&names[0], &names[1]);
        }
    }
}
