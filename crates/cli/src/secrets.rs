//! Collects every secret that this process can see, so that none appears in an error or a log.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use backup_core::secret::{Redactor, Secret, url_passwords};
use pg_clone::passfile_passwords;

use crate::env;

/// Bytes read of a file that may hold secrets: people write them by hand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Files that programs for AWS and libpq read: the variable that names one, its place below the home folder, and the keys whose
/// values are secrets. What a hook or another program prints of them is masked, whether this run uses them or not.
const FILES: [(&str, &str, &[&str]); 3] = [
    ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", AWS_KEYS),
    ("AWS_CONFIG_FILE", ".aws/config", AWS_KEYS),
    ("PGSERVICEFILE", ".pg_service.conf", &["password", "sslpassword"]),
];

const AWS_KEYS: &[&str] = &["aws_secret_access_key", "aws_session_token"];

/// The redactor of this process, which knows the secrets of the environment and of files. What a `credential_process` or a
/// service gives it learns from the AWS clients.
pub(crate) fn redactor() -> Redactor {
    let redactor = Redactor::of_this_process();
    for secret in env::SECRETS.iter().filter_map(|name| env::value(name)) {
        redactor.register(&Secret::new(secret));
    }
    for url in env::PG_URLS.iter().filter_map(|name| env::value(name)) {
        register_url(&redactor, &url);
    }
    let passfile = env::value("PGPASSFILE").or_else(|| env::value("HOME").map(|home| format!("{home}/.pgpass")));
    for password in passfile.map(|path| passfile_passwords(Path::new(&path))).unwrap_or_default() {
        redactor.register(&password);
    }
    let home = env::value("HOME").map(PathBuf::from);
    for (variable, below_home, keys) in FILES {
        let path = env::value(variable).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(below_home)));
        let text = path.and_then(|path| read(&path)).unwrap_or_default();
        values(&text, keys).for_each(|secret| redactor.register(&Secret::new(secret)));
    }
    redactor
}

/// Registers the password of a connection URL or string, if there is one.
pub(crate) fn register_url(redactor: &Redactor, url: &str) {
    for password in url_passwords(url) {
        redactor.register(&Secret::new(password));
    }
}

/// The file's text; nothing of what is no file, which might never end.
fn read(path: &Path) -> Option<String> {
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The values of `keys` in a file of lines `key = value`, whatever section they are in.
fn values<'t>(text: &'t str, keys: &'t [&str]) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(|line| line.split_once('=')).filter_map(|(key, value)| {
        let is_wanted = keys.iter().any(|wanted| key.trim().eq_ignore_ascii_case(wanted));
        Some(value.trim()).filter(|value| is_wanted && !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_every_profile_are_found_and_nothing_else() {
        let text = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = one/two=\n\n[old]\nAWS_SECRET_ACCESS_KEY=three\n\
                    # aws_session_token\naws_session_token =\nregion = eu-west-1\n";
        assert_eq!(values(text, AWS_KEYS).collect::<Vec<_>>(), ["one/two=", "three"]);
    }
}
