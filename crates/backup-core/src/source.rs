//! Which source a backup is from, and which backup of a source is meant: decisions. Only [`host()`] does I/O.
//!
//! Two servers may each have a database `shop`. The [`Identity`] in the manifest distinguishes them: backups with the same
//! name and two identities belong to two sources. They are never compared, never replace each other, and `latest` never
//! mixes them.

mod choose;
mod fall;
mod host;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use choose::{Choice, Chosen, Known, Wish, choose};
pub use fall::{FALL_TOLD_PERCENT, Fall, Size, fall};
pub use host::{HOST_VARIABLE, host};

use crate::manifest::Manifest;

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
    /// database, a path), or the path alone.
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        let begins = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
        let path = self.host.split_once(':').map_or("", |(_, path)| path);
        !text.is_empty()
            && (self.id == text
                || self.host.strip_prefix(text).is_some_and(begins)
                || (text.starts_with('/') && path == text))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of files and folders the id says where they are.
        if self.id.ends_with(&self.host) { f.write_str(&self.id) } else { write!(f, "{} ({})", self.host, self.id) }
    }
}

/// The name of the group that retention puts the backup of `manifest` in: kind, source, its identity, configuration, and
/// whether it is complete. What has something left out never counts for what has not.
#[must_use]
pub fn group<D>(manifest: &Manifest<D>) -> String {
    /// Separates the fields; no name holds it.
    const UNIT_SEPARATOR: &str = "\u{1f}";
    let kind = format!("{:?}", manifest.kind).to_lowercase();
    let identity = manifest.identity.as_ref().map_or("", |identity| identity.id.as_str());
    let complete = if manifest.complete == Some(false) { "partial" } else { "complete" };
    [kind.as_str(), &manifest.source, identity, &manifest.config, complete].join(UNIT_SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_by_its_id_its_host_or_its_path() {
        let of = |host: &str| Identity { id: "kind:1".to_owned(), host: host.to_owned() };
        let named = |host: &str, text: &str| of(host).is_named(text);
        for text in ["kind:1", "db1", "db1:5432", "db1:5432/shop"] {
            assert!(named("db1:5432/shop", text), "{text}");
        }
        for text in ["web1", "web1:/srv/app.db", "/srv/app.db", "web1:/srv"] {
            assert!(named("web1:/srv/app.db", text), "{text}");
        }
        assert!(named("::1:5432", "::1"), "an address");
        for text in ["", "db", "db1:54", "db1:5432/sh", "shop", "kind", "5432"] {
            assert!(!named("db1:5432/shop", text), "{text}");
        }
        assert!(!named("web1:/srv/app.db", "/srv"), "a folder above");
    }
}
