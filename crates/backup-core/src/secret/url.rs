//! Masks passwords in URLs and connection strings, known or not.

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

/// `text` with the passwords of its URLs (`scheme://user:password@host`) and of its secret parameters
/// (`password=…`, also `password='…'`) masked. Masks too much rather than too little.
#[must_use]
pub fn redact_url(text: &str) -> String {
    mask_parameters(&mask_authorities(text))
}

/// Masks from the user's colon to the last `@` before white space: an unencoded `/` may be part of a password.
fn mask_authorities(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find("://") {
        let (before, after) = rest.split_at(position + "://".len());
        shown.push_str(before);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let token = &after[..end];
        match token.rfind('@').and_then(|at| Some((token[..at].find(':')?, at))) {
            Some((colon, at)) => {
                shown.push_str(&token[..=colon]);
                shown.push_str(MASK);
                shown.push_str(&token[at..]);
                rest = &after[end..];
            }
            None => rest = after,
        }
    }
    shown + rest
}

fn mask_parameters(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(equals) = rest.find('=') {
        let (name, value) = (&rest[..equals], &rest[equals + 1..]);
        shown.push_str(&rest[..=equals]);
        rest = value;
        let name = name.trim_end().to_ascii_lowercase();
        let word_start = name
            .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
            .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
        if SECRET_PARAMETERS.contains(&&name[word_start..]) {
            let spaces = value.len() - value.trim_start().len();
            let value = &value[spaces..];
            shown.push_str(MASK);
            rest = &value[value_end(value)..];
        }
    }
    shown + rest
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
