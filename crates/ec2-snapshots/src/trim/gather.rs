//! Takes snapshots in one by one and keeps of each what trimming needs: a million of them must fit into memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use backup_core::retention::{PRESERVE_TAG, Policy, Rule};
use jiff::Timestamp;

use super::protect::{self, Standing};
use crate::lineage;
use crate::model::{Region, Snapshot, SnapshotId, SnapshotState};
use crate::origin::Origin;

/// Which snapshots are trimmed at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only with this tag, as name and value.
    pub tag: Option<(String, String)>,
    /// Those of other tools too.
    pub any: bool,
    /// Tags by which rules keep snapshots: a name, or name and value as `NAME=VALUE`.
    pub keep_tags: Vec<Arc<str>>,
}

impl Scope {
    /// The same, with the tags by which `policy` keeps snapshots.
    #[must_use]
    pub fn keeping(mut self, policy: &Policy) -> Self {
        let tags = policy.rules.iter().filter_map(|rule| match rule {
            Rule::Tag(tag) => Some(Arc::from(tag.as_str())),
            _ => None,
        });
        self.keep_tags = tags.collect();
        self
    }

    /// Those of the tags that `snapshot` has.
    fn kept_by(&self, snapshot: &Snapshot) -> Box<[Arc<str>]> {
        let has = |tag: &str| {
            let is_pair = tag.split_once('=').is_some_and(|(name, value)| snapshot.tags.has(name, value));
            is_pair || snapshot.tags.get(tag).is_some()
        };
        self.keep_tags.iter().filter(|tag| has(tag)).cloned().collect()
    }
}

/// What trimming keeps of a snapshot.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: Box<str>,
    /// Index into the names of volumes.
    pub(super) volume: u32,
    /// Index into the names of sets.
    pub(super) set: Option<u32>,
    pub(super) time: Timestamp,
    pub(super) start: Timestamp,
    pub(super) size_gib: u32,
    pub(super) is_completed: bool,
    pub(super) is_preserved: bool,
    /// Tags by which a rule keeps it.
    pub(super) keep_tags: Box<[Arc<str>]>,
    pub(super) protected: Option<Arc<str>>,
    link: Link,
}

/// What a snapshot has in common with its copies.
#[derive(Clone, Debug)]
enum Link {
    /// The time its description says, in seconds since 1970.
    Time(i64),
    /// The snapshot it is a copy of.
    Copy(Box<str>),
    /// Its own id, which copies bear.
    Own,
}

/// [`Link`], to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Common<'r> {
    /// A time in seconds since 1970.
    Time(i64),
    /// An original.
    Original(&'r str),
}

impl Row {
    /// What it has in common with its copies.
    pub(super) fn common(&self) -> Common<'_> {
        match &self.link {
            Link::Time(seconds) => Common::Time(*seconds),
            Link::Copy(original) => Common::Original(original),
            Link::Own => Common::Original(&self.id),
        }
    }
}

/// A volume in one region.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) region: Region,
    pub(super) name: Arc<str>,
}

/// Snapshots to decide about.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    pub(super) rows: Vec<Row>,
    pub(super) volumes: Vec<Volume>,
    pub(super) sets: Vec<SetSize>,
    volume_index: HashMap<Region, HashMap<Arc<str>, u32>>,
    set_index: HashMap<Region, HashMap<Box<str>, u32>>,
    /// Snapshots that are out of scope.
    pub(super) left_alone: u64,
    /// Snapshots whose description says nothing, and the first of them by id.
    pub(super) undescribed: u64,
    pub(super) undescribed_first: Option<SnapshotId>,
}

/// How many snapshots of a set there are and should be.
#[derive(Clone, Debug)]
pub(super) struct SetSize {
    pub(super) name: Box<str>,
    pub(super) completed: u32,
    /// What the tag says; copies have none, and are judged one by one.
    pub(super) expected: Option<u32>,
}

