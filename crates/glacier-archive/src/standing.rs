//! Where each file of a backup is now: a pure decision but for a look at the folder.

use std::collections::BTreeMap;
use std::path::Path;

use backup_core::key::Key;
use jiff::Timestamp;
use serde::Serialize;

use crate::catalogue::KnownFile;
use crate::class::Class;
use crate::find::Backup;
use crate::lifecycle::{Retrieval, Status};
use crate::listing::Listed;
use crate::pattern::Only;
use crate::scan;
use crate::state::State;

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileStanding {
    /// Its name.
    pub name: String,
    /// Bytes of its content.
    pub bytes: u64,
    /// Where it is.
    pub status: Status,
    /// Since when it has been there, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it is expected to be ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Timestamp>,
    /// Until when it can be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why it went back to available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the folder has a file of its name and another size.
    pub differs: bool,
    /// Whether it is no file, but an object of the database's dump.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub database: bool,
    /// The archive that has its content; absent if it is empty.
    #[serde(skip)]
    pub archive: Option<Key>,
    /// The class of that archive.
    #[serde(skip)]
    pub class: Option<Class>,
    /// The file as the backup has it.
    #[serde(skip)]
    pub listed: Listed,
}

/// What is known around a backup.
#[derive(Debug)]
pub struct Known<'a> {
    /// What was fetched, and the catalogue.
    pub state: &'a State,
    /// The catalogue's files.
    pub files: &'a BTreeMap<String, KnownFile>,
    /// What is known of retrievals.
    pub retrievals: &'a BTreeMap<Key, Retrieval>,
    /// The folder that is restored to; absent if it does not count.
    pub folder: Option<&'a Path>,
    /// The present moment.
    pub now: Timestamp,
}

/// Where each file is that is meant, and each object of the database if that is.
#[must_use]
pub fn files(backup: &Backup, only: &Only, known: &Known<'_>) -> Vec<FileStanding> {
    let database = backup.database.iter().filter(|_| only.takes_database()).map(|object| {
        // Nothing of it is in the folder of the files.
        let found = of_file(backup, object, &Known { folder: None, ..*known });
        FileStanding { database: true, ..found }
    });
    let meant = backup.files.iter().filter(|file| only.takes(&file.entry.name));
    database.chain(meant.map(|file| of_file(backup, file, known))).collect()
}

/// The lowest status of all: a backup is no further than the part that is furthest behind.
#[must_use]
pub fn lowest(files: &[FileStanding]) -> Status {
    files.iter().map(|file| file.status).min().unwrap_or(Status::Exists)
}

/// How many files have each status.
#[must_use]
pub fn counts(files: &[FileStanding]) -> BTreeMap<Status, u64> {
    files.iter().fold(BTreeMap::new(), |mut counts, file| {
        *counts.entry(file.status).or_default() += 1;
        counts
    })
}

fn of_file(backup: &Backup, file: &Listed, known: &Known<'_>) -> FileStanding {
    let part = file.part.and_then(|part| backup.manifest.parts.get(part));
    let class = file.part.and_then(|part| backup.manifest.detail.classes.get(part).copied().flatten());
    let archive = part.map(|part| part.key.clone());
    let retrieval = archive.as_ref().and_then(|key| known.retrievals.get(key)).map(|found| found.at(known.now));
    let retrieval = retrieval.unwrap_or_default();
    // What has no class is never cold, and not all of it is polled.
    let is_hot = class.is_none() && archive.as_ref().is_some_and(|key| !known.retrievals.contains_key(key));
    let (exists, differs) = in_folder(file, known);
    let mut standing = FileStanding {
        name: file.entry.name.clone(),
        bytes: file.entry.bytes,
        status: if is_hot { Status::Ready } else { retrieval.phase.status() },
        since: (retrieval.since != Timestamp::default()).then_some(retrieval.since),
        expected: retrieval.expected,
        until: retrieval.until,
        reason: retrieval.reason,
        differs,
        database: false,
        archive,
        class,
        listed: file.clone(),
    };
    let is_local = standing.archive.is_none() || known.state.has_local(&file.entry.sha256, file.entry.bytes);
    let reached = match (exists, is_local) {
        (true, _) => Some(Status::Exists),
        (false, true) => Some(Status::Local),
        // The archive was read for other files of it, or what was fetched is gone: it can be read again while it is ready.
        (false, false) if standing.status == Status::Local => {
            let is_over = standing.until.is_some_and(|until| until <= known.now);
            standing.status = if is_over { Status::Available } else { Status::Ready };
            None
        }
        (false, false) => None,
    };
    if let Some(status) = reached {
        standing = FileStanding { status, since: None, expected: None, until: None, reason: None, ..standing };
    }
    standing
}

/// Whether the folder has the file, and whether it has another one of its name. Contents are not read: a restore does.
fn in_folder(file: &Listed, known: &Known<'_>) -> (bool, bool) {
    let Some(folder) = known.folder else { return (false, false) };
    let Ok(metadata) = std::fs::symlink_metadata(folder.join(&file.entry.name)) else { return (false, false) };
    let found = scan::found(file.entry.name.clone(), &metadata);
    let recognised = known
        .files
        .get(&file.entry.name)
        .is_some_and(|known| known.stamp == Some(found.stamp) && known.entry.sha256 == file.entry.sha256);
    let exists = metadata.is_file() && (recognised || found.bytes == file.entry.bytes);
    (exists, !exists)
}
