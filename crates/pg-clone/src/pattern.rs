//! Patterns of table names, by the rules of `pg_dump --table` and `--exclude-table`.
//!
//! PostgreSQL manual, psql, "Patterns": letters outside double quotes are folded to lower case, `*` is any text, `?` any
//! character, `.` parts schema and table, `$` is itself, and other regular-expression signs (`[0-9]`, `|`, `+`) keep their
//! meaning; inside double quotes everything is itself. A pattern without schema means tables visible on the search path.

use std::fmt;
use std::str::FromStr;

use regex_lite::{Regex, RegexBuilder};

use crate::error::{PgError, PgResult};
use crate::ident::quote_ident;

/// Most bytes a compiled pattern may need: a repetition such as `(a{9999}){9999}` is refused, not expanded.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;

/// Characters that mean something in a regular expression and must not inside double quotes.
const REGEX_SIGNS: &str = r"|*+?()[]{}.^$\";

/// A pattern of table names.
#[derive(Clone, Debug)]
pub struct TablePattern {
    text: String,
    schema: Option<Regex>,
    name: Regex,
}

impl TablePattern {
    /// Takes `text` as a pattern.
    ///
    /// # Errors
    /// [`PgError::Usage`] for an empty part, an open double quote, a third part or a broken regular expression.
    pub fn parse(text: &str) -> PgResult<Self> {
        let fault = |what: &str| PgError::Usage {
            what: format!("the table pattern `{text}` {what}"),
            help: "use table, schema.table or schema.prefix_*; put double quotes around upper-case letters, dots and \
                   signs that are part of a name"
                .into(),
        };
        let mut parts = expressions(text).ok_or_else(|| fault("has an unterminated double quote"))?;
        if parts.iter().any(String::is_empty) {
            return Err(fault("has an empty part"));
        }
        let compile = |part: &str| {
            RegexBuilder::new(&format!("^(?:{part})$"))
                .dot_matches_new_line(true)
                .size_limit(COMPILED_BYTES_MAX)
                .build()
                .map_err(|error| fault(&format!("cannot be used: {error}")))
        };
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err(fault("has more parts than schema and table"));
        }
        Ok(Self { text: text.to_owned(), schema: schema.as_deref().map(compile).transpose()?, name: compile(&name)? })
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the table is meant. `visible` says whether its name alone finds it on the search path of the session
    /// (`pg_table_is_visible`, with the search path users get, not an empty one).
    #[must_use]
    pub fn matches(&self, schema: &str, name: &str, visible: bool) -> bool {
        let schema_fits = match &self.schema {
            Some(pattern) => pattern.is_match(schema),
            None => visible,
        };
        schema_fits && self.name.is_match(name)
    }
}

/// The pattern that means this table and no other.
#[must_use]
pub fn exactly(schema: &str, name: &str) -> String {
    let part = |text: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        match !text.is_empty() && text.chars().all(plain) {
            true => text.to_owned(),
            false => quote_ident(text),
        }
    };
    format!("{}.{}", part(schema), part(name))
}

/// The patterns that mean none of `tables`, given as schema, name and visibility: probably a slip of the pen.
pub fn unmatched<'p, 't>(
    patterns: &'p [TablePattern],
    tables: impl Iterator<Item = (&'t str, &'t str, bool)> + Clone,
) -> Vec<&'p TablePattern> {
    let is_used =
        |pattern: &TablePattern| tables.clone().any(|(schema, name, visible)| pattern.matches(schema, name, visible));
    patterns.iter().filter(|pattern| !is_used(pattern)).collect()
}

/// One regular expression a part; nothing if a double quote stays open.
fn expressions(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let part = parts.last_mut()?;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                part.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            sign if quoted && REGEX_SIGNS.contains(sign) => part.extend(['\\', sign]),
            plain if quoted => part.push(plain),
            '*' => part.push_str(".*"),
            '?' => part.push('.'),
            '$' => part.push_str("\\$"),
            '.' => parts.push(String::new()),
            // Only ASCII, as the server's own folding of identifiers in UTF-8 databases.
            plain => part.push(plain.to_ascii_lowercase()),
        }
    }
    (!quoted).then_some(parts)
}

