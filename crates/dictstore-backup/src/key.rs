//! Names of backup files: `dictdb_backup_1795230100_113698.json`, `dictdb_delta_…`, and of their manifests.

use std::fmt;

use backup_core::StoreError;
use backup_core::clock::Timestamp;
use backup_core::key::Key;
use backup_core::location::Layout;

use crate::detail::BackupKind;
use crate::format::Format;

/// Folder of the manifests, so that DictDB's own recipe (`glob("dictdb_backup_*.json")`) finds backups and nothing else.
pub(crate) const MANIFEST_FOLDER: &str = "manifests/";

/// How names of DictDB's files begin.
const PREFIXES: [&str; 2] = ["dictdb_backup_", "dictdb_delta_"];

/// What of a location is backups of stores in memory: ours, and DictDB's. A file that DictDB was killed over has another
/// ending than a whole one.
pub const LAYOUTS: [Layout; 2] = [
    Layout {
        name: "backups of lastgood",
        ours: true,
        holds: |key| key.as_str().strip_prefix(MANIFEST_FOLDER).is_some_and(is_dictdbs),
    },
    Layout { name: "backups of DictDB", ours: false, holds: |key| is_dictdbs(key.as_str()) },
];

fn is_dictdbs(file: &str) -> bool {
    !file.contains('/') && PREFIXES.iter().any(|prefix| file.starts_with(prefix))
}

/// The name of a backup file. Names sort by kind, then time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupName {
    /// Full or delta.
    pub kind: BackupKind,
    /// Unix time in microseconds.
    pub micros: i64,
    /// Format of the content.
    pub format: Format,
}

impl BackupName {
    /// The name that `text` is, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, extension) = text.rsplit_once('.')?;
        let format = match extension {
            "json" => Format::Json,
            "pickle" => Format::Pickle,
            _ => return None,
        };
        let (kind, time) = match (stem.strip_prefix(PREFIXES[0]), stem.strip_prefix(PREFIXES[1])) {
            (Some(time), _) => (BackupKind::Full, time),
            (_, Some(time)) if format == Format::Json => (BackupKind::Delta, time),
            _ => return None,
        };
        let (seconds, micros) = time.split_once('_')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(seconds) || !digits(micros) || micros.len() != 6 {
            return None;
        }
        let seconds: i64 = seconds.parse().ok()?;
        let micros = seconds.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)?;
        Some(Self { kind, micros, format }).filter(|name| name.time().is_some())
    }

    /// The time in the name.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.micros).ok()
    }

    /// The file.
    ///
    /// # Errors
    /// Never in fact: such names are keys.
    pub(crate) fn key(&self) -> Result<Key, StoreError> {
        Key::new(self.to_string())
    }

    /// Its manifest.
    ///
    /// # Errors
    /// Never in fact: such names are keys.
    pub(crate) fn manifest_key(&self) -> Result<Key, StoreError> {
        Key::new(format!("{MANIFEST_FOLDER}{self}.manifest.json"))
    }

    /// The backup whose manifest `key` is.
    pub(crate) fn of_manifest(key: &Key) -> Option<Self> {
        Self::parse(key.as_str().strip_prefix(MANIFEST_FOLDER)?.strip_suffix(".manifest.json")?)
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            BackupKind::Full => "backup",
            BackupKind::Delta => "delta",
        };
        let (seconds, micros) = (self.micros.div_euclid(1_000_000), self.micros.rem_euclid(1_000_000));
        write!(f, "dictdb_{kind}_{seconds:010}_{micros:06}.{}", self.format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dictdbs() {
        for text in [
            "dictdb_backup_1795230100_113698.json",
            "dictdb_delta_1795230100_000002.json",
            "dictdb_backup_0000000001_000000.pickle",
        ] {
            let name = BackupName::parse(text).unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(BackupName::of_manifest(&name.manifest_key().unwrap()), Some(name));
        }
        for text in [
            "dictdb_delta_1795230100_000002.pickle",
            "dictdb_backup_1795230100_13698.json",
            "dictdb_backup_1795230100_113698.json.tmp",
            "dictdb_backup_-795230100_113698.json",
            "dictdb_backup_99999999999999_113698.json",
            "backup.json",
        ] {
            assert_eq!(BackupName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_location_of_such_files_is_known_by_its_keys() {
        let known = |text: &str| {
            let key = Key::new(text).unwrap();
            LAYOUTS.iter().find(|layout| (layout.holds)(&key)).map(|layout| layout.ours)
        };
        assert_eq!(known("manifests/dictdb_backup_1795230100_113698.json.manifest.json"), Some(true));
        assert_eq!(known("dictdb_backup_1795230100_113698.json"), Some(false));
        assert_eq!(known("dictdb_delta_1795230100_113698.json.tmp"), Some(false));
        for other in ["manifests/deploy.yaml", "old/dictdb_backup_1795230100_113698.json", "data.json"] {
            assert_eq!(known(other), None, "{other}");
        }
    }
}
