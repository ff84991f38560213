//! Which store's backups are meant, if a location has those of several: decisions, without I/O.
//!
//! A store in memory has no address. What stays the same is its descent: the first backup of a new store begins a source,
//! and a store that is restored goes on with the source of the backup it came from.

use std::collections::BTreeMap;

use backup_core::manifest::Uuid;
use backup_core::source::{Identity, UNKNOWN, host};

use crate::entry::{Entry, State};
use crate::plan::{RestoreTo, matches};

/// What the ids of stores begin with.
const SCHEME: &str = "dictstore";

/// The identity of a store that was never backed up.
pub(crate) fn new_identity() -> Identity {
    Identity { id: format!("{SCHEME}:{}", Uuid::now_v7()), host: where_we_are() }
}

/// The same source, as it is backed up from here.
pub(crate) fn seen_from_here(identity: &Identity) -> Identity {
    Identity { id: identity.id.clone(), host: where_we_are() }
}

/// Machine and program, for people: what tells two services apart that nobody named.
fn where_we_are() -> String {
    let program = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    format!("{}:{program}", host())
}

/// The backups that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// Nothing says whose they are: all that have no manifest.
    Unsaid,
    /// Those of this source; `None` is that of manifests that do not say.
    Of(Option<String>),
}

/// Why it cannot be told whose are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unclear {
    /// Several stores have backups: of each its name for people and its newest file, the newest first.
    Several(Vec<(String, String)>),
    /// No store of that name has; those that have.
    NoSuch(Vec<String>),
}

/// Whose backups are meant by `to` and by what somebody calls the `source`. Those that do not say whose they are stand back
/// behind those that do, since they are older.
pub(crate) fn meant(entries: &[Entry], to: &RestoreTo, source: Option<&str>) -> Result<Meant, Unclear> {
    let said: Vec<&Entry> = entries.iter().filter(|entry| entry.manifest.is_some()).collect();
    if let (RestoreTo::File(_), None) = (to, source) {
        let named = said.iter().find(|entry| matches(entry, to));
        return Ok(named.map_or(Meant::Unsaid, |entry| Meant::Of(id(entry))));
    }
    let pool: Vec<&Entry> = match source {
        Some(text) => said.iter().copied().filter(|entry| entry.is_of(text)).collect(),
        None => {
            let fitting: Vec<&Entry> = said.iter().copied().filter(|entry| matches(entry, to)).collect();
            let told: Vec<&Entry> = fitting.iter().copied().filter(|entry| id(entry).is_some()).collect();
            if told.is_empty() { fitting } else { told }
        }
    };
    let mut newest: BTreeMap<Option<String>, &Entry> = BTreeMap::new();
    for entry in &pool {
        // In order, oldest first.
        newest.insert(id(entry), entry);
    }
    match (newest.len(), source) {
        (0, None) => Ok(Meant::Unsaid),
        (0, Some(UNKNOWN)) if entries.iter().any(|entry| matches!(entry.state, State::Foreign)) => Ok(Meant::Unsaid),
        (0, Some(_)) => {
            let all: BTreeMap<Option<String>, String> = said.iter().map(|entry| (id(entry), called(entry))).collect();
            Err(Unclear::NoSuch(all.into_values().collect()))
        }
        (1, _) => Ok(Meant::Of(newest.into_keys().next().flatten())),
        _ => {
            let mut each: Vec<&Entry> = newest.into_values().collect();
            each.sort_by_key(|entry| std::cmp::Reverse((entry.sequence(), entry.time())));
            Err(Unclear::Several(each.iter().map(|entry| (called(entry), entry.name.to_string())).collect()))
        }
    }
}

/// The entries that are meant, in order. What has no manifest, or one that cannot be read, is everybody's: it may be one of
/// the source's, and then a restore past it would be a silent loss.
pub(crate) fn of(entries: Vec<Entry>, meant: &Meant) -> Vec<Entry> {
    let is_meant = |entry: &Entry| match (meant, &entry.manifest) {
        (_, None) => true,
        (Meant::Unsaid, Some(_)) => false,
        (Meant::Of(source), Some(_)) => id(entry) == *source,
    };
    entries.into_iter().filter(is_meant).collect()
}

/// Which source the backup is of, where its manifest says.
pub(crate) fn id(entry: &Entry) -> Option<String> {
    entry.identity().map(|identity| identity.id.clone())
}

/// The source of the backup, for people.
fn called(entry: &Entry) -> String {
    match (entry.identity(), &entry.manifest) {
        (Some(identity), Some(manifest)) => format!("`{}` on {identity}", manifest.source),
        _ => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests;
