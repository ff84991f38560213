//! Keys of backups: `app/<name>/Backup_UTC_<time>.tar.gz`, with the manifest beside it; gludb's own are at the root.

use std::fmt;

use backup_core::StoreError;
use backup_core::key::Key;
use backup_core::location::Layout;
use backup_core::tags::TAGS_NAME;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::error::{ObjectError, ObjectResult};

/// Everything of this crate in a location.
pub const FOLDER: &str = "app/";

/// The name of a backup unless it is given another: gludb's.
pub const DEFAULT_NAME: &str = "backup";

const PREFIX: &str = "Backup_UTC_";
const SUFFIX: &str = ".tar.gz";
const MANIFEST: &str = ".manifest.json";
const POINTER: &str = "latest.json";

/// What of a location is backups of records: ours, and gludb's.
pub const LAYOUTS: [Layout; 2] = [
    Layout { name: "backups of lastgood", ours: true, holds: is_ours },
    Layout {
        name: "backups of gludb",
        ours: false,
        holds: |key| BackupKey::parse(key.as_str()).is_some_and(|key| key.name.is_none()),
    },
];

/// `app/<name>/Backup_UTC_…`, whatever follows, `app/<name>/latest.json` and `app/<name>/tags.json`.
fn is_ours(key: &Key) -> bool {
    let Some((name, file)) = key.as_str().strip_prefix(FOLDER).and_then(|below| below.split_once('/')) else {
        return false;
    };
    check_name(name).is_ok()
        && !file.contains('/')
        && ([POINTER, TAGS_NAME].contains(&file) || file.starts_with(PREFIX))
}

/// Where a tarball is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BackupKey {
    /// What the backup is called; `None` for one that gludb wrote.
    pub name: Option<String>,
    file: String,
}

impl BackupKey {
    /// The key of a backup called `name` made at `time`. The fraction is always there, so that keys sort by time.
    ///
    /// # Errors
    /// [`ObjectError::Usage`] for a name that cannot be used.
    pub fn new(name: &str, time: Timestamp) -> ObjectResult<Self> {
        check_name(name)?;
        let time = time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H_%M_%S.%6f").to_string();
        Ok(Self { name: Some(name.to_owned()), file: format!("{PREFIX}{time}{SUFFIX}") })
    }

    /// Reads `name/Backup_….tar.gz`, or `Backup_….tar.gz` of gludb.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, file) = match text.split_once('/') {
            Some((name, file)) => (Some(name), file),
            None => (None, text),
        };
        let named = name.is_none_or(|name| check_name(name).is_ok());
        // gludb's names have the same form; but for the fraction, which it leaves out when it is zero.
        let ours = file.starts_with(PREFIX) && file.ends_with(SUFFIX) && !file.contains('/');
        (named && ours && Key::new(file).is_ok()).then(|| Self { name: name.map(str::to_owned), file: file.to_owned() })
    }

    /// Reads a key as [`BackupKey::parse`] does, or with the folder of all backups before it, as the store has it.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Self::parse(text.strip_prefix(FOLDER)?).filter(|key| key.name.is_some()))
    }

    /// The key that the file at the end of a path would have as one of gludb's, if it is named like those.
    #[must_use]
    pub fn at_a_path(text: &str) -> Option<Self> {
        let (_, file) = text.rsplit_once('/')?;
        Self::parse(file).filter(|key| key.time().is_some())
    }

    /// The tarball whose manifest `key` is.
    #[must_use]
    pub fn of_manifest(key: &Key) -> Option<Self> {
        Self::of_object(&Key::new(key.as_str().strip_suffix(MANIFEST)?).ok()?)
    }

    /// The tarball at `key`.
    #[must_use]
    pub fn of_object(key: &Key) -> Option<Self> {
        match key.as_str().strip_prefix(FOLDER) {
            Some(rest) => Self::parse(rest).filter(|key| key.name.is_some()),
            None => Self::parse(key.as_str()).filter(|key| key.name.is_none()),
        }
    }

    /// Where the tarball is.
    ///
    /// # Errors
    /// If it is too long.
    pub fn object(&self) -> Result<Key, StoreError> {
        match self.name {
            Some(_) => Key::new(format!("{FOLDER}{self}")),
            None => Key::new(self.file.clone()),
        }
    }

    /// Where its manifest is.
    ///
    /// # Errors
    /// If it is too long.
    pub fn manifest(&self) -> Result<Key, StoreError> {
        Key::new(format!("{}{MANIFEST}", self.object()?))
    }

    /// The time in the name.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        let text = self.file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (date, time) = text.split_once('T')?;
        format!("{date}T{}Z", time.replace('_', ":")).parse().ok()
    }
}