impl Gathered {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many snapshots were taken in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes `snapshot` in if `scope` has it.
    pub fn add(&mut self, snapshot: &Snapshot, scope: &Scope, standing: &Standing) {
        let tagged = scope.tag.as_ref().is_none_or(|(name, value)| snapshot.tags.has(name, value));
        let origin = Origin::of(snapshot);
        if !tagged || !(scope.any || origin.is_ours(snapshot)) {
            self.left_alone += 1;
            return;
        }
        let says_source = origin.is_described || snapshot.tags.filled(lineage::SRC_VOLUME).is_some();
        if !says_source {
            self.undescribed += 1;
            // The least, so that a plan does not depend on the order of a listing.
            let first = self.undescribed_first.get_or_insert_with(|| snapshot.id.clone());
            if snapshot.id < *first {
                *first = snapshot.id.clone();
            }
        }
        let is_completed = snapshot.state == SnapshotState::Completed;
        let volume = self.volume(&snapshot.region, origin.volume.as_str());
        let set = snapshot.tags.filled(lineage::SET).map(|name| self.set(snapshot, name, is_completed));
        let link = match &origin.copied_from {
            _ if origin.is_dated && origin.time != snapshot.start_time => Link::Time(origin.time.as_second()),
            Some(source) => Link::Copy(source.as_str().into()),
            None => Link::Own,
        };
        self.rows.push(Row {
            id: snapshot.id.as_str().into(),
            volume,
            set,
            time: origin.time,
            start: snapshot.start_time,
            size_gib: u32::try_from(snapshot.size_gib).unwrap_or(u32::MAX),
            is_completed,
            is_preserved: snapshot.tags.filled(PRESERVE_TAG).is_some(),
            keep_tags: scope.kept_by(snapshot),
            protected: protect::reason(snapshot, &origin, standing),
            link,
        });
    }

    /// Says of snapshots already taken in why they are protected.
    pub(super) fn protect(&mut self, ids: &BTreeSet<SnapshotId>, reason: &str) {
        let reason: Arc<str> = reason.into();
        let ids: HashSet<&str> = ids.iter().map(SnapshotId::as_str).collect();
        for row in self.rows.iter_mut().filter(|row| ids.contains(&*row.id)) {
            row.protected.get_or_insert_with(|| Arc::clone(&reason));
        }
    }

    /// Whether the set of `row` is whole, as far as its tag says.
    pub(super) fn is_whole(&self, row: &Row) -> bool {
        let set = row.set.map(|set| &self.sets[set as usize]);
        set.is_none_or(|set| set.expected.is_none_or(|expected| set.completed >= expected))
    }

    fn volume(&mut self, region: &Region, name: &str) -> u32 {
        if let Some(known) = self.volume_index.get(region).and_then(|names| names.get(name)) {
            return *known;
        }
        let (next, name) = (index(self.volumes.len()), Arc::<str>::from(name));
        self.volumes.push(Volume { region: region.clone(), name: Arc::clone(&name) });
        self.volume_index.entry(region.clone()).or_default().insert(name, next);
        next
    }

    fn set(&mut self, snapshot: &Snapshot, name: &str, is_completed: bool) -> u32 {
        let known = self.set_index.get(&snapshot.region).and_then(|names| names.get(name)).copied();
        let at = known.unwrap_or_else(|| {
            let next = index(self.sets.len());
            self.sets.push(SetSize { name: name.into(), completed: 0, expected: None });
            self.set_index.entry(snapshot.region.clone()).or_default().insert(name.into(), next);
            next
        });
        let set = &mut self.sets[at as usize];
        set.completed += u32::from(is_completed);
        let expected = snapshot.tags.filled(lineage::SET_SIZE).and_then(|size| size.parse().ok());
        set.expected = set.expected.max(expected);
        at
    }
}

/// More than four thousand million volumes would not fit into memory.
fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
