//! Quoting of SQL identifiers and literals, the one place where names become SQL.

use std::fmt;
use std::str::FromStr;

use crate::error::PgError;

/// Bytes of the longest name that the server keeps whole (PostgreSQL manual, "Identifiers and Key Words").
pub const NAME_BYTES_MAX: usize = 63;

/// Refuses the name of a database that the server would cut, so that another one would be meant, or refuse in words of its own.
///
/// # Errors
/// [`PgError::Usage`].
pub fn refuse_long(name: &str) -> Result<(), PgError> {
    if name.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(PgError::Usage {
        what: format!("`{name}` has {} bytes, and the name of a database has at most {NAME_BYTES_MAX}", name.len()),
        help: "nothing was changed. Choose a shorter name; letters beyond ASCII take two bytes or more".into(),
    })
}

/// `name` as a quoted identifier (PostgreSQL manual, "Identifiers and Key Words"). Always quoted: no list of keywords
/// to keep.
#[must_use]
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `schema.name` as quoted identifiers.
#[must_use]
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_ident(schema), quote_ident(name))
}

/// The name of a relation, with its schema. Read from text it is written as in SQL: `public.orders`, `app."Orders"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct QualifiedName {
    pub(crate) schema: String,
    pub(crate) name: String,
}

impl QualifiedName {
    /// The relation `name` in `schema`, both as they are, without quotes.
    #[must_use]
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// As a statement has it.
    pub(crate) fn quoted(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// `schema.name` for people.
    pub(crate) fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

impl FromStr for QualifiedName {
    type Err = PgError;

    fn from_str(text: &str) -> Result<Self, PgError> {
        let parts: Result<[String; 2], _> = identifiers(text).unwrap_or_default().try_into();
        parts.map(|[schema, name]| Self { schema, name }).map_err(|_| PgError::Usage {
            what: format!("`{text}` is not the name of a table with its schema"),
            help: "write it as in SQL, such as public.orders or app.\"Orders\"".into(),
        })
    }
}

/// The identifiers between dots: folded to lower case outside double quotes, as they are inside.
fn identifiers(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut signs = text.chars().peekable();
    let mut quoted = false;
    while let Some(sign) = signs.next() {
        let part = parts.last_mut()?;
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            _ if quoted => part.push(sign),
            _ => part.extend(sign.to_lowercase()),
        }
    }
    (!quoted && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

/// `value` as a literal. With a backslash in it the escape form is used, which means the same whatever
/// `standard_conforming_strings` is.
#[must_use]
pub fn quote_literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_its_schema_is_read_as_in_sql() {
        let read = |text: &str| text.parse::<QualifiedName>().ok();
        assert_eq!(read("public.Orders"), Some(QualifiedName::new("public", "orders")));
        assert_eq!(read(r#""A ""b"".c".d"#), Some(QualifiedName::new(r#"A "b".c"#, "d")));
        for wrong in ["orders", "a.b.c", ".b", "a.", "\"a.b", "", "a..b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_that_the_server_would_cut_is_refused() {
        refuse_long(&"x".repeat(63)).unwrap();
        for long in ["x".repeat(64), "é".repeat(32)] {
            assert!(refuse_long(&long).unwrap_err().to_string().contains("64 bytes"), "{long}");
        }
    }

    #[test]
    fn quotes_and_backslashes_cannot_end_a_name_or_a_literal() {
        assert_eq!(quote_ident(r#"we"ird é; drop"#), r#""we""ird é; drop""#);
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal(r"a\'b"), r"E'a\\''b'");
    }
}
