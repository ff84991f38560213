//! Collects every secret that this process can see, so that none appears in an error or a log.

use std::path::Path;

use backup_core::secret::{Redactor, Secret, url_passwords};
use pg_clone::passfile_passwords;

use crate::env;

/// A redactor that knows the secrets of the environment and of the password file.
pub(crate) fn redactor() -> Redactor {
    let redactor = Redactor::new();
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
    redactor
}

/// Registers the password of a connection URL or string, if there is one.
pub(crate) fn register_url(redactor: &Redactor, url: &str) {
    for password in url_passwords(url) {
        redactor.register(&Secret::new(password));
    }
}
