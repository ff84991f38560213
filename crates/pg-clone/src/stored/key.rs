//! Names of dumps: `{database}/{timestamp}.{config}.dump` below `pg/`, and the three key forms of django-pgclone.

mod segment;

use std::cmp::Ordering;
use std::fmt;

use backup_core::failure::Setting;
use backup_core::key::Key;
use backup_core::location::Layout;
use backup_core::manifest::MANIFEST_NAME;
use backup_core::remedy;
use backup_core::tags::TAGS_NAME;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub use segment::{decode, encode};

use crate::error::{PgError, PgResult};

/// The folder of a location in which database dumps are.
pub const ROOT: &str = "pg";

/// Name of the hint, beside a database's dumps, at the newest good one.
pub(crate) const POINTER_NAME: &str = "latest.json";

/// What every dump's name ends in.
const SUFFIX: &str = ".dump";

/// Characters of a timestamp: `2026-11-21-03-00-04-123456`.
const TIMESTAMP_CHARS: usize = 26;

/// What of a location is dumps: ours, and those of django-pgclone.
pub const LAYOUTS: [Layout; 2] = [
    Layout { name: "dumps of lastgood", ours: true, holds: is_ours },
    Layout { name: "dumps of django-pgclone", ours: false, holds: |key| DumpKey::of_object(key).is_some() },
];

/// `pg/{database}/latest.json` or `tags.json`, or below `pg/{database}/{dump}/`.
fn is_ours(key: &Key) -> bool {
    let mut segments = key.as_str().split('/');
    let (root, database, name) = (segments.next(), segments.next().and_then(decode), segments.next());
    let (Some(database), Some(name), below) = (database, name, segments.next()) else { return false };
    let is_note = below.is_none() && [POINTER_NAME, TAGS_NAME].contains(&name);
    let is_dump = || below.is_some() && DumpKey::parse_folder_name(&database, name).is_some();
    root == Some(ROOT) && (is_note || is_dump())
}

/// How a dump is stored and named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyForm {
    /// Ours: a folder `{database}/{YYYY-MM-DD-HH-MM-SS-ffffff}.{config}.dump/` with a manifest in it.
    Folder,
    /// django-pgclone 1.x: one object `{database}/{YYYY_MM_DD_HH_MM_SS_ffffff}.{config}.dump`.
    Underscores,
    /// django-pgclone's first README: one object named as our folders are.
    Dashes,
    /// django-pgclone 2.x and 3.x: one object `{instance}/{database}/{config}/{YYYY-MM-DD-HH-MM-SS-ffffff}.dump`.
    Instance(String),
}

/// The name of a dump, taken apart. Ordered by time, then database and configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DumpKey {
    /// The database that was dumped; its Django alias in keys of django-pgclone 2.x and 3.x.
    pub database: String,
    /// When, to the microsecond.
    pub timestamp: Timestamp,
    /// The configuration it was made with.
    pub config: String,
    /// How it is stored and named.
    pub form: KeyForm,
    /// Where the object of a single-file dump is in the location.
    object: Option<Key>,
}

impl DumpKey {
    /// The key of a new dump. Of `timestamp` the microseconds count.
    #[must_use]
    pub fn new(database: &str, timestamp: Timestamp, config: &str) -> Self {
        Self {
            database: database.to_owned(),
            timestamp: in_microseconds(timestamp).unwrap_or(timestamp),
            config: config.to_owned(),
            form: KeyForm::Folder,
            object: None,
        }
    }

