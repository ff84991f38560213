//! Collects every secret that this process can see, so that none appears in an error or a log.

use std::path::PathBuf;

use backup_core::secret::{Redactor, Secret};

use crate::env;

/// Longest password file read, in bytes: thousands of lines.
const PASSFILE_BYTES_MAX: u64 = 1024 * 1024;

/// A redactor that knows the secrets of the environment and of the password file.
pub(crate) fn redactor() -> Redactor {
    let redactor = Redactor::new();
    for secret in env::SECRETS.iter().filter_map(|name| env::value(name)) {
        redactor.register(&Secret::new(secret));
    }
    for url in env::PG_URLS.iter().filter_map(|name| env::value(name)) {
        register_url(&redactor, &url);
    }
    for password in passfile_passwords() {
        redactor.register(&Secret::new(password));
    }
    redactor
}

/// Registers the password of a connection URL or string, if there is one.
pub(crate) fn register_url(redactor: &Redactor, url: &str) {
    for password in url_passwords(url) {
        redactor.register(&Secret::new(password));
    }
}

/// Whether `text` looks like it holds a password: a URL's, or that of a connection string.
pub(crate) fn holds_password(text: &str) -> bool {
    // A password with a `/` in it would end the part of a URL that is looked at below.
    let cut_off = text.split_once("://").is_some_and(|(scheme, rest)| {
        let login = rest.rsplit_once('@').map_or("", |(login, _)| login);
        scheme.starts_with("postg") && login.split('/').next().is_some_and(|first| first.contains(':'))
    });
    cut_off || !url_passwords(text).is_empty()
}

/// The password as it stands in the URL, between `:` and `@`, or after `password=`. As written is enough where the text
/// is repeated as written; the decoded one is registered once the URL has been understood.
fn url_passwords(url: &str) -> Vec<String> {
    let mut passwords = Vec::new();
    if let Some((_, rest)) = url.split_once("://") {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
        passwords.extend(login.split_once(':').map(|(_, password)| password.to_owned()));
    }
    for (at, name) in url.match_indices("password=") {
        let value = &url[at + name.len()..];
        let value = match value.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next(),
            None => value.split(|c: char| c == '&' || c.is_whitespace()).next(),
        };
        passwords.extend(value.map(ToOwned::to_owned));
    }
    passwords.retain(|password| !password.is_empty());
    passwords
}

/// Passwords of PGPASSFILE or `~/.pgpass`. A file that is missing or cannot be read has none to hide; whether it is fit
/// for use is decided where it is used.
fn passfile_passwords() -> Vec<String> {
    let path = env::value("PGPASSFILE").or_else(|| env::value("HOME").map(|home| format!("{home}/.pgpass")));
    let Some(path) = path.map(PathBuf::from) else { return Vec::new() };
    let readable = std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= PASSFILE_BYTES_MAX);
    if !readable {
        return Vec::new();
    }
    std::fs::read_to_string(path).unwrap_or_default().lines().filter_map(passfile_password).collect()
}

/// The fifth field of `host:port:database:user:password`, where `\:` and `\\` stand for `:` and `\`.
fn passfile_password(line: &str) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut field = 0;
    let mut password = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' if field < 4 => field += 1,
            '\\' => {
                let escaped = characters.next();
                password.extend(escaped.filter(|_| field == 4));
            }
            other if field == 4 => password.push(other),
            _ => {}
        }
    }
    (!password.is_empty()).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_wherever_a_url_may_hold_one() {
        assert_eq!(url_passwords("postgres://u:p%40w@h/d?x=1"), ["p%40w"]);
        assert_eq!(url_passwords("postgres://u@h/d?password=hush&x=1"), ["hush"]);
        assert_eq!(url_passwords("host=h password='two words' user=u"), ["two words"]);
        assert!(url_passwords("shop").is_empty() && url_passwords("postgres://u@h/d").is_empty());
    }

    #[test]
    fn texts_with_a_password_are_told_from_those_without() {
        for text in ["postgres://u:p@h/d", "postgresql://u:p/w@h/d", "host=h password=p", "s3://key:secret@bucket/x"] {
            assert!(holds_password(text), "{text}");
        }
        for text in ["postgres://u@h:5432/d", "postgres://h:5432/d@e", "s3://bucket/a:b", "./backups", "pre-*/shop"] {
            assert_eq!(holds_password(text), text == "postgres://h:5432/d@e", "{text}");
        }
    }

    #[test]
    fn the_fifth_field_of_a_password_file_is_the_password() {
        assert_eq!(passfile_password(r"h:5432:d\:1:u:a\:b\\c:d").as_deref(), Some(r"a:b\c:d"));
        assert_eq!(passfile_password("# h:1:d:u:p"), None);
        assert_eq!(passfile_password("h:1:d:u"), None);
    }
}
