//! Collects every secret that this process can see, so that none appears in an error or a log.

use std::path::PathBuf;

use backup_core::secret::{Redactor, Secret};
use lastgood_operator::url_passwords;

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
    fn the_fifth_field_of_a_password_file_is_the_password() {
        assert_eq!(passfile_password(r"h:5432:d\:1:u:a\:b\\c:d").as_deref(), Some(r"a:b\c:d"));
        assert_eq!(passfile_password("# h:1:d:u:p"), None);
        assert_eq!(passfile_password("h:1:d:u"), None);
    }
}
