//! Names of dumps: `{database}/{timestamp}.{config}.dump` below `pg/`, and the three key forms of django-pgclone.

mod segment;

use std::cmp::Ordering;
use std::fmt;

use backup_core::key::Key;
use backup_core::manifest::MANIFEST_NAME;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub use segment::{decode, encode};

use crate::error::{PgError, PgResult};

/// The folder of a location in which database dumps are.
pub const ROOT: &str = "pg";

/// What every dump's name ends in.
const SUFFIX: &str = ".dump";

/// Characters of a timestamp: `2026-11-21-03-00-04-123456`.
const TIMESTAMP_CHARS: usize = 26;

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
    database: String,
    timestamp: Timestamp,
    config: String,
    form: KeyForm,
    /// Where the folder or object is in the location.
    stored: Key,
}

impl DumpKey {
    /// The key of a new dump. Of `timestamp` the microseconds count.
    ///
    /// # Errors
    /// [`PgError::Usage`] if a name is empty or too long to be part of a key.
    pub fn new(database: &str, timestamp: Timestamp, config: &str) -> PgResult<Self> {
        let unusable = |what: String| PgError::Usage {
            what,
            help: "names of databases have 1 to 63 bytes; choose a short name for --config".to_owned(),
        };
        if database.is_empty() || config.is_empty() {
            return Err(unusable("the name of a database or configuration is empty".to_owned()));
        }
        let timestamp =
            in_microseconds(timestamp).ok_or_else(|| unusable(format!("the time {timestamp} is no time")))?;
        let name = format!("{}.{}{SUFFIX}", timestamp_text(timestamp, '-'), encode(config));
        let stored = Key::new(format!("{ROOT}/{}/{name}", encode(database)))
            .map_err(|error| unusable(format!("database `{database}` with configuration `{config}`: {error}")))?;
        Ok(Self { database: database.to_owned(), timestamp, config: config.to_owned(), form: KeyForm::Folder, stored })
    }

    /// Reads the key of one of our dumps as people write it, `{database}/{timestamp}.{config}.dump`, with or without
    /// `pg/` before it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let below = text.strip_prefix("pg/").filter(|rest| rest.contains('/')).unwrap_or(text);
        let (folder, name) = below.split_once('/')?;
        let (timestamp, config) = timestamp_and_config(name, '-')?;
        let (database, config) = (decode(folder)?, decode(config)?);
        Self::new(&database, timestamp, &config).ok()
    }

    /// Reads the key of a dump's manifest in a location; nothing if it is none of ours.
    #[must_use]
    pub fn of_manifest(key: &Key) -> Option<Self> {
        let folder = key.as_str().strip_suffix(MANIFEST_NAME)?.strip_suffix('/')?;
        Self::parse(folder).filter(|parsed| parsed.stored.as_str() == folder)
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
                    stored: key.clone(),
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
        Some(Self { database, timestamp, config, form, stored: key.clone() })
    }

    /// The database that was dumped; its Django alias in keys of django-pgclone 2.x and 3.x.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// When, to the microsecond.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The configuration it was made with.
    #[must_use]
    pub fn config(&self) -> &str {
        &self.config
    }

    /// How it is stored and named.
    #[must_use]
    pub fn form(&self) -> &KeyForm {
        &self.form
    }

    /// Whether django-pgclone wrote it: one object, no manifest.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.form != KeyForm::Folder
    }

    /// Where its folder, or its one object, is in the location.
    #[must_use]
    pub fn stored(&self) -> &Key {
        &self.stored
    }

    /// Where its manifest is, or would be.
    ///
    /// # Errors
    /// [`PgError::Store`] if the key would be too long.
    pub fn manifest(&self) -> PgResult<Key> {
        Ok(self.stored.join(MANIFEST_NAME)?)
    }
}

/// The folder of `database`'s dumps, with a final `/`.
///
/// # Errors
/// [`PgError::Store`] if the name is empty or too long for one.
pub fn database_folder(database: &str) -> PgResult<String> {
    Ok(format!("{}/", Key::new(format!("{ROOT}/{}", encode(database)))?))
}

/// As people write it: without the location's `pg/`.
impl fmt::Display for DumpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = self.stored.as_str();
        let segments = stored.split('/').count();
        let has_root = matches!((&self.form, segments), (KeyForm::Instance(_), 5) | (_, 3));
        f.write_str(if has_root { &stored[ROOT.len() + 1..] } else { stored })
    }
}

impl Ord for DumpKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.timestamp
            .cmp(&other.timestamp)
            .then_with(|| self.database.cmp(&other.database))
            .then_with(|| self.config.cmp(&other.config))
            .then_with(|| self.form.cmp(&other.form))
            .then_with(|| self.stored.cmp(&other.stored))
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
