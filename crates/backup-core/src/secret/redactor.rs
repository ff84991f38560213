//! Masks registered secrets in any text, even if they were escaped on the way.

use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::{MASK, Secret};

/// Bytes from which on a secret is masked at all: a shorter one is in every other word, and hides more of a message than of
/// itself.
const MASKED_BYTES_MIN: usize = 4;

/// Bytes from which on a secret is masked wherever it stands, unless it is a plain word: no sentence holds it by chance.
const ANYWHERE_BYTES_MIN: usize = 8;

/// Bytes from which on even a plain word is masked where it is a whole one. A shorter one, such as `test` or `5432`, is ordinary,
/// and masked only where something says that it is a secret: [`SAYS_SO`].
const WORD_BYTES_MIN: usize = 6;

/// Bytes from which on letters alone are no plain word any more, but a key or a token.
const TOKEN_BYTES_MIN: usize = 16;

/// What stands before a secret; and `:` and `@` around it, as in URLs.
const SAYS_SO: [&str; 6] = ["password=", "password='", "passwd=", "secret=", "access_key=", "token="];

/// The secrets of this process. Clones share them, so that a secret read late is masked in logs set up early.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<Zeroizing<String>>>>);

impl Redactor {
    /// Knows no secrets yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// That of this process, which also learns secrets where they are found: credentials of AWS as soon as a file, a program or a
    /// service gave them. Programs that show texts use this one.
    #[must_use]
    pub fn of_this_process() -> Self {
        static OURS: LazyLock<Redactor> = LazyLock::new(Redactor::new);
        OURS.clone()
    }

    /// Masks `secret` from now on: as it is, percent-encoded (RFC 3986), as JSON and Rust escape it, and as it
    /// stands in a password file, a connection string and an SQL literal.
    pub fn register(&self, secret: &Secret) {
        let text = secret.expose();
        if text.is_empty() {
            return;
        }
        let json = serde_json::to_string(text).unwrap_or_default();
        let debug = format!("{text:?}");
        let unquoted = |quoted: &str| quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
        let forms = [
            text.to_owned(),
            percent_encode(text, false),
            percent_encode(text, true),
            unquoted(&json),
            unquoted(&debug),
            escaped(text, &['\\', ':']),
            escaped(text, &['\\', '\'']),
            text.replace('\'', "''"),
        ];
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms.map(Zeroizing::new) {
            if !form.is_empty() && !known.contains(&form) {
                known.push(form);
            }
        }
    }

    /// `text` with every registered secret replaced by [`MASK`].
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let lower = text.to_ascii_lowercase();
        let is_masked = |hit: &Range<usize>| {
            let (plain, whole) = (is_plain(&text[hit.clone()]), is_word(text, hit));
            match hit.len() {
                ..MASKED_BYTES_MIN => false,
                ANYWHERE_BYTES_MIN.. if !plain => true,
                ..WORD_BYTES_MIN if plain => whole && is_said(&lower, hit),
                _ => whole,
            }
        };
        let hits = known.iter().flat_map(|form| occurrences(text, form));
        let mut hits: Vec<Range<usize>> = hits.filter(is_masked).collect();
        hits.sort_by_key(|hit| (hit.start, hit.end));
        let mut shown = String::with_capacity(text.len());
        let mut copied_to = 0;
        let mut hits = hits.into_iter().peekable();
        while let Some(mut hit) = hits.next() {
            // Secrets may overlap: what belongs to any of them goes.
            while let Some(next) = hits.next_if(|next| next.start <= hit.end) {
                hit.end = hit.end.max(next.end);
            }
            shown.push_str(&text[copied_to..hit.start]);
            shown.push_str(MASK);
            copied_to = hit.end;
        }
        shown.push_str(&text[copied_to..]);
        shown
    }
}

/// Whether a secret could be an ordinary word or number: nothing but letters, or nothing but digits, and not too many.
fn is_plain(secret: &str) -> bool {
    let only = |kind: fn(char) -> bool| secret.chars().all(kind);
    secret.len() < TOKEN_BYTES_MIN && (only(char::is_alphabetic) || only(|c| c.is_ascii_digit()))
}

/// Whether the hit is in the middle of no word: letters and digits end at both of its ends, if it has any there. An escape before
/// it, such as the `n` of `\\n`, is no letter.
fn is_word(text: &str, hit: &Range<usize>) -> bool {
    let goes_on = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut inside = text[hit.clone()].chars();
    let (first, end) = (inside.next(), text[hit.end..].chars().next());
    let last = inside.next_back().or(first);
    let mut before = text[..hit.start].chars().rev();
    let is_apart = !goes_on(first) || !goes_on(before.next()) || before.next() == Some('\\');
    is_apart && (!goes_on(last) || !goes_on(end))
}

/// Whether what stands around the hit says that it is a secret. `lower` is the text in lower case.
fn is_said(lower: &str, hit: &Range<usize>) -> bool {
    let before = &lower[..hit.start];
    before.ends_with(':') && lower[hit.end..].starts_with('@') || SAYS_SO.iter().any(|says| before.ends_with(says))
}

