//! What a location contains before a backup is written: its source, what it builds on, and what it must not replace by
//! nothing. Decisions, without I/O.

use std::collections::BTreeSet;

use backup_core::manifest::Uuid;
use backup_core::source::{Fall, Identity, Size, fall};

use crate::detail::BackupKind;
use crate::entry::{Entry, State};
use crate::format::Format;
use crate::key::BackupName;
use crate::origin::{self, Meant, Unclear};
use crate::plan::RestoreTo;

/// In whose name backups are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A running store's: the one it was restored from, or else a new one.
    Store {
        /// The backup it was restored from.
        base: Option<Uuid>,
        /// Whether it takes the place of the one whose backups are there, although it was not restored from them.
        takes_over: bool,
    },
    /// That of the backups it is made of.
    Of(Option<Identity>),
}

impl Owner {
    /// Which source the next backup is of.
    pub(super) fn identity(&self, entries: &[Entry]) -> Result<Option<Identity>, Unclear> {
        let (base, takes_over) = match self {
            Self::Of(identity) => return Ok(identity.clone()),
            Self::Store { base, takes_over } => (*base, *takes_over),
        };
        let is_base = |entry: &&Entry| entry.manifest.as_ref().is_some_and(|manifest| Some(manifest.id) == base);
        let mut inherited = entries.iter().find(is_base).and_then(Entry::identity);
        if inherited.is_none() && takes_over {
            let meant = origin::meant(entries, &RestoreTo::Latest, None)?;
            inherited = entries.iter().find(|entry| meant == Meant::Of(origin::id(entry))).and_then(Entry::identity);
        }
        Ok(Some(inherited.map_or_else(origin::new_identity, origin::seen_from_here)))
    }
}

/// The newest backup, on which the next builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(super) name: BackupName,
    pub(crate) id: Uuid,
    pub(super) full: Uuid,
    pub(crate) deltas: u64,
}

/// How much a backup holds, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(super) file: String,
    pub(super) records: u64,
    /// Bytes and format of a full backup; deltas are no measure.
    pub(super) full: Option<(u64, Format)>,
}

/// What is known of earlier backups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) head: Option<Head>,
    /// The newest of the same source, if it says how much it holds.
    newest: Option<Held>,
    /// The newest full one of the same source.
    full: Option<Held>,
    /// The newest of the whole location that has records; an empty store must not stand before it.
    filled: Option<String>,
    /// Files whose manifests are known.
    known: BTreeSet<String>,
    /// Whether somebody else was seen to write in the same name.
    pub(super) rival: bool,
}

impl Past {
    /// What `entries`, in order, say to whoever writes backups of `identity`.
    pub(crate) fn of(entries: &[Entry], identity: Option<&Identity>) -> Self {
        let id = identity.map(|identity| identity.id.clone());
        let ours = || entries.iter().rev().filter(|entry| entry.manifest.is_some() && origin::id(entry) == id);
        let good = || ours().filter(|entry| entry.state == State::Good);
        let head = ours().next().filter(|entry| entry.state == State::Good);
        let head = head.and_then(|entry| Some((entry.name, entry.manifest.as_ref()?)));
        let has_records = |entry: &&Entry| match entry.state {
            State::Good => entry.store_records().is_none_or(|records| records > 0),
            // Nothing says what DictDB's hold.
            State::Foreign => true,
            _ => false,
        };
        Self {
            head: head.map(|(name, manifest)| Head {
                name,
                id: manifest.id,
                full: manifest.detail.full,
                deltas: manifest.detail.deltas,
            }),
            newest: good().find_map(held),
            full: good().filter(|entry| entry.name.kind == BackupKind::Full).find_map(held),
            filled: entries.iter().rev().find(has_records).map(|entry| entry.name.to_string()),
            known: names(entries).collect(),
            rival: false,
        }
    }

    /// A backup of ours was published.
    pub(super) fn add(&mut self, head: Head, held: Held) {
        self.head = Some(head);
        self.known.insert(held.file.clone());
        if held.records > 0 {
            self.filled = Some(held.file.clone());
        } else if held.full.is_some() {
            // Somebody said that this is right.
            self.filled = None;
        }
        if held.full.is_some() {
            self.full = Some(held.clone());
        }
        self.newest = Some(held);
    }

    /// The backup that a full one without any record would stand before.
    pub(crate) fn filled(&self) -> Option<&str> {
        self.filled.as_deref()
    }

    /// By how much the next backup holds less than the one it follows: a full one than the last full one, which retention may
    /// delete for it; a delta than whatever was last.
    pub(super) fn fall(&self, now: &Held) -> Option<Fall> {
        let before = if now.full.is_some() { self.full.as_ref() } else { self.newest.as_ref() }?;
        let bytes = match (before.full, now.full) {
            (Some((before, one)), Some((now, other))) if one == other => (before, now),
            _ => (0, 0),
        };
        let size = |rows, bytes| Size { rows, bytes };
        fall(&before.file, size(before.records, bytes.0), size(now.records, bytes.1)).filter(Fall::is_notable)
    }

    /// Files that appeared since we looked last.
    pub(super) fn unknown<'a>(&self, files: &'a [String]) -> Vec<&'a String> {
        files.iter().filter(|file| !self.known.contains(*file)).collect()
    }

    /// Takes note of files that others wrote.
    pub(super) fn see(&mut self, files: impl IntoIterator<Item = String>) {
        self.known.extend(files);
    }

    /// Begins anew, in another name: nothing of the source before counts.
    pub(super) fn leave(&mut self) {
        *self = Self { known: std::mem::take(&mut self.known), filled: self.filled.take(), ..Self::default() };
    }
}

fn names(entries: &[Entry]) -> impl Iterator<Item = String> {
    entries.iter().filter(|entry| entry.manifest.is_some()).map(|entry| entry.name.to_string())
}

/// How much the backup holds, if it says so.
fn held(entry: &Entry) -> Option<Held> {
    let full = (entry.name.kind == BackupKind::Full).then_some((entry.bytes, entry.name.format));
    Some(Held { file: entry.name.to_string(), records: entry.store_records()?, full })
}

#[cfg(test)]
mod tests;