/// The folder of the backups called `name`.
pub(crate) fn folder(name: &str) -> ObjectResult<String> {
    check_name(name)?;
    Ok(format!("{FOLDER}{name}/"))
}

/// The hint at the newest good one.
pub(crate) fn pointer(name: &str) -> ObjectResult<Key> {
    Ok(Key::new(format!("{}{POINTER}", folder(name)?))?)
}

/// A name is one folder, and is typed in commands.
fn check_name(name: &str) -> ObjectResult<()> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let reserved = name == "latest" || name.starts_with(PREFIX);
    if !name.is_empty() && name.len() <= 100 && name.chars().all(plain) && !name.starts_with(['.', '-']) && !reserved {
        return Ok(());
    }
    Err(ObjectError::usage(
        format!("invalid backup name `{name}`"),
        "use up to 100 letters, digits, `-`, `_` and `.`, such as `nightly`",
    ))
}

impl fmt::Display for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name}/{}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

impl From<BackupKey> for String {
    fn from(key: BackupKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for BackupKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not the key of a backup"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_time_and_are_read_back() {
        let at = |text: &str| BackupKey::new("nightly", text.parse().unwrap()).unwrap();
        let (whole, later) = (at("2026-11-21T03:13:45Z"), at("2026-11-21T03:13:45.6967979Z"));
        assert_eq!(whole.to_string(), "nightly/Backup_UTC_2026-11-21T03_13_45.000000.tar.gz");
        assert!(whole.to_string() < later.to_string());
        assert_eq!(later.time().unwrap().to_string(), "2026-11-21T03:13:45.696797Z");
        assert_eq!(BackupKey::parse(&later.to_string()), Some(later.clone()));
        assert_eq!(BackupKey::of_manifest(&later.manifest().unwrap()), Some(later));
    }

    #[test]
    fn gludbs_keys_are_known() {
        let key = BackupKey::parse("Backup_UTC_2026-11-21T03_06_08.tar.gz").unwrap();
        assert_eq!(key.time().unwrap().to_string(), "2026-11-21T03:06:08Z");
        assert_eq!(BackupKey::of_object(&key.object().unwrap()), Some(key));
    }

    #[test]
    fn paths_of_tarballs_are_told_from_keys() {
        let file = "Backup_UTC_2026-11-21T03_06_08.tar.gz";
        assert_eq!(BackupKey::of_text(&format!("app/nightly/{file}")), BackupKey::parse(&format!("nightly/{file}")));
        assert_eq!(BackupKey::of_text(file), BackupKey::parse(file));
        assert_eq!(BackupKey::of_text(&format!("/app/{file}")), None);
        for path in [format!("/tmp/{file}"), format!("./{file}"), format!("a/b/{file}"), format!("app/{file}")] {
            assert_eq!(BackupKey::at_a_path(&path), BackupKey::parse(file), "{path}");
        }
        assert_eq!(BackupKey::at_a_path("/tmp/x.tar.gz"), None);
        assert_eq!(BackupKey::at_a_path(file), None, "no path");
    }

    #[test]
    fn a_location_of_records_is_known_by_its_keys() {
        let known = |text: &str| {
            let key = Key::new(text).unwrap();
            LAYOUTS.iter().find(|layout| (layout.holds)(&key)).map(|layout| layout.ours)
        };
        for file in ["x.tar.gz", "x.tar.gz.manifest.json", "x.tar.gz.deleted.json"] {
            assert_eq!(known(&format!("app/nightly/{PREFIX}{file}")), Some(true), "{file}");
        }
        assert_eq!(known("app/nightly/latest.json"), Some(true));
        assert_eq!(known("Backup_UTC_2026-11-21T03_06_08.tar.gz"), Some(false));
        for other in ["app/main.py", "app/nightly/main.py", "app/nightly/deep/latest.json", "latest.json", "x.tar.gz"] {
            assert_eq!(known(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_elsewhere_is_none() {
        for text in
            ["x", "a/b/Backup_UTC_x.tar.gz", "../Backup_UTC_x.tar.gz", "Backup_UTC_x.tar", ".x/Backup_UTC_x.tar.gz"]
        {
            assert_eq!(BackupKey::parse(text), None, "{text}");
        }
        assert!(BackupKey::new("latest", Timestamp::UNIX_EPOCH).is_err());
    }
}
