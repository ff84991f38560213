//! Where things are in a location: backups, and the archives that they share.

use std::fmt;
use std::str::FromStr;

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::location::Layout;
use backup_core::manifest::MANIFEST_NAME;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use crate::error::{GlacierError, GlacierResult};

/// The folder of everything here.
pub const FOLDER: &str = "glacier/";

/// What a location may hold of it.
pub const LAYOUTS: [Layout; 1] =
    [Layout { name: "archived files", ours: true, holds: |key| key.as_str().starts_with(FOLDER) }];

/// Longest name: common file systems allow 255 bytes, and nobody types that many.
const NAME_BYTES_MAX: usize = 100;

/// How the time of a backup is written in its key.
const TIME: &str = "%Y-%m-%d-%H-%M-%S-%6f";

/// A backup's name and time: `uploads/2026-11-21-03-00-04-123456`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupKey {
    /// What the files are called.
    pub name: String,
    /// When it was made, UTC.
    pub time: String,
}

impl BackupKey {
    /// The backup of `name` at `time`.
    ///
    /// # Errors
    /// [`GlacierError::Usage`] for a name that is none.
    pub fn new(name: &str, time: Timestamp) -> GlacierResult<Self> {
        check_name(name)?;
        let time = time.to_zoned(TimeZone::UTC).strftime(TIME).to_string();
        Ok(Self { name: name.to_owned(), time })
    }

    /// The backup whose manifest has this key.
    #[must_use]
    pub fn of_manifest(key: &Key) -> Option<Self> {
        let below = key.as_str().strip_prefix(FOLDER)?;
        let (name, rest) = below.split_once("/backups/")?;
        let (time, file) = rest.split_once('/')?;
        (file == MANIFEST_NAME && check_name(name).is_ok())
            .then(|| Self { name: name.to_owned(), time: time.to_owned() })
    }

    /// The key of its manifest.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn manifest(&self) -> GlacierResult<Key> {
        self.file(MANIFEST_NAME)
    }

    /// The key of the list of its files.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn files(&self) -> GlacierResult<Key> {
        self.file("files.jsonl")
    }

    fn file(&self, file: &str) -> GlacierResult<Key> {
        Ok(Key::new(format!("{}{}/{file}", backups(&self.name), self.time))?)
    }
}

impl fmt::Display for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.time)
    }
}

impl Serialize for BackupKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which backup is meant: `uploads`, the newest of that name, or a whole key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Which {
    /// What the files are called.
    pub name: String,
    /// Its time; the newest good one if absent.
    pub time: Option<String>,
}

impl FromStr for Which {
    type Err = GlacierError;

    fn from_str(text: &str) -> GlacierResult<Self> {
        let (name, time) = match text.split_once('/') {
            None => (text, None),
            Some((name, time)) => (name, Some(time.to_owned())),
        };
        check_name(name)?;
        Ok(Self { name: name.to_owned(), time })
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.time {
            None => f.write_str(&self.name),
            Some(time) => write!(f, "{}/{time}", self.name),
        }
    }
}

/// The folder of everything called `name`.
#[must_use]
pub fn all(name: &str) -> String {
    format!("{FOLDER}{name}/")
}

/// The folder of the backups called `name`.
#[must_use]
pub fn backups(name: &str) -> String {
    format!("{FOLDER}{name}/backups/")
}

/// The pointer to the newest backup called `name`.
///
/// # Errors
/// As [`Key::new`].
pub fn pointer(name: &str) -> GlacierResult<Key> {
    Ok(Key::new(format!("{FOLDER}{name}/latest.json"))?)
}

/// The folder of files that are archives of their own, the folder of bundles, and the folder of dumped rows.
#[must_use]
pub fn payloads(name: &str) -> [String; 3] {
    ["archives", "bundles", "database"].map(|folder| format!("{FOLDER}{name}/{folder}/"))
}

/// The folder of a dump's rows, and the folder of everything else of it, which is always readable.
#[must_use]
pub fn database(name: &str) -> [String; 2] {
    ["database", "dumps"].map(|folder| format!("{FOLDER}{name}/{folder}/"))
}

