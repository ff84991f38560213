//! Compares a snapshot with a replica of it, block by block.
//!
//! ListChangedBlocks is of no use here: a copy in another region has a lineage of its own. So both are listed, their indexes
//! compared, and the digests of all blocks or of a sample.

use std::fmt;

use backup_core::digest::Sha256Digest;
use backup_core::progress::Event;
use backup_core::run::Run;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::listing::{self, Blocks, Listed, peeked};
use super::sample::{Draw, Sample, confidence};
use super::{BLOCK_BYTES, IN_FLIGHT, fetch};
use crate::error::{Ec2Error, Ec2Result};
use crate::model::{Region, SnapshotId};
use crate::ports::Fault;
use crate::ports::direct::{Direct, NO_SNAPSHOT};

/// Indexes listed in a report: enough to see where a difference is.
const INDEXES_TOLD_MAX: usize = 16;

/// Pairs of blocks on their way at once.
const PAIRS_IN_FLIGHT: usize = IN_FLIGHT / 2;

/// The share of differing blocks that the statement of confidence is about.
const SHARE_TOLD: f64 = 0.001;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The replica.
    pub replica: SnapshotId,
    /// How many blocks are compared by content.
    pub sample: Sample,
    /// What the sample is drawn by; the same seed draws the same.
    pub seed: u64,
}

/// Indexes of blocks, of which a few are named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<u32>,
}

