//! Statements of an archive, cut as PostgreSQL's own scanner cuts them (`scan.l`, `gram.y`), and no further: what cannot be
//! read with certainty is an error.

/// A piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword, or a name without quotes.
    Word(&'a str),
    /// A name in quotes.
    Name(&'a str),
    /// A string, without its quotes.
    Text(&'a str),
    /// Anything else, one character at a time.
    Sign(char),
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// A token, and within how many parentheses it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) token: Token<'a>,
    pub(super) depth: u32,
}

/// `standard_conforming_strings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strings {
    /// A backslash is a backslash.
    Standard,
    /// It begins an escape, in databases where that setting is off.
    Escaping,
}

/// Why a text cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A backslash outside of strings: a command of `psql`, which a server refuses.
    Backslash,
    /// Something that does not end, or can be read in two ways.
    Unclear,
}

/// What can stand behind a column that is called `case`, and never behind a `CASE`.
const AFTER_A_LABEL: [&str; 17] = [
    "AS",
    "EXCEPT",
    "FETCH",
    "FOR",
    "FROM",
    "GROUP",
    "HAVING",
    "INTERSECT",
    "INTO",
    "LIMIT",
    "OFFSET",
    "ON",
    "ORDER",
    "RETURNING",
    "UNION",
    "WHERE",
    "WINDOW",
];

/// The statements of a text. Those of a function's body in SQL (`BEGIN ATOMIC … END`) belong to what makes it.
///
/// `strings` says what a backslash means in a string without an `E` before it.
pub(super) fn statements(text: &str, strings: Strings) -> Result<Vec<Vec<Piece<'_>>>, Unreadable> {
    let mut statements = Vec::new();
    let mut statement: Vec<Piece<'_>> = Vec::new();
    let mut depth = 0_u32;
    for token in tokens(text, strings)? {
        match token {
            Token::Sign('(' | '[') => depth += 1,
            Token::Sign(')' | ']') => depth = depth.checked_sub(1).ok_or(Unreadable::Unclear)?,
            _ => {}
        }
        if token == Token::Sign(';') && depth == 0 && !is_amid_body(&statement)? {
            statements.push(std::mem::take(&mut statement));
        } else {
            statement.push(Piece { token, depth });
        }
    }
    if depth > 0 || is_amid_body(&statement)? {
        return Err(Unreadable::Unclear);
    }
    statements.push(statement);
    statements.retain(|statement| !statement.is_empty());
    Ok(statements)
}

/// Whether a statement so far is a function with a body that goes on.
fn is_amid_body(statement: &[Piece<'_>]) -> Result<bool, Unreadable> {
    let begins = |pair: &[Piece<'_>]| {
        pair.iter().all(|piece| piece.depth == 0) && pair[0].token.is("BEGIN") && pair[1].token.is("ATOMIC")
    };
    let makes = statement.first().is_some_and(|first| first.token.is("CREATE"));
    let Some(body) = statement.windows(2).position(begins).filter(|_| makes) else { return Ok(false) };
    let mut blocks = 1_u32;
    for at in body + 2..statement.len() {
        let token = statement[at].token;
        if !token.is("CASE") && !token.is("END") {
            continue;
        }
        // A column of that name, which would be counted wrongly: `pg_dump` puts it into quotes.
        let before = statement[at - 1].token;
        let after = statement.get(at + 1).map(|piece| piece.token);
        let ends_label = |token: Token<'_>| {
            matches!(token, Token::Sign(';' | ',' | ')')) || AFTER_A_LABEL.iter().any(|word| token.is(word))
        };
        if before.is("AS") || before == Token::Sign('.') || token.is("CASE") && after.is_some_and(ends_label) {
            return Err(Unreadable::Unclear);
        }
        if token.is("CASE") {
            blocks += 1;
        } else {
            blocks = blocks.checked_sub(1).ok_or(Unreadable::Unclear)?;
        }
    }
    Ok(blocks > 0)
}

