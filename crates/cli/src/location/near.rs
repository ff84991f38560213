//! Locations near a given one: around it, below it, or beside it under a similar name.

use std::path::{Path, PathBuf};

use backup_core::key::Key;
use backup_core::location::Location;
use backup_core::probe::MARKER_KEY;

/// Most locations shown.
const SHOWN_MAX: usize = 3;

/// Folders asked whether they are locations: each costs a request.
const ASKED_MAX: usize = 8;

/// Names of a folder that are looked at: an error need not wait for all of a million.
const NAMES_MAX: usize = 10_000;

/// Least likeness of two names, from 0 to 1, at which one may be meant by the other: two letters of eight.
const LIKENESS_MIN: f64 = 0.7;

/// Locations that may have been meant. Best effort: nothing depends on them, and what cannot be asked is left out.
pub(super) async fn locations(place: &Location) -> Vec<String> {
    let (around, names) = match place {
        Location::Memory => return Vec::new(),
        Location::File(path) => (folders_around(path), None),
        Location::S3 { bucket, prefix } => (prefixes_around(prefix), Some(bucket)),
    };
    let mut found: Vec<String> = Vec::new();
    for outer in around.iter().map(|outer| at(names, outer)) {
        if found.is_empty() && is_location(&outer).await {
            found.push(outer.to_string());
        }
    }
    let name = match place {
        Location::File(path) => last(path),
        Location::S3 { prefix, .. } => prefix.rsplit('/').next().unwrap_or_default().to_owned(),
        Location::Memory => String::new(),
    };
    let beside = match (around.first(), name.is_empty()) {
        (Some(parent), false) => alike(&name, folders(&at(names, parent)).await),
        _ => Vec::new(),
    };
    let mut candidates: Vec<Location> = beside
        .iter()
        .zip(std::iter::repeat(around.first()))
        .filter_map(|(name, parent)| below(&at(names, parent?), name))
        .collect();
    let inside = folders(place).await;
    candidates.extend(inside.iter().take(ASKED_MAX).filter_map(|name| below(place, name)));
    for candidate in candidates.iter().take(ASKED_MAX) {
        if found.len() < SHOWN_MAX && is_location(candidate).await {
            found.push(candidate.to_string());
        }
    }
    found
}

fn at(bucket: Option<&String>, folder: &str) -> Location {
    match bucket {
        Some(bucket) => Location::S3 { bucket: bucket.clone(), prefix: folder.to_owned() },
        None => Location::File(PathBuf::from(folder)),
    }
}

fn below(place: &Location, name: &str) -> Option<Location> {
    match place {
        Location::File(path) => Some(Location::File(path.join(name))),
        Location::S3 { bucket, prefix } if prefix.is_empty() => {
            Some(Location::S3 { bucket: bucket.clone(), prefix: name.to_owned() })
        }
        Location::S3 { bucket, prefix } => {
            Some(Location::S3 { bucket: bucket.clone(), prefix: format!("{prefix}/{name}") })
        }
        Location::Memory => None,
    }
}

/// The folders that a path lies in, the nearest first; those of a relative path in its own words as far as they go.
fn folders_around(path: &Path) -> Vec<String> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().skip(1).map(|folder| folder.display().to_string()).collect()
}

/// The prefixes that a prefix lies in, the nearest first; the bucket itself is the last.
fn prefixes_around(prefix: &str) -> Vec<String> {
    let ends: Vec<usize> = prefix.match_indices('/').map(|(at, _)| at).collect();
    let mut around: Vec<String> = ends.iter().rev().map(|end| prefix[..*end].to_owned()).collect();
    if !prefix.is_empty() {
        around.push(String::new());
    }
    around
}

fn last(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The names that may have been meant by `name`, the likeliest first.
fn alike(name: &str, mut names: Vec<String>) -> Vec<String> {
    let likeness = |other: &String| {
        let contained = other.contains(name) || name.contains(other.as_str());
        strsim::normalized_damerau_levenshtein(name, other).max(if contained { LIKENESS_MIN } else { 0.0 })
    };
    names.retain(|other| other != name && likeness(other) >= LIKENESS_MIN);
    names.sort_by(|one, other| likeness(other).total_cmp(&likeness(one)));
    names
}

/// The folders in a folder or under a prefix.
async fn folders(place: &Location) -> Vec<String> {
    match place {
        Location::File(path) => {
            let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
            let folders = entries.take(NAMES_MAX).flatten().filter(|entry| entry.path().is_dir());
            folders.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        }
        Location::S3 { .. } => {
            let Ok(store) = place.open().await else { return Vec::new() };
            let names = store.list_children("").await.unwrap_or_default();
            names.iter().filter_map(|name| Some(name.strip_suffix('/')?.to_owned())).collect()
        }
        Location::Memory => Vec::new(),
    }
}

async fn is_location(place: &Location) -> bool {
    let (Ok(store), Ok(marker)) = (place.open().await, Key::new(MARKER_KEY)) else { return false };
    store.head(&marker).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_little_are_alike() {
        let names = || ["prod", "staging", "prod-old", "logs", "dorp"].map(str::to_owned).to_vec();
        assert_eq!(alike("prd", names()), ["prod"]);
        assert_eq!(alike("pord", names()), ["prod"]);
        assert_eq!(alike("prod-ol", names()), ["prod-old", "prod"]);
        assert_eq!(alike("photos", names()), Vec::<String>::new());
        assert_eq!(alike("prod", vec!["prod".to_owned()]), Vec::<String>::new());
    }

    #[test]
    fn a_prefix_lies_in_prefixes_and_in_the_bucket() {
        assert_eq!(prefixes_around("a/b/c"), ["a/b", "a", ""]);
        assert_eq!(prefixes_around("a"), [""]);
        assert_eq!(prefixes_around(""), Vec::<String>::new());
        assert_eq!(folders_around(Path::new("/srv/backups")), ["/srv", "/"]);
    }

    #[tokio::test]
    async fn a_location_beside_below_or_around_is_found() {
        let parent = tempfile::tempdir().unwrap();
        let backups = parent.path().join("backups");
        let made = Location::File(backups.clone());
        made.init(&backup_core::location::Init::new(&[])).await.unwrap();
        let shown = vec![made.to_string()];
        for named in [parent.path().join("backps"), parent.path().to_owned(), backups.join("pg")] {
            assert_eq!(locations(&Location::File(named.clone())).await, shown, "{}", named.display());
        }
        assert_eq!(locations(&Location::File(parent.path().join("photos"))).await, Vec::<String>::new());
    }
}
