//! Where `pg ls` keeps what it read of manifests.

use std::path::PathBuf;

use backup_core::catalogue::Hints;
use backup_core::location::Location;
use pg_clone::stored::list::{HINTS, Listed};

use crate::env;

/// What is known of the dumps in `location`. Only of a folder: on S3 a look at an object is a request as well.
pub(super) fn open(location: &Location) -> Hints<Listed> {
    let Location::File(path) = location else { return Hints::none() };
    let (Some(folder), Ok(path)) = (folder(), path.canonicalize()) else { return Hints::none() };
    path.to_str().map_or_else(Hints::none, |path| Hints::open(&folder, HINTS, path))
}

/// Keeps it for the next time. What prevents that is nobody's trouble.
pub(super) fn keep(hints: Hints<Listed>) {
    if let Err(error) = hints.keep() {
        tracing::debug!(%error, "nothing is kept of this listing");
    }
}

/// Where it is kept; nowhere if nothing is to be.
fn folder() -> Option<PathBuf> {
    if env::value(env::HINTS).is_some_and(|word| word != "auto") {
        return None;
    }
    let absolute = |name: &str| env::value(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("lastgood"))
}
