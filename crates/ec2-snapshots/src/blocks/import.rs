//! Imports an export as a new snapshot: all of its blocks, or those in which it differs from a parent that EC2 still has.

use std::collections::BTreeMap;
use std::time::Duration;

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::progress::Event;
use backup_core::run::Run;
use backup_core::store::{SharedStore, StoreRead};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::export::readable;
use super::index::{Place, Segment};
use super::key::ExportKey;
use super::stored::{self, Stored};
use super::{BLOCK_BYTES, IN_FLIGHT};
use crate::ask;
use crate::description::Description;
use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::model::{SnapshotId, Tags};
use crate::ports::direct::{Direct, NO_SNAPSHOT, StartSnapshot};
use crate::ports::{CallError, Ec2, Fault};

/// Minutes without a block after which EBS gives a snapshot up ("Timeout", EBS direct APIs reference, "StartSnapshot").
pub const TIMEOUT_MINUTES: std::ops::RangeInclusive<u32> = 10..=4320;

/// The tag that says which export a snapshot was imported from, so that it can be a parent later.
pub const IMPORTED_TAG: &str = "lastgood:imported";

/// How long a new snapshot may be unknown to EBS: up to two minutes (awslabs/coldsnap #43), and some more.
const UNKNOWN_MAX: Duration = Duration::from_secs(150);

/// Between two looks whether it is known.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(2);

/// What is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOptions {
    /// The snapshot in EC2 whose blocks the new one begins with, and the export that has the same blocks.
    pub parent: Option<SnapshotId>,
    /// Whether the new snapshot is encrypted; a child is as its parent is.
    pub encrypted: bool,
    /// The key's ARN.
    pub kms_key: Option<String>,
    /// Up to 255 characters; that of the exported snapshot without it.
    pub description: Option<String>,
    /// Minutes without a block after which EBS gives it up.
    pub timeout_minutes: u32,
}

/// What an import would do.
#[derive(Clone, Debug, Serialize)]
pub struct ImportPlan {
    /// The export.
    #[serde(skip)]
    pub stored: Stored,
    /// The snapshot it builds on, and the export with the same blocks.
    #[serde(skip)]
    pub parent: Option<(SnapshotId, Stored)>,
    /// Blocks that are to be written.
    pub write: u64,
    /// Of those, blocks that the parent has and the export has not: they are written with zeros, because a block cannot be
    /// taken away from a parent's.
    pub zeroed: u64,
    #[serde(skip)]
    request: StartSnapshot,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// The new snapshot.
    pub snapshot: SnapshotId,
    /// Blocks written.
    pub written: u64,
}

/// The export that has the same blocks as the snapshot `id` of EC2: its own, or the one that it was imported from.
///
/// # Errors
/// [`Ec2Error::NotFound`], [`Ec2Error::NotFinished`] or [`Ec2Error::Broken`] for a snapshot that can be no parent;
/// [`Ec2Error::NoExport`]; what EC2 or the store says.
pub async fn imported_export(ec2: &dyn Ec2, store: &dyn StoreRead, id: &SnapshotId, run: &Run) -> Ec2Result<Stored> {
    let snapshot = readable(ec2, id, run).await?;
    match snapshot.tags.filled(IMPORTED_TAG) {
        Some(export) => Stored::named(store, export).await,
        None => Stored::open(store, &ExportKey { region: snapshot.region, snapshot: snapshot.id }).await,
    }
}

/// What is to be written at an index: a block of the export, or zeros.
enum Change {
    Put,
    Zero,
}

/// Finds out what an import would do; `parent` is the export with the blocks of the parent in EC2. Changes nothing.
///
/// # Errors
/// [`Ec2Error::Usage`] for options that do not go together; what the store says.
pub async fn plan_import(
    store: &SharedStore,
    stored: Stored,
    parent: Option<Stored>,
    options: &ImportOptions,
) -> Ec2Result<ImportPlan> {
    check(options, &stored, parent.as_ref())?;
    let (mut write, mut zeroed) = (0, 0);
    for first in stored.segments() {
        for change in changes(store, &stored, parent.as_ref(), first).await?.1.into_values() {
            write += 1;
            zeroed += u64::from(matches!(change, Change::Zero));
        }
    }
    let detail = stored.detail();
    let request = StartSnapshot {
        volume_gib: detail.volume_gib,
        parent: options.parent.clone(),
        description: options.description.clone().unwrap_or_else(|| detail.description.clone()),
        tags: tags(&stored),
        encrypted: options.encrypted,
        kms_key: options.kms_key.clone(),
        timeout_minutes: options.timeout_minutes,
        client_token: uuid::Uuid::now_v7().to_string(),
    };
    let parent = options.parent.clone().zip(parent);
    Ok(ImportPlan { stored, parent, write, zeroed, request })
}

