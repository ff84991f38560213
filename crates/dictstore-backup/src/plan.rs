//! Which files a restore reads, in which order: pure.

use std::collections::{HashMap, HashSet};
use std::fmt;

use backup_core::clock::Timestamp;
use backup_core::manifest::Uuid;
use backup_core::source::Identity;
use serde::Serialize;

use crate::detail::BackupKind;
use crate::entry::{Entry, State};
use crate::key::BackupName;

/// Up to where to restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreTo {
    /// The newest backup.
    #[default]
    Latest,
    /// The newest backup of that time or before.
    Time(Timestamp),
    /// The backup with this sequence number.
    Sequence(u64),
    /// The backup in the file of this name.
    File(String),
}

impl fmt::Display for RestoreTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("at all"),
            Self::Time(time) => write!(f, "at or before {time}"),
            Self::Sequence(sequence) => write!(f, "with the sequence number {sequence}"),
            Self::File(file) => write!(f, "named `{file}`"),
        }
    }
}

/// What a restore takes: one full backup, then deltas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestorePlan {
    /// The files in order, the full backup first.
    pub files: Vec<String>,
    /// When the store was as it will be restored.
    pub time: Option<Timestamp>,
    /// Which store they are of; absent where they do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
    /// Whether manifests vouch for the files.
    pub verified: bool,
    /// Files left out, and why.
    pub left_out: Vec<LeftOut>,
    /// Places among the entries planned from.
    #[serde(skip)]
    pub(crate) entries: Vec<usize>,
}

/// A file that a restore does not take although it is not older than what it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// The file.
    pub file: String,
    /// Why.
    pub why: String,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanFault {
    /// Nothing of what is wanted is there.
    Nothing,
    /// The chain has a hole.
    Gap {
        /// The backup wanted.
        wanted: String,
        /// What is missing.
        what: String,
        /// The newest backup before it that can be restored.
        whole: Option<String>,
        /// Whether nothing is missing and something cannot be read now.
        unreadable: bool,
    },
}

/// Plans a restore from `entries`, which are those of one store, in order, oldest first.
///
/// # Errors
/// Why not, and what instead.
pub fn plan(entries: &[Entry], to: &RestoreTo) -> Result<RestorePlan, PlanFault> {
    let ours = |entry: &Entry| matches!(entry.state, State::Good | State::Damaged(_) | State::Unreadable(_));
    let wanted = entries.iter().enumerate().rev().find(|(_, entry)| ours(entry) && matches(entry, to));
    match wanted {
        Some((at, _)) => chained(entries, at),
        None => foreign(entries, to),
    }
}

pub(crate) fn matches(entry: &Entry, to: &RestoreTo) -> bool {
    match to {
        RestoreTo::Latest => true,
        RestoreTo::Time(time) => entry.time().is_some_and(|of| of <= *time),
        RestoreTo::Sequence(sequence) => entry.sequence() == Some(*sequence),
        RestoreTo::File(file) => entry.name.to_string() == *file,
    }
}

/// By the manifests: from the wanted backup back to its full one.
fn chained(entries: &[Entry], at: usize) -> Result<RestorePlan, PlanFault> {
    let by_id: HashMap<Uuid, usize> =
        entries.iter().enumerate().filter_map(|(at, entry)| Some((entry.manifest.as_ref()?.id, at))).collect();
    let places = chain(entries, &by_id, at).map_err(|Hole { what, unreadable }| {
        let before = (0..at).rev().find(|before| chain(entries, &by_id, *before).is_ok());
        let whole = before.map(|before| file(entries, before));
        PlanFault::Gap { wanted: file(entries, at), what, whole, unreadable }
    })?;
    let left_out = left_out(entries, &places, |place, entry| match (&entry.state, &entry.manifest) {
        (State::Unpublished, _) => Some("it has no manifest: it is a leftover of an interrupted run".to_owned()),
        (State::Unreadable(why), _) if place > at => Some(format!("it is newer and cannot be read: {why}")),
        // Between the full backup and the wanted one, and no step from the one to the other.
        (_, Some(manifest)) if place < at => Some(format!(
            "it is not in the chain of `{}`: {} wrote it as a backup of this store while another service did the same",
            entries[at].name, manifest.tool.writer
        )),
        _ => None,
    });
    let (time, source) = (entries[at].time(), entries[at].identity().cloned());
    Ok(RestorePlan { files: files(entries, &places), time, source, verified: true, left_out, entries: places })
}