impl fmt::Display for TablePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for TablePattern {
    type Err = PgError;

    fn from_str(text: &str) -> PgResult<Self> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, schema: &str, name: &str) -> bool {
        TablePattern::parse(pattern).unwrap().matches(schema, name, schema == "public")
    }

    #[test]
    fn patterns_mean_what_pg_dump_says() {
        for (pattern, schema, name, expected) in [
            ("orders", "public", "orders", true),
            ("orders", "public", "orders_old", false),
            ("orders", "audit", "orders", false),
            ("ORDERS", "public", "orders", true),
            ("Orders", "public", "Orders", false),
            ("\"Orders\"", "public", "Orders", true),
            ("\"Orders\"", "public", "orders", false),
            ("tmp_*", "public", "tmp_1", true),
            ("tmp_*", "public", "tmp_", true),
            ("tmp_?", "public", "tmp_12", false),
            ("tmp_?", "public", "tmp_ü", true),
            ("audit.log", "audit", "log", true),
            ("audit.*", "audit", "anything", true),
            ("*.log", "audit", "log", true),
            ("*.log", "audit", "logs", false),
            ("\"a.b\"", "public", "a.b", true),
            ("\"a.b\".\"c\"\"d\"", "a.b", "c\"d", true),
            ("pg$tmp", "public", "pg$tmp", true),
            ("a[0-9]", "public", "a7", true),
            ("\"a[0-9]\"", "public", "a7", false),
            ("\"a[0-9]\"", "public", "a[0-9]", true),
            ("\"*\"", "public", "x", false),
            ("\"*\"", "public", "*", true),
            ("a|b", "public", "b", true),
            ("a|b", "public", "ab", false),
            ("x*", "public", "x\ny", true),
            ("Aud\"IT\".log", "audIT", "log", true),
        ] {
            assert_eq!(matches(pattern, schema, name), expected, "{pattern} on {schema}.{name}");
        }
    }

    #[test]
    fn unusable_patterns_are_refused() {
        for pattern in ["", ".a", "a.", "\"a", "a.b.c", "a(", "[", "(a{1000}){1000}"] {
            let error = TablePattern::parse(pattern).expect_err(pattern);
            assert!(matches!(error, PgError::Usage { .. }), "{error}");
        }
    }

    #[test]
    fn patterns_that_mean_nothing_are_found() {
        let patterns = ["orders", "oders", "other.x"].map(|text| TablePattern::parse(text).unwrap());
        let tables = [("public", "orders", true), ("hidden", "oders", false)];
        let names: Vec<_> = unmatched(&patterns, tables.into_iter()).into_iter().map(TablePattern::as_str).collect();
        assert_eq!(names, ["oders", "other.x"]);
    }

    #[test]
    fn a_pattern_can_mean_one_table_alone() {
        assert_eq!(exactly("public", "moods_2"), "public.moods_2");
        assert_eq!(exactly("Odd", r#"a".b*"#), r#""Odd"."a"".b*""#);
    }

    proptest! {
        #[test]
        fn what_means_one_table_matches_it(schema in ".{1,8}", name in ".{1,8}") {
            let pattern = TablePattern::parse(&exactly(&schema, &name)).unwrap();
            prop_assert!(pattern.matches(&schema, &name, false));
            let longer = format!("{name}x");
            prop_assert!(!pattern.matches(&schema, &longer, true));
        }

        #[test]
        fn a_quoted_name_means_itself_only(schema in "\\PC{1,20}", name in "\\PC{1,20}", other in "\\PC{1,20}") {
            let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let pattern = TablePattern::parse(&format!("{}.{}", quote(&schema), quote(&name))).unwrap();
            prop_assert!(pattern.matches(&schema, &name, false));
            prop_assert_eq!(pattern.matches(&schema, &other, true), other == name);
        }

        #[test]
        fn any_text_is_taken_or_refused_without_panic(text in "\\PC{0,30}", name in "\\PC{0,30}") {
            if let Ok(pattern) = TablePattern::parse(&text) {
                let _ = pattern.matches("public", &name, true);
            }
        }
    }
}
