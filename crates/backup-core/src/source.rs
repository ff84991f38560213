//! Where a backup comes from, and which backup of a source is meant: decisions, without I/O.
//!
//! Two servers may each have a database `shop`. What keeps them apart is the [`Identity`] in the manifest: backups of
//! one name and two identities are two sources. They are never compared, never replace each other, and "the latest" never
//! crosses from one to the other.

mod choose;
mod fall;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use choose::{Choice, Chosen, Known, Wish, choose};
pub use fall::{FALL_TOLD_PERCENT, Fall, Size, fall};

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
    /// Whether `text` names this source: its id, or the host it was reached by, with or without the port.
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        self.id == text || self.host == text || self.host.rsplit_once(':').is_some_and(|(host, _)| host == text)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.host, self.id)
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
