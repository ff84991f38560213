//! Which source a backup is of, as several verbs ask.

use std::convert::Infallible;
use std::path::Path;

use clap::Args;
use object_backup::{NdjsonSource, SqliteSource};

/// Which database, file or folder a backup is of.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OfSource {
    /// Only backups of this source: as for `app backup --source`, its host, path or ID as printed by `app ls` and `app show`, or
    /// `unknown` for backups that do not record one
    #[arg(long, value_name = "SOURCE|HOST|ID", value_parser = resolved)]
    pub(crate) source: Option<String>,
}

/// The source as a backup records it, if it is a file or folder that is named as for `app backup --source`: a path from here means
/// nothing to whoever reads a backup.
#[allow(clippy::unnecessary_wraps, reason = "clap wants it so")]
fn resolved(text: &str) -> Result<String, Infallible> {
    let there = |path: &str| !path.is_empty() && Path::new(path).exists();
    Ok(match text.split_once(':') {
        Some(("sqlite", file)) if there(file) => SqliteSource::new(file).identity().id,
        Some(("ndjson", folder)) if there(folder) => NdjsonSource::new(folder).identity().id,
        _ => text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_it_was_backed_up() {
        let here = std::env::current_dir().unwrap();
        let named = resolved("sqlite:Cargo.toml").unwrap();
        assert!(
            named.starts_with("sqlite:") && named.ends_with(&*here.join("Cargo.toml").to_string_lossy()),
            "{named}"
        );
        for other in ["sqlite:nowhere.db", "sqlite:", "sqlite:web1:/srv/app.db", "web1", "unknown", "postgres:shop"] {
            assert_eq!(resolved(other).unwrap(), other);
        }
    }
}