fn tokens(text: &str, strings: Strings) -> Result<Vec<Token<'_>>, Unreadable> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = blank(rest)? {
            rest = after;
            continue;
        }
        let (token, after) = match first {
            '\'' if strings == Strings::Escaping => escaped(rest)?,
            '\'' => plain(rest, '\'', Token::Text)?,
            '"' => plain(rest, '"', Token::Name)?,
            '$' => dollar(rest)?,
            '\\' => return Err(Unreadable::Backslash),
            'e' | 'E' if rest[1..].starts_with('\'') => escaped(&rest[1..])?,
            // Written in numbers of characters: `pg_dump` never does.
            'u' | 'U' if rest[1..].starts_with("&'") || rest[1..].starts_with("&\"") => {
                return Err(Unreadable::Unclear);
            }
            first if begins_word(first) => {
                let end = rest.find(|c| !goes_on_in_word(c)).unwrap_or(rest.len());
                (Token::Word(&rest[..end]), &rest[end..])
            }
            other => (Token::Sign(other), &rest[other.len_utf8()..]),
        };
        tokens.push(token);
        rest = after;
    }
    Ok(tokens)
}

fn begins_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn goes_on_in_word(c: char) -> bool {
    begins_word(c) || c.is_ascii_digit() || c == '$'
}

/// What is behind white space and comments, if there are any here.
fn blank(text: &str) -> Result<Option<&str>, Unreadable> {
    if text.starts_with("--") {
        return Ok(Some(text.find(['\n', '\r']).map_or("", |end| &text[end..])));
    }
    if text.starts_with("/*") {
        return comment(text).map(Some);
    }
    let after = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    Ok((after.len() < text.len()).then_some(after))
}

/// What is behind a comment, which may hold others.
fn comment(text: &str) -> Result<&str, Unreadable> {
    let (mut rest, mut open) = (text, 0_u32);
    loop {
        if let Some(after) = rest.strip_prefix("/*") {
            (rest, open) = (after, open + 1);
        } else if let Some(after) = rest.strip_prefix("*/") {
            (rest, open) = (after, open - 1);
            if open == 0 {
                return Ok(rest);
            }
        } else {
            let mut characters = rest.chars();
            characters.next().ok_or(Unreadable::Unclear)?;
            rest = characters.as_str();
        }
    }
}

/// What stands between two `quote`s, of which two mean one.
fn plain<'a>(text: &'a str, quote: char, token: fn(&'a str) -> Token<'a>) -> Result<(Token<'a>, &'a str), Unreadable> {
    let content = &text[1..];
    let mut from = 0;
    loop {
        let end = from + content[from..].find(quote).ok_or(Unreadable::Unclear)?;
        let after = &content[end + 1..];
        if !after.starts_with(quote) {
            return Ok((token(&content[..end]), after));
        }
        from = end + 2;
    }
}

/// A string in which a backslash means something. Another one behind it would be its continuation, in which backslashes mean
/// something too: `pg_dump` writes none.
fn escaped(text: &str) -> Result<(Token<'_>, &str), Unreadable> {
    let content = &text[1..];
    let mut from = 0;
    let end = loop {
        let at = from + content[from..].find(['\'', '\\']).ok_or(Unreadable::Unclear)?;
        if content[at..].starts_with('\\') {
            let character = content[at + 1..].chars().next().ok_or(Unreadable::Unclear)?;
            from = at + 1 + character.len_utf8();
        } else if content[at + 1..].starts_with('\'') {
            from = at + 2;
        } else {
            break at;
        }
    };
    let mut next = &content[end + 1..];
    while let Some(after) = blank(next)? {
        next = after;
    }
    if next.starts_with('\'') {
        return Err(Unreadable::Unclear);
    }
    Ok((Token::Text(&content[..end]), &content[end + 1..]))
}

