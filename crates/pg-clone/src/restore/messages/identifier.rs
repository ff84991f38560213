//! Reads SQL identifiers as `pg_dump` writes them.

/// The identifier `text` begins with, without quotes, and what follows it.
pub(super) fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // pg_dump quotes whatever has other characters than these (fmtId).
        let end =
            text.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, rest)),
        }
    }
}

/// The `schema.name` that `text` begins with, and what follows it.
pub(super) fn qualified(text: &str) -> Option<((String, String), &str)> {
    let (schema, rest) = identifier(text)?;
    let (name, rest) = identifier(rest.strip_prefix('.')?)?;
    Some(((schema, name), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_read_as_pg_dump_writes_them() {
        assert_eq!(identifier("plain_1 x"), Some(("plain_1".to_owned(), " x")));
        assert_eq!(identifier("\"Odd\"\"s\".t"), Some(("Odd\"s".to_owned(), ".t")));
        assert_eq!(qualified("\"a.b\".\"c\nd\"\n"), Some((("a.b".to_owned(), "c\nd".to_owned()), "\n")));
        for wrong in ["", "\"open", "\"x\"\"", "Upper", ".x"] {
            assert_eq!(identifier(wrong), None, "{wrong}");
        }
        assert_eq!(qualified("t ADD"), None);
    }
}
