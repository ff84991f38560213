//! Quoting of SQL identifiers and literals, the one place where names become SQL.

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

/// The name of a relation, with its schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QualifiedName {
    pub(crate) schema: String,
    pub(crate) name: String,
}

impl QualifiedName {
    pub(crate) fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
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
    fn quotes_and_backslashes_cannot_end_a_name_or_a_literal() {
        assert_eq!(quote_ident(r#"we"ird é; drop"#), r#""we""ird é; drop""#);
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal(r"a\'b"), r"E'a\\''b'");
    }
}