/// `$$…$$`, `$tag$…$tag$`, or a single sign.
fn dollar(text: &str) -> Result<(Token<'_>, &str), Unreadable> {
    let tag = text[1..].find(|c: char| !(begins_word(c) || c.is_ascii_digit())).map_or("", |end| &text[..end + 1]);
    let is_tag =
        !tag.is_empty() && text[tag.len()..].starts_with('$') && !tag[1..].starts_with(|c: char| c.is_ascii_digit());
    if !is_tag {
        return Ok((Token::Sign('$'), &text[1..]));
    }
    let quote = &text[..tag.len() + 1];
    let content = &text[quote.len()..];
    let end = content.find(quote).ok_or(Unreadable::Unclear)?;
    Ok((Token::Text(&content[..end]), &content[end + quote.len()..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first_words(text: &str) -> Result<Vec<String>, Unreadable> {
        let statements = statements(text, Strings::Standard)?;
        let word = |statement: &Vec<Piece<'_>>| match statement[0].token {
            Token::Word(word) => word.to_owned(),
            other => format!("{other:?}"),
        };
        Ok(statements.iter().map(word).collect())
    }

    #[test]
    fn semicolons_end_statements_only_where_the_server_says_so() {
        let one = [
            "A 'it''s; B'",
            "A \"b\"\"; B\"",
            "A E'\\'; B'",
            "A $$; B$$",
            "A $x$; $$ B $x$",
            "A /* ; /* B */ ; */ c",
            "A -- ; B\n c",
            "A (b; C)",
            "A $1; ",
            "A b$c$; ",
            "A e'\\\\';",
        ];
        for text in one {
            assert_eq!(first_words(text).unwrap(), ["A"], "{text}");
        }
        for text in ["A 'b'; C", "A '\\'; C", "A $x$ $$ $x$; C", "A E'\\\\'; C", ";;A;\n/* c */ C;", "A b$c; C $d$ $d$"]
        {
            assert_eq!(first_words(text).unwrap(), ["A", "C"], "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for text in [
            "A 'b",
            "A \"b",
            "A $x$ $X$",
            "A /* /* */",
            "A (b",
            "A b)",
            "A E'\\'",
            "A E'a'\n'b\\''; C; --'",
            "A E'\\",
            "A u&'b'",
            "A U&\"b\"",
        ] {
            assert_eq!(first_words(text), Err(Unreadable::Unclear), "{text}");
        }
        assert_eq!(first_words("A;\n\\! b"), Err(Unreadable::Backslash));
    }

    #[test]
    fn a_backslash_is_what_the_archive_says() {
        let text = "A '\\'; B; --'";
        assert_eq!(statements(text, Strings::Standard).unwrap().len(), 2);
        assert_eq!(statements(text, Strings::Escaping).unwrap().len(), 1);
    }

    #[test]
    fn the_body_of_a_function_is_its_own() {
        let body = "CREATE FUNCTION f() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a THEN b END; \
            INSERT INTO t DEFAULT VALUES; END; CREATE ROLE x";
        assert_eq!(statements(body, Strings::Standard).unwrap().len(), 2);
        for label in ["AS case", "AS end", "case", "case FROM t", "t.case", "case, b"] {
            let text =
                format!("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1 {label}; END; SELECT evil(); SELECT 2 \"end\"");
            assert_eq!(
                statements(&text, Strings::Standard).map(|found| found.len()),
                Err(Unreadable::Unclear),
                "{label}"
            );
        }
        assert_eq!(first_words("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;"), Err(Unreadable::Unclear), "no end");
        assert_eq!(first_words("CREATE FUNCTION f(begin atomic); B").unwrap(), ["CREATE", "B"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-eE$'\"\\\\();/*\\- \n1é_]{0,60}") {
            let _ = (statements(&text, Strings::Standard), statements(&text, Strings::Escaping));
        }

        #[test]
        fn quoted_text_never_ends_a_statement(inner in "[^']{0,30}") {
            let text = format!("A '{inner}'; B");
            prop_assert_eq!(first_words(&text).unwrap(), ["A", "B"]);
        }
    }
}
