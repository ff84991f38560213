//! Which type of records, by the name of its member in the tarball: `<Type>--<table>.json`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{ObjectError, ObjectResult};

/// Between type and table.
const SEPARATOR: &str = "--";

/// Ends a member's name.
const SUFFIX: &str = ".json";

/// Longest member name in bytes: members become files, and common file systems take 255 bytes.
const MEMBER_BYTES_MAX: usize = 255;

/// A type and the table its records are kept in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TypeKey {
    /// The type's name, without its module.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The table.
    pub table: String,
}

impl TypeKey {
    /// Checks both names.
    ///
    /// # Errors
    /// [`ObjectError::Usage`] for names that cannot be a member of a tarball, or could not be told apart in one.
    pub fn new(type_name: impl Into<String>, table: impl Into<String>) -> ObjectResult<Self> {
        let key = Self { type_name: type_name.into(), table: table.into() };
        match key.fault() {
            None => Ok(key),
            Some(what) => Err(ObjectError::usage(
                format!("the type `{}` with the table `{}` cannot be backed up: {what}", key.type_name, key.table),
                "give the table another name",
            )),
        }
    }

    /// Reads a member's name; `None` if it is none of ours.
    #[must_use]
    pub fn of_member(name: &str) -> Option<Self> {
        let (type_name, table) = name.strip_suffix(SUFFIX)?.split_once(SEPARATOR)?;
        Self::new(type_name, table).ok()
    }

    /// The member's name.
    #[must_use]
    pub fn member(&self) -> String {
        format!("{self}{SUFFIX}")
    }

    fn fault(&self) -> Option<&'static str> {
        let names = [&self.type_name, &self.table];
        if names.iter().any(|name| name.is_empty()) {
            return Some("a name is empty");
        }
        if names.iter().any(|name| name.chars().any(|c| c.is_control() || c == '/' || c == '\\')) {
            return Some("a name has a slash, a backslash or a control character");
        }
        if self.type_name.starts_with(['.', '-']) {
            return Some("the type begins with a dot or a hyphen");
        }
        // `A---b` would read as `A` and `-b`.
        if self.type_name.contains(SEPARATOR) || self.type_name.ends_with('-') {
            return Some("the type contains two hyphens in a row, or ends in one");
        }
        (self.member().len() > MEMBER_BYTES_MAX).then_some("the names are longer than 255 bytes together")
    }
}

impl fmt::Display for TypeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SEPARATOR}{}", self.type_name, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_they_are_written() {
        for (type_name, table) in [("User", "users"), ("a-b", "-c"), ("É", "my.table--2"), ("users", "users")] {
            let key = TypeKey::new(type_name, table).unwrap();
            assert_eq!(TypeKey::of_member(&key.member()), Some(key));
        }
    }

    #[test]
    fn o4_names_that_lead_elsewhere_are_no_types() {
        for name in [
            "../x--y.json",
            "/etc/x--y.json",
            "x--../y.json",
            "x.json",
            "--y.json",
            "x--.json",
            "x--y",
            "x--\0.json",
            ".x--y.json",
            "a---b.json",
        ] {
            assert_eq!(TypeKey::of_member(name).filter(|key| key.type_name != "a"), None, "{name}");
        }
        assert!(TypeKey::new("a-", "b").is_err());
        assert!(TypeKey::new("a", "b".repeat(250)).is_err());
    }
}
