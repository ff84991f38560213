//! Which snapshots stay and which go: pure. Volumes are independent of each other unless a set holds them together, so
//! that they are decided in batches: memory and time grow with the number of snapshots and not faster.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use backup_core::retention::{self, Action, Candidate, Decision, PRESERVE_TAG, Policy};
use backup_core::units::counted;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::gather::{Gathered, Row};
use super::pairs;
use crate::error::{Ec2Error, Ec2Result};
use crate::model::{Region, SnapshotId};

/// Snapshots decided together at least: fewer calls, and still little memory.
const BATCH_ROWS: usize = 4_096;

/// What becomes of one snapshot, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// The snapshot.
    pub id: SnapshotId,
    /// Where it is.
    pub region: Region,
    /// Its volume, as its origin names it.
    #[serde(serialize_with = "text")]
    pub volume: Arc<str>,
    /// When the volume was as the snapshot has it.
    pub time: Timestamp,
    /// Size of the volume in GiB; what the snapshot alone occupies is not known.
    pub size_gib: u32,
    /// Keep or delete.
    pub action: Action,
    /// Why; never empty.
    #[serde(serialize_with = "texts")]
    pub reasons: Vec<Arc<str>>,
}

/// What a trim does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrimPlan {
    /// As of when.
    pub now: Timestamp,
    /// One decision for each snapshot in scope, by region, volume and time.
    pub decisions: Vec<Decided>,
    /// Snapshots that are out of scope: of other tools, or without the tag.
    pub left_alone: u64,
    /// What the user should know and that stops nothing.
    pub warnings: Vec<String>,
}

impl TrimPlan {
    /// What goes.
    pub fn deleted(&self) -> impl Iterator<Item = &Decided> {
        self.decisions.iter().filter(|decided| decided.action == Action::Delete)
    }

    /// What stays.
    pub fn kept(&self) -> impl Iterator<Item = &Decided> {
        self.decisions.iter().filter(|decided| decided.action == Action::Keep)
    }
}

/// Decides about everything that was gathered.
///
/// # Errors
/// [`crate::Ec2Error::Core`] for a policy without a rule, or with one that makes no sense.
pub fn plan(gathered: &mut Gathered, policy: &Policy, now: Timestamp) -> Ec2Result<TrimPlan> {
    // Refuses a policy that cannot be used even if there is nothing to decide about.
    retention::plan(&[], policy, now)?;
    pairs::protect_last_common(gathered);
    let gathered = &*gathered;
    let mut ranked = decided(gathered, &batches(gathered), policy, now)?;
    ranked.sort_unstable_by(|(rank, one), (other_rank, other)| {
        (rank, one.time, &one.id).cmp(&(other_rank, other.time, &other.id))
    });
    let decisions: Vec<Decided> = ranked.into_iter().map(|(_, decided)| decided).collect();
    Ok(TrimPlan { now, left_alone: gathered.left_alone, warnings: warnings(gathered, &decisions, now), decisions })
}

/// A decision with the rank of its volume.
type Ranked = (u32, Decided);

/// Decides about all batches. None depends on another, so that each processor takes some.
fn decided(gathered: &Gathered, batches: &[Vec<usize>], policy: &Policy, now: Timestamp) -> Ec2Result<Vec<Ranked>> {
    let ranks = &ranks(gathered);
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let share = batches.len().div_ceil(workers).max(1);
    let mut all = Vec::with_capacity(gathered.len());
    thread::scope(|scope| {
        let taken: Vec<_> = batches
            .chunks(share)
            .map(|batches| {
                scope.spawn(move || {
                    let (mut texts, mut decisions) = (Texts::default(), Vec::new());
                    for batch in batches {
                        decide(gathered, (batch, ranks), policy, now, &mut texts, &mut decisions)?;
                    }
                    Ok::<_, Ec2Error>(decisions)
                })
            })
            .collect();
        for worker in taken {
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })
}

/// For each volume its place in the order of regions and names: a number is compared faster than two texts.
fn ranks(gathered: &Gathered) -> Vec<u32> {
    let named = |volume: u32| {
        let volume = &gathered.volumes[volume as usize];
        (&volume.region, &volume.name)
    };
    let mut order: Vec<u32> = (0u32..).take(gathered.volumes.len()).collect();
    order.sort_unstable_by(|one, other| named(*one).cmp(&named(*other)));
    let mut ranks = vec![0; order.len()];
    for (rank, volume) in (0u32..).zip(order) {
        ranks[volume as usize] = rank;
    }
    ranks
}

/// Indices of rows, volumes that a set holds together in one batch.
fn batches(gathered: &Gathered) -> Vec<Vec<usize>> {
    let groups = components(gathered);
    let mut by_group: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, row) in gathered.rows.iter().enumerate() {
        by_group.entry(groups[row.volume as usize]).or_default().push(at);
    }
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for rows in by_group.into_values() {
        match batches.last_mut().filter(|batch| batch.len() < BATCH_ROWS) {
            Some(batch) => batch.extend(rows),
            None => batches.push(rows),
        }
    }
    batches
}