/// Which export it is, and the lineage of that: EC2 gives the new snapshot an arbitrary volume ID and the time of now.
fn tags(stored: &Stored) -> Tags {
    let detail = stored.detail();
    let described = Description::read(&detail.description).unwrap_or_default();
    let tag = |name: &str| detail.tags.get(name).filter(|value| !value.is_empty()).cloned();
    let mut tags = Tags::new().with(IMPORTED_TAG, stored.key.to_string());
    if detail.volume.is_known() {
        tags.set(lineage::SRC_VOLUME, detail.volume.as_str());
        let region = described.region.or_else(|| tag(lineage::SRC_REGION));
        tags.set(lineage::SRC_REGION, region.unwrap_or_else(|| detail.region.to_string()));
    }
    let time = described.time.map(|time| time.to_string()).or_else(|| tag(lineage::TIME));
    tags.set(lineage::TIME, time.unwrap_or_else(|| detail.start_time.to_string()));
    if let Some(device) = tag(lineage::DEVICE) {
        tags.set(lineage::DEVICE, device);
    }
    tags
}

fn check(options: &ImportOptions, stored: &Stored, parent: Option<&Stored>) -> Ec2Result<()> {
    if options.parent.is_some() && (options.encrypted || options.kms_key.is_some()) {
        return Err(Ec2Error::usage(
            "a parent and encryption cannot be asked for together: a child is encrypted as its parent is",
            "leave one of them out, or use an encrypted copy of the parent",
        ));
    }
    if options.kms_key.is_some() && !options.encrypted {
        return Err(Ec2Error::usage("a key is of use only for an encrypted snapshot", "ask for encryption too"));
    }
    if !TIMEOUT_MINUTES.contains(&options.timeout_minutes) {
        let what = format!("EBS does not wait {} minutes for a block", options.timeout_minutes);
        return Err(Ec2Error::usage(what, "choose 10 to 4320 minutes"));
    }
    match parent {
        Some(parent) if parent.detail().volume_gib > stored.detail().volume_gib => Err(Ec2Error::usage(
            format!("the parent has {} GiB, more than the export", parent.detail().volume_gib),
            "import without a parent",
        )),
        _ => Ok(()),
    }
}

/// What differs between an export and its parent in one segment.
async fn changes(
    store: &SharedStore,
    stored: &Stored,
    parent: Option<&Stored>,
    first: u32,
) -> Ec2Result<(Segment, BTreeMap<u32, Change>)> {
    let own = stored.segment(&**store, first).await?;
    let before = match parent {
        Some(parent) => parent.segment(&**store, first).await?,
        None => Segment::new(),
    };
    let mut changes: BTreeMap<u32, Change> =
        before.keys().filter(|index| !own.contains_key(index)).map(|index| (*index, Change::Zero)).collect();
    let differs = |(index, place): &(&u32, &Place)| before.get(index).is_none_or(|old| old.sha256 != place.sha256);
    changes.extend(own.iter().filter(differs).map(|(index, _)| (*index, Change::Put)));
    Ok((own, changes))
}