/// Why a chain is not whole.
struct Hole {
    what: String,
    unreadable: bool,
}

/// The places of a whole chain, its full backup first.
fn chain(entries: &[Entry], by_id: &HashMap<Uuid, usize>, at: usize) -> Result<Vec<usize>, Hole> {
    let hole = |what: String| Hole { what, unreadable: false };
    let mut places = Vec::new();
    let mut seen = HashSet::new();
    let mut next = at;
    loop {
        let entry = &entries[next];
        if let State::Damaged(why) = &entry.state {
            return Err(hole(format!("`{}` is damaged: {why}", entry.name)));
        }
        if let State::Unreadable(why) = &entry.state {
            return Err(Hole { what: why.clone(), unreadable: true });
        }
        let Some(manifest) = &entry.manifest else { return Err(hole(format!("`{}` has no manifest", entry.name))) };
        if !seen.insert(manifest.id) {
            return Err(hole(format!("`{}` builds on itself", entry.name)));
        }
        places.push(next);
        if entry.name.kind == BackupKind::Full {
            places.reverse();
            return Ok(places);
        }
        let before = manifest.parent.and_then(|parent| by_id.get(&parent));
        next = *before.ok_or_else(|| {
            // It may be the one that cannot be read.
            let unreadable = entries.iter().any(|entry| matches!(entry.state, State::Unreadable(_)));
            let what = format!(
                "the backup with the sequence number {} is missing, and `{}` builds on it",
                manifest.sequence.saturating_sub(1),
                entry.name
            );
            Hole { what, unreadable }
        })?;
    }
}

/// By the names alone, as DictDB's files have nothing else: the newest full one, then the deltas after it.
fn foreign(entries: &[Entry], to: &RestoreTo) -> Result<RestorePlan, PlanFault> {
    let foreign = |entry: &Entry| matches!(entry.state, State::Foreign | State::Torn(_));
    let bound = match to {
        RestoreTo::Latest => None,
        RestoreTo::Time(time) => Some(time.as_microsecond()),
        RestoreTo::Sequence(_) => return Err(PlanFault::Nothing),
        RestoreTo::File(file) => match BackupName::parse(file) {
            Some(name) if entries.iter().any(|entry| foreign(entry) && entry.name == name) => Some(name.micros),
            _ => return Err(PlanFault::Nothing),
        },
    };
    let within = |entry: &Entry| foreign(entry) && bound.is_none_or(|bound| entry.name.micros <= bound);
    let usable = |entry: &Entry| within(entry) && entry.state == State::Foreign;
    let full = entries.iter().rposition(|entry| usable(entry) && entry.name.kind == BackupKind::Full);
    let Some(full) = full else { return Err(PlanFault::Nothing) };
    let mut places = vec![full];
    places.extend(
        (full + 1..entries.len()).filter(|at| usable(&entries[*at]) && entries[*at].name.kind == BackupKind::Delta),
    );
    let last = places.last().copied().unwrap_or(full);
    let left_out = left_out(entries, &places, |_, entry| match &entry.state {
        State::Torn(why) if within(entry) => Some(format!("it is incomplete: {why}")),
        _ => None,
    });
    let time = entries[last].time();
    Ok(RestorePlan { files: files(entries, &places), time, source: None, verified: false, left_out, entries: places })
}

/// What is younger than the full backup taken, is not taken, and should be told.
fn left_out(entries: &[Entry], places: &[usize], why: impl Fn(usize, &Entry) -> Option<String>) -> Vec<LeftOut> {
    let begin = places.first().copied().unwrap_or(0);
    let younger = entries.iter().enumerate().skip(begin).filter(|(at, _)| !places.contains(at));
    younger.filter_map(|(at, entry)| Some(LeftOut { file: entry.name.to_string(), why: why(at, entry)? })).collect()
}

fn file(entries: &[Entry], at: usize) -> String {
    entries[at].name.to_string()
}

fn files(entries: &[Entry], places: &[usize]) -> Vec<String> {
    places.iter().map(|at| file(entries, *at)).collect()
}

#[cfg(test)]
pub(crate) mod tests;