/// For each volume the number of the group it is decided with.
fn components(gathered: &Gathered) -> Vec<u32> {
    let mut parent: Vec<u32> = (0u32..).take(gathered.volumes.len()).collect();
    let mut volume_of_set: Vec<Option<u32>> = vec![None; gathered.sets.len()];
    for row in &gathered.rows {
        let Some(set) = row.set else { continue };
        match volume_of_set[set as usize] {
            None => volume_of_set[set as usize] = Some(row.volume),
            Some(other) => {
                let (one, other) = (root(&mut parent, row.volume), root(&mut parent, other));
                parent[one as usize] = other;
            }
        }
    }
    (0u32..).take(gathered.volumes.len()).map(|volume| root(&mut parent, volume)).collect()
}

fn root(parent: &mut [u32], volume: u32) -> u32 {
    let mut at = volume;
    while parent[at as usize] != at {
        // Halves the way for whoever comes next.
        parent[at as usize] = parent[parent[at as usize] as usize];
        at = parent[at as usize];
    }
    at
}

fn decide(
    gathered: &Gathered,
    (batch, ranks): (&[usize], &[u32]),
    policy: &Policy,
    now: Timestamp,
    texts: &mut Texts,
    decisions: &mut Vec<Ranked>,
) -> Ec2Result<()> {
    // A page that is read twice lists a snapshot twice.
    let mut seen = HashSet::new();
    let rows: Vec<&Row> = batch.iter().map(|&at| &gathered.rows[at]).filter(|row| seen.insert(&*row.id)).collect();
    let candidates: Vec<Candidate> = rows.iter().map(|row| candidate(gathered, row)).collect();
    let decided = retention::plan(&candidates, policy, now)?.decisions;
    decisions.extend(
        rows.into_iter()
            .zip(decided)
            .map(|(row, decision)| (ranks[row.volume as usize], texts.decided(gathered, row, decision))),
    );
    Ok(())
}

fn candidate(gathered: &Gathered, row: &Row) -> Candidate {
    let volume = &gathered.volumes[row.volume as usize];
    let preserved = row.is_preserved.then_some(PRESERVE_TAG);
    Candidate {
        good: row.is_completed && gathered.is_whole(row),
        tags: row.keep_tags.iter().map(|tag| &**tag).chain(preserved).map(str::to_owned).collect(),
        set: row.set.map(|set| format!("{}/{}", volume.region, gathered.sets[set as usize].name)),
        protected: row.protected.as_deref().map(str::to_owned),
        // Microseconds since 1970; nothing in EC2 is older.
        ..Candidate::new(
            &*row.id,
            format!("{}/{}", volume.region, volume.name),
            row.time,
            u64::try_from(row.start.as_microsecond()).unwrap_or(0),
        )
    }
}

/// Texts that many decisions share, each once.
#[derive(Debug, Default)]
struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn share(&mut self, text: String) -> Arc<str> {
        if let Some(shared) = self.0.get(text.as_str()) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = text.into();
        self.0.insert(Arc::clone(&shared));
        shared
    }

    fn decided(&mut self, gathered: &Gathered, row: &Row, decision: Decision) -> Decided {
        let volume = &gathered.volumes[row.volume as usize];
        Decided {
            id: SnapshotId::new(decision.id),
            region: volume.region.clone(),
            volume: Arc::clone(&volume.name),
            time: row.time,
            size_gib: row.size_gib,
            action: decision.action,
            reasons: decision.reasons.into_iter().map(|reason| self.share(reason)).collect(),
        }
    }
}

fn warnings(gathered: &Gathered, decisions: &[Decided], now: Timestamp) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut future = decisions.iter().filter(|decided| decided.time > now);
    if let Some(first) = future.next() {
        let count = future.count() as u64 + 1;
        warnings.push(format!(
            "{} dated in the future (`{}`): kept, and not counted by any rule. Check the clocks",
            counted(count, "snapshot is", "snapshots are"),
            first.id
        ));
    }
    if let Some(first) = &gathered.undescribed_first {
        warnings.push(format!(
            "{} no description that lastgood can read (`{first}`): the volume ID and start time that EC2 gives count",
            counted(gathered.undescribed, "snapshot has", "snapshots have")
        ));
    }
    warnings
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn texts<S: Serializer>(texts: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(texts.iter().map(|text| &**text))
}

#[cfg(test)]
mod tests;