    /// Reads the key of one of our dumps as people write it, `{database}/{timestamp}.{config}.dump`, with or without
    /// `pg/` before it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let below = text.strip_prefix("pg/").filter(|rest| rest.contains('/')).unwrap_or(text);
        let (folder, name) = below.split_once('/')?;
        let (timestamp, config) = timestamp_and_config(name, '-')?;
        let key = Self::new(&decode(folder)?, timestamp, &decode(config)?);
        key.folder().is_ok().then_some(key)
    }

    /// Reads the name of a dump's folder below [`DumpKey::database_folder`].
    #[must_use]
    pub fn parse_folder_name(database: &str, name: &str) -> Option<Self> {
        let (timestamp, config) = timestamp_and_config(name, '-')?;
        let key = Self::new(database, timestamp, &decode(config)?);
        key.folder().is_ok().then_some(key)
    }

    /// Reads the key of a dump's manifest in a location; nothing if it is none of ours.
    #[must_use]
    pub fn of_manifest(key: &Key) -> Option<Self> {
        let folder = key.as_str().strip_suffix(MANIFEST_NAME)?.strip_suffix('/')?;
        Self::parse(folder).filter(|parsed| parsed.folder().is_ok_and(|own| own.as_str() == folder))
    }

    /// Reads the key of a single-file dump of django-pgclone in a location, at its root or below `pg/`.
    #[must_use]
    pub fn of_object(key: &Key) -> Option<Self> {
        let segments: Vec<&str> = key.as_str().split('/').collect();
        match segments.as_slice() {
            [database, name] | [ROOT, database, name] => Self::of_named_object(key, database, name),
            [instance, database, config, name] | [ROOT, instance, database, config, name] => {
                let timestamp = timestamp_of(name.strip_suffix(SUFFIX)?, '-')?;
                Some(Self {
                    database: (*database).to_owned(),
                    timestamp,
                    config: (*config).to_owned(),
                    form: KeyForm::Instance((*instance).to_owned()),
                    object: Some(key.clone()),
                })
            }
            _ => None,
        }
    }

    fn of_named_object(key: &Key, database: &str, name: &str) -> Option<Self> {
        let (form, (timestamp, config)) = match timestamp_and_config(name, '_') {
            Some(found) => (KeyForm::Underscores, found),
            None => (KeyForm::Dashes, timestamp_and_config(name, '-')?),
        };
        let (database, config) = (database.to_owned(), config.to_owned());
        Some(Self { database, timestamp, config, form, object: Some(key.clone()) })
    }

    /// Whether django-pgclone wrote it: one object, no manifest.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.object.is_some()
    }

    /// Where the object of a single-file dump is in the location.
    #[must_use]
    pub fn object(&self) -> Option<&Key> {
        self.object.as_ref()
    }

    /// Where the folder of one of our dumps is in the location.
    ///
    /// # Errors
    /// [`PgError::Usage`] if a name is empty or too long to be part of a key.
    pub fn folder(&self) -> PgResult<Key> {
        let unusable = |what: &str| PgError::Usage {
            what: format!(
                "cannot name a dump of the database `{}` with the configuration `{}`: {what}",
                self.database, self.config
            ),
            help: remedy!["names of databases have 1 to 63 bytes; choose a short name for ", Setting::Config],
        };
        if self.config.is_empty() {
            return Err(unusable("the name of the configuration is empty"));
        }
        if in_microseconds(self.timestamp).is_none() {
            return Err(unusable("the time is not in the years 0 to 9999"));
        }
        Key::new(format!("{ROOT}/{}", self.own_text())).map_err(|error| unusable(&error.to_string()))
    }

    /// Where its manifest is, or would be.
    ///
    /// # Errors
    /// As [`DumpKey::folder`].
    pub fn manifest(&self) -> PgResult<Key> {
        Ok(self.folder()?.join(MANIFEST_NAME)?)
    }

    /// Where the name of its database's newest good dump is.
    ///
    /// # Errors
    /// As [`DumpKey::database_folder`].
    pub fn pointer(&self) -> PgResult<Key> {
        Ok(Self::database_folder(&self.database)?.join(POINTER_NAME)?)
    }

    /// The folder of `database`'s dumps.
    ///
    /// # Errors
    /// [`PgError::Usage`] if the name is empty or too long for one.
    pub fn database_folder(database: &str) -> PgResult<Key> {
        Key::new(format!("{ROOT}/{}", encode(database))).map_err(|error| PgError::Usage {
            what: format!("the database `{database}` cannot have dumps: {error}"),
            help: "names of databases have 1 to 63 bytes".into(),
        })
    }

    fn own_text(&self) -> String {
        let timestamp = timestamp_text(self.timestamp, '-');
        format!("{}/{timestamp}.{}{SUFFIX}", encode(&self.database), encode(&self.config))
    }
}

/// As people write it: without the location's `pg/`.
impl fmt::Display for DumpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(object) = &self.object else { return f.write_str(&self.own_text()) };
        let object = object.as_str();
        let segments = object.split('/').count();
        let has_root = matches!((&self.form, segments), (KeyForm::Instance(_), 5) | (_, 3));
        f.write_str(if has_root { &object[ROOT.len() + 1..] } else { object })
    }
}

impl Ord for DumpKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.timestamp
            .cmp(&other.timestamp)
            .then_with(|| self.database.cmp(&other.database))
            .then_with(|| self.config.cmp(&other.config))
            .then_with(|| self.form.cmp(&other.form))
            .then_with(|| self.object.cmp(&other.object))
    }
}

impl PartialOrd for DumpKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn timestamp_and_config(name: &str, separator: char) -> Option<(Timestamp, &str)> {
    let (timestamp, rest) = name.strip_suffix(SUFFIX)?.split_at_checked(TIMESTAMP_CHARS)?;
    let config = rest.strip_prefix('.').filter(|config| !config.is_empty())?;
    Some((timestamp_of(timestamp, separator)?, config))
}

fn timestamp_of(text: &str, separator: char) -> Option<Timestamp> {
    const WIDTHS: [usize; 7] = [4, 2, 2, 2, 2, 2, 6];
    let fields: Vec<&str> = text.split(separator).collect();
    let is_number =
        |field: &&str, width: usize| field.len() == width && field.bytes().all(|byte| byte.is_ascii_digit());
    if fields.len() != WIDTHS.len() || !fields.iter().zip(WIDTHS).all(|(field, width)| is_number(field, width)) {
        return None;
    }
    let small = |index: usize| fields[index].parse::<i8>().ok();
    let nanosecond = fields[6].parse::<i32>().ok()? * 1_000;
    let (year, month, day) = (fields[0].parse().ok()?, small(1)?, small(2)?);
    let moment = DateTime::new(year, month, day, small(3)?, small(4)?, small(5)?, nanosecond).ok()?;
    TimeZone::UTC.to_timestamp(moment).ok()
}

fn timestamp_text(timestamp: Timestamp, separator: char) -> String {
    let moment = TimeZone::UTC.to_datetime(timestamp);
    let s = separator;
    format!(
        "{:04}{s}{:02}{s}{:02}{s}{:02}{s}{:02}{s}{:02}{s}{:06}",
        moment.year(),
        moment.month(),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second(),
        moment.subsec_nanosecond() / 1_000,
    )
}

/// Without what is below a microsecond; nothing for years that four digits do not hold.
fn in_microseconds(timestamp: Timestamp) -> Option<Timestamp> {
    let text = timestamp_text(timestamp, '-');
    timestamp_of(&text, '-')
}

#[cfg(test)]
mod tests;
