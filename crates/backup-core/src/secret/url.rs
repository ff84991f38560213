//! Finds passwords in URLs and connection strings, known or not: they are masked, and refused where they do not belong.

use std::ops::Range;

use super::MASK;

/// Parameters whose values are secret, in URLs and in `keyword=value` strings; lower case.
const SECRET_PARAMETERS: [&str; 8] = [
    "password",
    "passwd",
    "sslpassword",
    "secret",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
];

/// A secret in a URL or connection string.
struct Found<'a> {
    /// What a masked text leaves out: rather too much than too little.
    masked: Range<usize>,
    /// The secret itself, as it is written; empty where there may be none.
    secret: &'a str,
}

/// `text` with the passwords of its URLs (`scheme://user:password@host`) and of its secret parameters
/// (`password=…`, also `password='…'`) masked. Masks too much rather than too little.
#[must_use]
pub fn redact_url(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut copied_to = 0;
    for Found { masked, .. } in found(text) {
        // A value without quotes reaches to the next white space, and there may be a URL in it.
        if masked.start < copied_to {
            continue;
        }
        shown.push_str(&text[copied_to..masked.start]);
        shown.push_str(MASK);
        copied_to = masked.end;
    }
    shown + &text[copied_to..]
}

/// The secrets of the URLs and connection strings in `text`, as they are written there. As written is enough where the
/// text is repeated as written.
#[must_use]
pub fn url_passwords(text: &str) -> Vec<String> {
    let found = found(text).into_iter().map(|found| found.secret.to_owned());
    found.filter(|secret| !secret.is_empty()).collect()
}

/// Whether `text` looks like it holds a password: a URL's, or that of a connection string.
#[must_use]
pub fn holds_password(text: &str) -> bool {
    !url_passwords(text).is_empty()
}

/// Every secret, by where it begins.
fn found(text: &str) -> Vec<Found<'_>> {
    let mut found = logins(text);
    // What looks like a parameter within a password is part of it.
    let apart: Vec<Found<'_>> = parameters(text)
        .into_iter()
        .filter(|parameter| !found.iter().any(|login| login.masked.contains(&parameter.masked.start)))
        .collect();
    found.extend(apart);
    found.sort_by_key(|found| found.masked.start);
    found
}

/// Passwords from the user's colon to the last `@` before white space: an unencoded `/` may be part of one.
fn logins(text: &str) -> Vec<Found<'_>> {
    const SLASHES: &str = "://";
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(position) = text[from..].find(SLASHES) {
        let scheme_end = from + position;
        from = scheme_end + SLASHES.len();
        let rest = &text[from..];
        let token = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
        let Some(at) = token.rfind('@') else { continue };
        let Some(colon) = token[..at].find(':') else { continue };
        let authority = token.split(['/', '?']).next().unwrap_or_default();
        let login = authority.rsplit_once('@').and_then(|(login, _)| login.split_once(':'));
        let secret = match login {
            Some((_, password)) => password,
            // Its password may have a `/` in it; in the path of another URL, a `:` and an `@` mean nothing.
            None if is_postgres(&text[..scheme_end]) && authority.contains(':') => &token[colon + 1..at],
            None => "",
        };
        found.push(Found { masked: from + colon + 1..from + at, secret });
        from += token.len();
    }
    found
}

/// Whether what ends with a URL's scheme ends with one of PostgreSQL's.
fn is_postgres(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next().unwrap_or_default();
    word.to_ascii_lowercase().starts_with("postg")
}

/// Values of secret parameters.
fn parameters(text: &str) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(position) = text[from..].find('=') {
        let equals = from + position;
        from = equals + 1;
        let before = text[..equals].trim_end();
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let name = &before[before.trim_end_matches(is_of_word).len()..];
        if !SECRET_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) {
            continue;
        }
        let value = text[from..].trim_start();
        let start = text.len() - value.len();
        let end = value_end(value);
        let secret = value[..end].strip_prefix('\'').map_or(&value[..end], |quoted| quoted.trim_end_matches('\''));
        found.push(Found { masked: from..start + end, secret });
        from = start + end;
    }
    found
}

/// Where a parameter's value ends: at its closing quote, else at white space, `&` or `#`.
fn value_end(value: &str) -> usize {
    if let Some(quoted) = value.strip_prefix('\'') {
        let mut escaped = false;
        for (position, c) in quoted.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\'' => return position + 2,
                _ => {}
            }
        }
        return value.len();
    }
    value.find(|c: char| c.is_whitespace() || c == '&' || c == '#').unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passwords_in_urls_and_connection_strings_are_masked() {
        for (text, shown) in [
            ("postgres://ann:hunter2@db/shop", "postgres://ann:****@db/shop"),
            ("postgres://ann:a/b:c@d@db/shop and more", "postgres://ann:****@db/shop and more"),
            ("postgres://ann@db:5432/shop", "postgres://ann@db:5432/shop"),
            ("postgres://db/shop?password=x&sslmode=require", "postgres://db/shop?password=****&sslmode=require"),
            ("host=db password=hunter2 user=ann", "host=db password=**** user=ann"),
            (r"password = 'it\'s me' user=ann", "password =**** user=ann"),
            ("https://b/k?X-Amz-Signature=abc#x", "https://b/k?X-Amz-Signature=****#x"),
            ("PGPASSWORD mentioned, nopassword=x", "PGPASSWORD mentioned, nopassword=x"),
            ("s3://bucket/a/b", "s3://bucket/a/b"),
            ("é=password=x", "é=password=****"),
        ] {
            assert_eq!(redact_url(text), shown);
        }
    }

    #[test]
    fn passwords_are_found_wherever_a_url_may_hold_one() {
        for (text, password) in [
            ("postgres://u:p%40w@h/d?x=1", "p%40w"),
            ("postgres://u:p@h/d@e", "p"),
            ("postgresql+psycopg://u:p/w@h/d", "p/w"),
            ("postgres://u@h/d?password=hush&x=1", "hush"),
            ("host=h password='two words' user=u", "two words"),
            ("s3://key:secret@bucket/x", "secret"),
        ] {
            assert_eq!(url_passwords(text), [password], "{text}");
            assert!(holds_password(text), "{text}");
        }
        for text in ["shop", "postgres://u@h:5432/d", "s3://bucket/a:b", "s3://bucket/a:b@c", "./backups", "pre-*/shop"]
        {
            assert!(!holds_password(text), "{text}");
        }
        // A port and a name with an `@` look like one.
        assert!(holds_password("postgres://h:5432/d@e"));
    }

    proptest! {
        #[test]
        fn no_password_in_a_url_survives(password in "[a-z/:@?&=%']{6,20}", before in "[ a-z=]{0,10}") {
            let shown = redact_url(&format!("{before} postgres://ann:Q{password}Q@db/shop after"));
            prop_assert!(!shown.contains(&password), "{shown}");
            prop_assert!(shown.ends_with("@db/shop after"), "{shown}");
        }

        #[test]
        fn any_text_is_taken(text in any::<String>()) {
            let _ = redact_url(&text);
        }
    }
}
