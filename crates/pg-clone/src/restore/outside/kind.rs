//! What a statement can act on that is not of one database alone.

use std::fmt;
use std::str::FromStr;

use crate::error::{PgError, PgResult};

/// Something that acts outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acting {
    pub(crate) outside: Outside,
    /// What it is of, for people: an entry, in most cases.
    pub(crate) entry: String,
}

/// What follows an archive's table of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing: rows are elsewhere.
    Schema,
    /// Rows and large objects, as in single files.
    Rows,
}

/// What a statement acts on that is not of the new database alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outside {
    /// Roles: made, changed, given rights of others.
    Roles,
    /// Databases as wholes, the new one too.
    Databases,
    /// Tablespaces.
    Tablespaces,
    /// The server's configuration, and who may change what of it.
    Configuration,
    /// Programs and files of the server's machine.
    Programs,
    /// Functions in languages that may do anything on the server's machine, C among them.
    Languages,
    /// Other servers, that are connected to at once.
    Connections,
    /// Statements that no `pg_dump` writes, which may do anything.
    Commands,
}

/// Each with its name.
const NAMES: [(Outside, &str, &str); 8] = [
    (Outside::Roles, "roles", "changes roles"),
    (Outside::Databases, "databases", "changes a database as a whole"),
    (Outside::Tablespaces, "tablespaces", "changes tablespaces"),
    (Outside::Configuration, "configuration", "changes the server's configuration"),
    (Outside::Programs, "programs", "runs programs or opens files on the server"),
    (Outside::Languages, "languages", "makes a function in an untrusted language"),
    (Outside::Connections, "connections", "connects to another server"),
    (Outside::Commands, "commands", "is no statement of pg_dump"),
];

impl Outside {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Roles,
        Self::Databases,
        Self::Tablespaces,
        Self::Configuration,
        Self::Programs,
        Self::Languages,
        Self::Connections,
        Self::Commands,
    ];

    fn entry(self) -> (&'static str, &'static str) {
        let found = NAMES.iter().find(|(outside, ..)| *outside == self);
        found.map_or(("", ""), |(_, name, does)| (*name, *does))
    }

    /// Its name, such as `roles`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// What a statement does, such as `changes roles`.
    #[must_use]
    pub fn does(self) -> &'static str {
        self.entry().1
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Outside {
    type Err = PgError;

    fn from_str(text: &str) -> PgResult<Self> {
        Self::ALL.into_iter().find(|outside| outside.name() == text).ok_or_else(|| PgError::Usage {
            what: format!("`{text}` is nothing that a dump does outside of its database"),
            help: format!("use one of {}", Self::ALL.map(Self::name).join(", ")).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        for outside in Outside::ALL {
            assert_eq!(outside.name().parse::<Outside>().unwrap(), outside);
            assert!(!outside.does().is_empty());
        }
        assert!("everything".parse::<Outside>().is_err());
    }
}