/// Where `form` stands in `text`, overlapping ones too.
fn occurrences(text: &str, form: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(position) = text[from..].find(form) {
        let start = from + position;
        found.push(start..start + form.len());
        from = start + text[start..].chars().next().map_or(1, char::len_utf8);
    }
    found
}

/// The text with a backslash before each of `characters`.
fn escaped(text: &str, characters: &[char]) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        escaped.extend(characters.contains(&character).then_some('\\'));
        escaped.push(character);
        escaped
    })
}

fn percent_encode(text: &str, lower_case: bool) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let written = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => write!(encoded, "{}", byte as char),
            _ if lower_case => write!(encoded, "%{byte:02x}"),
            _ => write!(encoded, "%{byte:02X}"),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        encoded
    })
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Redactor({} forms)", known.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn overlapping_and_repeated_secrets_leave_nothing() {
        let redactor = Redactor::new();
        for secret in ["abc1bcab", "bc1bcabd", "a1a1a1a1", ""] {
            redactor.register(&Secret::new(secret));
        }
        assert_eq!(redactor.redact("xabc1bcabdx a1a1a1a1a1 é"), "x****x **** é");
        assert_eq!(redactor.redact("nothing here"), "nothing here");
    }

    #[test]
    fn short_secrets_blank_no_ordinary_words() {
        let redactor = Redactor::new();
        for secret in ["test", "hunter2"] {
            redactor.register(&Secret::new(secret));
        }
        for text in ["cannot open `test.db`: the latest test failed", "chunter2x", "s3://test/contest"] {
            assert_eq!(redactor.redact(text), text);
        }
        for (text, shown) in [
            ("postgres://me:test@test/test", "postgres://me:****@test/test"),
            ("PASSWORD=test dbname=test", "PASSWORD=**** dbname=test"),
            ("AWS_SECRET_ACCESS_KEY=test", "AWS_SECRET_ACCESS_KEY=****"),
            ("said \\nhunter2, `hunter2`", "said \\n****, `****`"),
        ] {
            assert_eq!(redactor.redact(text), shown);
        }
    }

    #[test]
    fn nothing_shorter_than_four_is_masked_and_nothing_in_a_word() {
        let redactor = Redactor::new();
        for secret in ["b", "ab1", "ab1!", "postgres", "hunter2", "Tr0ub4dor&3"] {
            redactor.register(&Secret::new(secret));
        }
        for text in ["a database, a backup: `lab1`", "password=b", "ab1", "PostgreSQL and postgresql", "xhunter2x"] {
            assert_eq!(redactor.redact(text), text);
        }
        for (text, shown) in [
            ("as `postgres`", "as `****`"),
            ("echo ab1!", "echo ****"),
            ("xTr0ub4dor&3x", "x****x"),
            ("hunter2.", "****."),
        ] {
            assert_eq!(redactor.redact(text), shown);
        }
    }

    #[test]
    fn what_a_program_repeats_of_a_password_file_or_a_connection_string_is_masked() {
        let redactor = Redactor::new();
        redactor.register(&Secret::new("pp:aa'b\\c"));
        for text in ["pp\\:aa'b\\\\c", "pp:aa\\'b\\\\c", "pp:aa''b\\c"] {
            assert_eq!(redactor.redact(&format!("<{text}>")), "<****>");
        }
    }

    #[test]
    fn clones_share_what_they_know() {
        let early = Redactor::new();
        early.clone().register(&Secret::new("hunter2"));
        assert_eq!(early.redact("password hunter2"), "password ****");
    }

    proptest! {
        #[test]
        fn c17_no_registered_secret_survives_in_any_spelling(
            secrets in prop::collection::vec("[^*%\\\\]{8,40}", 1..6),
            pieces in prop::collection::vec("[^*]{0,20}", 6),
        ) {
            let redactor = Redactor::new();
            let mut text = String::new();
            for (secret, piece) in secrets.iter().zip(&pieces) {
                redactor.register(&Secret::new(secret.clone()));
                let json = serde_json::to_string(secret).unwrap();
                text += &format!(
                    "{piece}{secret}{piece}{}{piece}{}{json}{secret:?}",
                    percent_encode(secret, false),
                    percent_encode(secret, true),
                );
            }
            let shown = redactor.redact(&text);
            for secret in &secrets {
                prop_assert!(!shown.contains(secret.as_str()), "{shown:?} holds {secret:?}");
                prop_assert!(!shown.contains(&percent_encode(secret, false)));
                prop_assert!(!shown.contains(&percent_encode(secret, true)));
                prop_assert!(!shown.contains(serde_json::to_string(secret).unwrap().trim_matches('"')));
            }
        }

        #[test]
        fn text_without_secrets_is_unchanged(secret in "[a-m]{4,10}", text in "[n-z é%]{0,60}") {
            let redactor = Redactor::new();
            redactor.register(&Secret::new(secret));
            prop_assert_eq!(redactor.redact(&text), text);
        }
    }
}