/// The key of a file that is an archive of its own.
///
/// # Errors
/// As [`Key::new`].
pub fn archive(name: &str, sha256: &Sha256Digest) -> GlacierResult<Key> {
    Ok(Key::new(format!("{FOLDER}{name}/archives/{sha256}"))?)
}

/// The key of a bundle.
///
/// # Errors
/// As [`Key::new`].
pub fn bundle(name: &str, sha256: &Sha256Digest) -> GlacierResult<Key> {
    Ok(Key::new(format!("{FOLDER}{name}/bundles/{sha256}"))?)
}

/// Whether this is the key of a file that is an archive of its own.
#[must_use]
pub fn is_archive(key: &Key) -> bool {
    is_in("archives", key)
}

/// Whether this is the key of a bundle.
#[must_use]
pub fn is_bundle(key: &Key) -> bool {
    is_in("bundles", key)
}

/// Whether this is the key of an archive of any kind.
#[must_use]
pub fn is_payload(key: &Key) -> bool {
    is_archive(key) || is_bundle(key) || is_in("database", key)
}

fn is_in(folder: &str, key: &Key) -> bool {
    let below = key.as_str().strip_prefix(FOLDER).and_then(|below| below.split_once('/'));
    below.and_then(|(_, rest)| rest.split_once('/')).is_some_and(|(found, _)| found == folder)
}

/// The digest of an archive's content, which is its name.
#[must_use]
pub fn content(key: &Key) -> Option<Sha256Digest> {
    key.as_str().rsplit('/').next()?.parse().ok()
}

/// The catalogue as it is stored after each run that changes it.
///
/// # Errors
/// As [`Key::new`].
pub fn catalogue(name: &str) -> GlacierResult<Key> {
    Ok(Key::new(format!("{FOLDER}{name}/catalogue.jsonl.gz"))?)
}

/// The lease of whoever changes the backups called `name`. It is never deleted: its number only grows.
///
/// # Errors
/// As [`Key::new`].
pub fn lease(name: &str) -> GlacierResult<Key> {
    Ok(Key::new(format!("{FOLDER}{name}/lease.json"))?)
}

/// What was deleted from a vault, for machines that still count on it.
///
/// # Errors
/// As [`Key::new`].
pub fn gone(name: &str) -> GlacierResult<Key> {
    Ok(Key::new(format!("{FOLDER}{name}/gone.json"))?)
}

/// Refuses a name that is not one segment of plain characters: it is also typed, and a folder's name.
///
/// # Errors
/// [`GlacierError::Usage`].
pub fn check_name(name: &str) -> GlacierResult<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits =
        (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with(['.', '-']);
    if fits {
        return Ok(());
    }
    let help = "use letters, digits, `.`, `_` and `-`, such as `uploads`";
    Err(GlacierError::usage(format!("`{name}` cannot be the name of a backup"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_from_its_manifest() {
        let key = BackupKey::new("uploads", "2026-11-21T03:00:04.123456Z".parse().unwrap()).unwrap();
        assert_eq!(key.to_string(), "uploads/2026-11-21-03-00-04-123456");
        let manifest = key.manifest().unwrap();
        assert_eq!(manifest.as_str(), "glacier/uploads/backups/2026-11-21-03-00-04-123456/manifest.json");
        assert_eq!(BackupKey::of_manifest(&manifest), Some(key.clone()));
        assert_eq!(BackupKey::of_manifest(&key.files().unwrap()), None);
        let which: Which = key.to_string().parse().unwrap();
        assert_eq!((which.name.as_str(), which.time.as_deref()), ("uploads", Some(key.time.as_str())));
        assert_eq!("uploads".parse::<Which>().unwrap().time, None);
    }

    #[test]
    fn names_that_are_no_folder_are_refused() {
        for name in ["", ".", "..", ".x", "-n", "a b", "a\\b", "é", &"x".repeat(101)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!("../x".parse::<Which>().is_err());
    }
}