/// Does what the plan says: begins a snapshot, writes its blocks, and completes it.
///
/// # Errors
/// What EBS or the store says. A snapshot that was begun and not completed ends in the state `error` when its timeout is
/// over.
pub async fn import(direct: &dyn Direct, store: &SharedStore, plan: &ImportPlan, run: &Run) -> Ec2Result<ImportReport> {
    run.step("ec2.import", &plan.stored.key.to_string());
    run.progress.event(Event::Total { bytes: plan.write * BLOCK_BYTES as u64, items: plan.write });
    // The client token makes the request the same one, however often it is sent.
    let about = plan.stored.key.to_string();
    let id = ask::again(run, &about, || direct.start(&plan.request)).await?;
    let importing = Importing { direct, run, id: &id, begun: std::time::Instant::now() };
    let zeros = Bytes::from(vec![0; BLOCK_BYTES]);
    let (mut linear, mut written) = (Sha256Hasher::default(), 0);
    for first in plan.stored.segments() {
        let parent = plan.parent.as_ref().map(|(_, stored)| stored);
        let (segment, changes) = changes(store, &plan.stored, parent, first).await?;
        let zero_digest = Sha256Digest::of(&zeros);
        for (index, change) in &changes {
            let digest = match (change, segment.get(index)) {
                (Change::Put, Some(place)) => &place.sha256,
                _ => &zero_digest,
            };
            linear.update(digest.as_bytes());
        }
        written += changes.len() as u64;
        let zeroed: Vec<u32> =
            changes.iter().filter(|(_, change)| matches!(change, Change::Zero)).map(|(index, _)| *index).collect();
        let put = stored::read(store, &segment, |index, _| matches!(changes.get(&index), Some(Change::Put)));
        let all = put.chain(stream::iter((!zeroed.is_empty()).then(|| Ok((zeroed, zeros.clone())))));
        importing.write(all).await?;
    }
    let count = u32::try_from(written).map_err(|_| Ec2Error::Damaged { what: "too many blocks".to_owned() })?;
    importing.complete(count, &linear.finish()).await?;
    Ok(ImportReport { snapshot: id, written })
}

struct Importing<'a> {
    direct: &'a dyn Direct,
    run: &'a Run,
    id: &'a SnapshotId,
    begun: std::time::Instant,
}

impl Importing<'_> {
    async fn write(&self, blocks: impl stream::Stream<Item = Ec2Result<(Vec<u32>, Bytes)>>) -> Ec2Result<()> {
        blocks
            .map_ok(|(indexes, bytes)| {
                let sha256 = Sha256Digest::of(&bytes);
                stream::iter(indexes.into_iter().map(move |index| Ok((index, bytes.clone(), sha256))))
            })
            .try_flatten()
            .try_for_each_concurrent(IN_FLIGHT, async |(index, bytes, sha256)| {
                self.put(index, bytes, sha256).await?;
                self.run.progress.event(Event::Advance { bytes: BLOCK_BYTES as u64, items: 1 });
                Ok(())
            })
            .await
    }

    /// Writes a block. A snapshot that was just begun "does not exist" for a while.
    async fn put(&self, index: u32, bytes: Bytes, sha256: Sha256Digest) -> Ec2Result<()> {
        let about = format!("block {index} of {}", self.id);
        loop {
            self.run.stop_if_cancelled()?;
            let put = ask::again(self.run, &about, || self.direct.put(self.id, index, bytes.clone(), &sha256)).await;
            match put {
                Err(Ec2Error::Refused { source }) if self.may_come(&source) => {
                    let pause = async {
                        tokio::time::sleep(UNKNOWN_PAUSE).await;
                        Ok::<_, Ec2Error>(())
                    };
                    self.run.or_cancelled(pause).await?;
                }
                other => return other,
            }
        }
    }

    fn may_come(&self, error: &CallError) -> bool {
        let unknown = error.fault == Fault::Missing || error.is(NO_SNAPSHOT);
        unknown && self.begun.elapsed() < UNKNOWN_MAX
    }

    /// Completes the snapshot. Where the answer is lost, a second request is refused because the first was carried out: the
    /// snapshot can be listed then, or will be soon, and what it has is what was written.
    async fn complete(&self, count: u32, linear: &Sha256Digest) -> Ec2Result<()> {
        let lost = std::sync::atomic::AtomicBool::new(false);
        let order = std::sync::atomic::Ordering::Relaxed;
        let request = || async {
            let result = self.direct.complete(self.id, count, linear).await;
            result.inspect_err(|error| {
                lost.fetch_or(error.is_ambiguous(), order);
            })
        };
        match ask::again(self.run, self.id.as_str(), request).await {
            Err(Ec2Error::Refused { .. }) if lost.load(order) => Ok(()),
            other => other,
        }
    }
}
