//! Blanks out comments and literals of Rust source, so that what remains is code and every line keeps its place.

/// `source` with each character of a comment, string or character literal replaced by a space; line ends stay.
pub(crate) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// A string literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// What stands between its quotes, as written.
    pub(crate) text: String,
}

/// The string literals of `source`, in order.
pub(crate) fn strings(source: &str) -> Vec<Literal> {
    let chars: Vec<char> = source.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let end = literal_end(&chars, at).min(chars.len());
        if end > at && matches!(chars[at], '"' | 'r') {
            let written: String = chars[at..end].iter().collect();
            let text = written.trim_start_matches('r').trim_matches('#');
            let text = text.strip_prefix('"').unwrap_or(text);
            found.push(Literal { line, text: text.strip_suffix('"').unwrap_or(text).to_owned() });
        }
        let next = end.max(at + 1);
        line += chars[at..next].iter().filter(|c| **c == '\n').count();
        at = next;
    }
    found
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => line_end(chars, at),
        '/' if next == Some('*') => block_end(chars, at),
        '"' => quoted_end(chars, at, '"'),
        '\'' if is_char_literal(chars, at) => quoted_end(chars, at, '\''),
        'r' if !in_word(chars, at) => raw_end(chars, at),
        _ => at,
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |length| at + length)
}

/// Block comments nest (The Rust Reference, "Comments").
fn block_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = at;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            c if c == quote => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// `r"…"`, `r#"…"#`; `r#name` is an identifier and begins no literal.
fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let mut i = at + 2 + hashes;
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    chars.len()
}

/// `'a'` and `'\n'` are literals, `'a` is a lifetime.
fn is_char_literal(chars: &[char], at: usize) -> bool {
    chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')
}

/// Whether the character at `at` continues a word (`br"…"` counts as the literal it is).
fn in_word(chars: &[char], at: usize) -> bool {
    let word = |i: usize| chars.get(i).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    match at.checked_sub(1) {
        None => false,
        Some(before) if matches!(chars[before], 'b' | 'c') => before > 0 && word(before - 1),
        Some(before) => word(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_become_blanks() {
        for (source, words) in [
            ("a // b {\nc", "a c"),
            ("a /* { /* } */ { */ b", "a b"),
            (r#"f("{ \" }") + 1"#, "f( ) + 1"),
            (r##"r#"}"{"# x"##, "x"),
            ("br\"{\" x", "b x"),
            ("r#type { }", "r#type { }"),
            ("'{' 'a '\\'' x", "'a x"),
            ("for\"{\"", "for"),
        ] {
            let code = code_only(source);
            assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), words, "{source}");
            assert_eq!(code.chars().count(), source.chars().count(), "{source}");
        }
    }

    #[test]
    fn strings_come_with_their_lines() {
        let source = "// \"no\"\na(\"one\",\n'\"', \"two\nlines\");\nb(br#\"raw \"x\"\"#)";
        let found: Vec<(usize, String)> = strings(source).into_iter().map(|one| (one.line, one.text)).collect();
        let expected = [(2, "one"), (3, "two\nlines"), (5, "raw \"x\"")];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn unfinished_literals_end_with_the_file() {
        for source in ["\"abc", "/* x", "r#\"abc\"", "'\\"] {
            assert!(!code_only(source).contains('x'), "{source}");
        }
    }
}
