//! Which source a backup is from, and which backup of a source is meant: decisions. Only [`host()`] does I/O.
//!
//! Two servers may each have a database `shop`. The [`Identity`] in the manifest distinguishes them: backups with the same
//! name and two identities belong to two sources. They are never compared, never replace each other, and `latest` never
//! mixes them.

mod choose;
mod fall;
mod host;
mod identity;
mod miss;
mod selector;

pub use choose::{Choice, Chosen, Known, Wish, choose};
pub use fall::{FALL_WARNING_PERCENT, Fall, Size, fall};
pub use host::{HOST_VARIABLE, host};
pub use identity::{Identity, UNKNOWN};
pub use miss::Miss;
pub use selector::{LATEST, Selector};

use crate::manifest::Manifest;

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
        // As it was named to be backed up.
        let of =
            |id: &str, host: &str, text: &str| Identity { id: id.to_owned(), host: host.to_owned() }.is_named(text);
        let file = |text: &str| of("sqlite:web1:/srv/app.db", "web1:/srv/app.db", text);
        assert!(
            file("sqlite:/srv/app.db") && !file("ndjson:/srv/app.db") && !file("sqlite:/srv") && !file("sqlite:app.db")
        );
        let database = |text: &str| of("postgresql:73/shop", "db1:5432/shop", text);
        assert!(database("postgres:shop") && database("postgresql:shop"));
        assert!(!database("postgres:") && !database("postgres:sh") && !database("sqlite:shop"));
        assert!(!of("postgresql:73", "db1:5432", "postgres:shop"), "a cluster");
    }
}