impl Differences {
    fn add(&mut self, index: u32) {
        self.count += 1;
        if self.first.len() < INDEXES_TOLD_MAX {
            self.first.push(index);
            self.first.sort_unstable();
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerifyReport {
    /// The snapshot, and where it is.
    pub snapshot: SnapshotId,
    /// Its region.
    pub region: Region,
    /// The replica.
    pub replica: SnapshotId,
    /// Its region.
    pub replica_region: Region,
    /// Size of both volumes in GiB.
    pub volume_gib: (u64, u64),
    /// Blocks that both have.
    pub blocks: u64,
    /// Blocks that only the snapshot has.
    pub missing: Differences,
    /// Blocks that only the replica has.
    pub surplus: Differences,
    /// Blocks whose contents were compared.
    pub compared: u64,
    /// Of those, the ones that differ.
    pub differing: Differences,
    /// What the sample was drawn by.
    pub seed: u64,
    /// How probable it is that a difference in 0.1 % of the blocks would have been found, from 0 to 1.
    pub confidence: f64,
}

impl VerifyReport {
    /// Whether no difference was found.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.volume_gib.0 == self.volume_gib.1
            && [&self.missing, &self.surplus, &self.differing].iter().all(|found| found.count == 0)
    }

    /// The report, or as an error that the replica differs.
    ///
    /// # Errors
    /// [`Ec2Error::Differs`].
    pub fn into_result(self) -> Ec2Result<Self> {
        if self.is_equal() { Ok(self) } else { Err(Ec2Error::Differs { what: self.to_string() }) }
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in {} and `{}` in {}", self.snapshot, self.region, self.replica, self.replica_region)?;
        if self.is_equal() {
            return write!(f, " are equal in {} of {} blocks", self.compared, self.blocks);
        }
        let mut found = Vec::new();
        if self.volume_gib.0 != self.volume_gib.1 {
            found.push(format!("{} GiB against {} GiB", self.volume_gib.0, self.volume_gib.1));
        }
        for (what, differences) in
            [("missing", &self.missing), ("surplus", &self.surplus), ("different", &self.differing)]
        {
            if differences.count > 0 {
                let first: Vec<String> = differences.first.iter().map(ToString::to_string).collect();
                found.push(format!("{} {what} blocks (first: {})", differences.count, first.join(", ")));
            }
        }
        write!(f, " differ: {}", found.join("; "))
    }
}

/// One index, and who has it.
enum Seen {
    Missing(u32),
    Surplus(u32),
    Both { index: u32, tokens: (String, String) },
}

/// The size of the volume; a replica is easily looked for in the wrong region.
async fn size(direct: &dyn Direct, snapshot: &SnapshotId, run: &Run) -> Ec2Result<u64> {
    match listing::volume_gib(direct, snapshot, run).await {
        Err(Ec2Error::Refused { source }) if source.fault == Fault::Missing || source.is(NO_SNAPSHOT) => {
            Err(Ec2Error::NotFound { what: format!("complete snapshot `{snapshot}`"), region: direct.name().clone() })
        }
        other => other,
    }
}

/// Compares a snapshot with a replica. Changes nothing.
///
/// # Errors
/// What EBS says. A difference is in the report.
pub async fn verify(
    source: &dyn Direct,
    replica: &dyn Direct,
    options: &VerifyOptions,
    run: &Run,
) -> Ec2Result<VerifyReport> {
    let volume_gib = (size(source, &options.snapshot, run).await?, size(replica, &options.replica, run).await?);
    run.step("ec2.verify", options.snapshot.as_str());
    let mut report = VerifyReport {
        snapshot: options.snapshot.clone(),
        region: source.name().clone(),
        replica: options.replica.clone(),
        replica_region: replica.name().clone(),
        volume_gib,
        blocks: 0,
        missing: Differences::default(),
        surplus: Differences::default(),
        compared: 0,
        differing: Differences::default(),
        seed: options.seed,
        confidence: 0.0,
    };
    let pair = Pair { source, replica, options, run, reads: fetch::Reads::default() };
    let mut draw = Draw::new(options.sample, options.seed);
    let mut seen = pair.seen();
    let mut comparing = stream::FuturesUnordered::new();
    loop {
        while comparing.len() >= PAIRS_IN_FLIGHT {
            report.note(comparing.try_next().await?);
        }
        match seen.try_next().await? {
            None => break,
            Some(Seen::Missing(index)) => report.missing.add(index),
            Some(Seen::Surplus(index)) => report.surplus.add(index),
            Some(Seen::Both { index, tokens }) => {
                report.blocks += 1;
                if let Some((index, tokens)) = draw.offer(index, (index, tokens)) {
                    comparing.push(pair.compare(index, tokens));
                }
            }
        }
    }
    for (index, tokens) in draw.rest() {
        while comparing.len() >= PAIRS_IN_FLIGHT {
            report.note(comparing.try_next().await?);
        }
        comparing.push(pair.compare(index, tokens));
    }
    while let Some(compared) = comparing.try_next().await? {
        report.note(Some(compared));
    }
    drop(comparing);
    report.confidence = confidence(report.blocks, report.compared, SHARE_TOLD);
    Ok(report)
}

impl VerifyReport {
    fn note(&mut self, compared: Option<(u32, bool)>) {
        let Some((index, equal)) = compared else { return };
        self.compared += 1;
        if !equal {
            self.differing.add(index);
        }
    }
}

struct Pair<'a> {
    source: &'a dyn Direct,
    replica: &'a dyn Direct,
    options: &'a VerifyOptions,
    run: &'a Run,
    reads: fetch::Reads,
}

impl<'a> Pair<'a> {
    /// Both listings as one, in order.
    fn seen(&self) -> BoxStream<'a, Ec2Result<Seen>> {
        let list = |direct: &'a dyn Direct, id: &SnapshotId| {
            listing::blocks(direct, Listed::All(id.clone()), 0, self.run).peekable()
        };
        let both = (list(self.source, &self.options.snapshot), list(self.replica, &self.options.replica));
        stream::try_unfold(both, async |(mut a, mut b)| {
            let next = next_of(&mut a, &mut b).await?;
            Ok::<_, Ec2Error>(next.map(|seen| (seen, (a, b))))
        })
        .boxed()
    }

    /// Whether the block is the same in both.
    async fn compare(&self, index: u32, (own, other): (String, String)) -> Ec2Result<(u32, bool)> {
        let (a, b) = futures_util::future::try_join(
            self.digest(self.source, &self.options.snapshot, index, &own),
            self.digest(self.replica, &self.options.replica, index, &other),
        )
        .await?;
        self.run.progress.event(Event::Advance { bytes: BLOCK_BYTES as u64, items: 1 });
        Ok((index, a == b))
    }

    async fn digest(
        &self,
        direct: &dyn Direct,
        snapshot: &SnapshotId,
        index: u32,
        token: &str,
    ) -> Ec2Result<Sha256Digest> {
        let listed = Listed::All(snapshot.clone());
        Ok(fetch::block(direct, &listed, (index, token), drop, &self.reads, self.run).await?.0)
    }
}

async fn next_of(a: &mut Blocks<'_>, b: &mut Blocks<'_>) -> Ec2Result<Option<Seen>> {
    let indexes = (peeked(a).await?, peeked(b).await?);
    let (has_a, has_b) = match indexes {
        (None, None) => return Ok(None),
        (Some(a), Some(b)) => (a <= b, b <= a),
        (a, _) => (a.is_some(), a.is_none()),
    };
    let own = if has_a { a.try_next().await? } else { None };
    let other = if has_b { b.try_next().await? } else { None };
    Ok(match (own, other) {
        (Some(own), Some(other)) => {
            let tokens = (own.token.unwrap_or_default(), other.token.unwrap_or_default());
            Some(Seen::Both { index: own.index, tokens })
        }
        (Some(own), None) => Some(Seen::Missing(own.index)),
        (None, Some(other)) => Some(Seen::Surplus(other.index)),
        (None, None) => None,
    })
}
