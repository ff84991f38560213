//! Which server, file or folder a backup was taken from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::host::host;

/// What people call the source of backups that say nothing of it: those of earlier versions.
pub const UNKNOWN: &str = "unknown";

/// Which server, file or folder a backup was taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Stays the same as long as it is the same source, such as `postgresql:7305118472310922021`. Compared as it is.
    pub id: String,
    /// The host or path, for people. Two backups of one source may have been taken through different names.
    pub host: String,
}

impl Identity {
    /// The file or folder `path` of this machine; `kind` says what is in it, such as `sqlite`.
    #[must_use]
    pub fn of_path(kind: &str, path: &str) -> Self {
        let host = format!("{}:{path}", host());
        Self { id: format!("{kind}:{host}"), host }
    }

    /// Whether `text` names this source: its id, the host it was reached by, with or without what follows that (a port, a
    /// database, a path), the path alone, or what it was named by when it was backed up (`sqlite:/srv/app.db`, `postgres:shop`).
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        let begins = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
        let path = self.host.split_once(':').map_or("", |(_, path)| path);
        !text.is_empty()
            && (self.id == text
                || self.host.strip_prefix(text).is_some_and(begins)
                || (text.starts_with('/') && path == text)
                || text.split_once(':').is_some_and(|(scheme, rest)| self.is_called(scheme, rest)))
    }

    /// Whether `scheme:rest` is how whoever backs it up names this source.
    fn is_called(&self, scheme: &str, rest: &str) -> bool {
        let (kind, _) = self.id.split_once(':').unwrap_or_default();
        match scheme {
            "postgres" | "postgresql" if kind == "postgresql" || kind == "postgresql-host" => {
                !rest.is_empty() && self.host.split_once('/').is_some_and(|(_, database)| database == rest)
            }
            _ => {
                let path = self.host.split_once(':').map_or("", |(_, path)| path);
                scheme == kind && rest.starts_with('/') && rest == path
            }
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of files and folders the id says where they are.
        if self.id.ends_with(&self.host) { f.write_str(&self.id) } else { write!(f, "{} ({})", self.host, self.id) }
    }
}
