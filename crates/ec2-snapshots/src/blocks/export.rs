//! Exports a snapshot to a location: all of it, or what changed since an earlier export.

mod frames;
mod plan;
mod segment;

use std::collections::BTreeMap;

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::{Codec, Kind, Manifest, Part};
use backup_core::probe;
use backup_core::progress::Event;
use backup_core::prune::{release, reserve};
use backup_core::run::Run;
use backup_core::source::Identity;
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreWrite as _};
use backup_core::{FormatError, catalogue};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

pub use self::plan::{ExportPlan, Parent, plan_export, readable};
use self::segment::SegmentWriter;
use super::BLOCK_BYTES;
use super::index::{self, SEGMENT_BLOCKS, Segment};
use super::key::{pointer, region_folder};
use super::listing::{self, Blocks, peeked};
use super::stored::{ExportDetail, segments};
use crate::error::Ec2Result;
use crate::ports::direct::Direct;

/// The configuration in an export's manifest: there is one way to make it.
const CONFIG: &str = "export";

/// The role of indexes in a manifest.
const INDEX_ROLE: &str = "index";

/// What an export did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// `REGION/SNAPSHOT`.
    pub export: String,
    /// Whether it had been published before, so that nothing was read.
    pub existed: bool,
    /// Blocks of the snapshot.
    pub blocks: u64,
    /// Blocks read from EBS by this run.
    pub read: u64,
    /// Blocks that an interrupted run had stored.
    pub resumed: u64,
    /// Bytes of new packs.
    pub stored_bytes: u64,
}

/// Does what the plan says. A run that fails or is stopped keeps the blocks that it has read, and the next one goes on.
///
/// # Errors
/// What EBS or the store says; [`crate::Ec2Error::Damaged`] for a block that does not come as it should.
pub async fn export(direct: &dyn Direct, store: &SharedStore, plan: &ExportPlan, run: &Run) -> Ec2Result<ExportReport> {
    let report = ExportReport {
        export: plan.key.to_string(),
        existed: plan.existing.is_some(),
        blocks: plan.existing.as_ref().map_or(0, |existing| existing.detail().blocks),
        read: 0,
        resumed: 0,
        stored_bytes: 0,
    };
    if plan.existing.is_some() {
        return Ok(report);
    }
    probe::require(&**store).await?;
    run.step("ec2.export", plan.key.snapshot.as_str());
    run.progress.event(Event::Total { bytes: plan.read * BLOCK_BYTES as u64, items: plan.read });
    let started_at = run.clock.now();
    let mut exporting = Exporting { direct, store, plan, run, parts: BTreeMap::new(), places: BTreeMap::new(), report };
    let mut changes = listing::blocks(direct, plan.listed.clone(), 0, run).peekable();
    for first in segments(plan.volume_gib) {
        exporting.segment(first, &mut changes).await?;
    }
    exporting.publish(started_at).await
}

struct Exporting<'a> {
    direct: &'a dyn Direct,
    store: &'a SharedStore,
    plan: &'a ExportPlan,
    run: &'a Run,
    parts: BTreeMap<Key, Part>,
    /// The indexes of all segments.
    places: BTreeMap<u32, Key>,
    report: ExportReport,
}

impl Exporting<'_> {
    /// Exports the blocks from `first` on that belong to one segment.
    async fn segment(&mut self, first: u32, changes: &mut Blocks<'_>) -> Ec2Result<()> {
        let end = u64::from(first) + u64::from(SEGMENT_BLOCKS);
        let mut segment = match &self.plan.parent {
            Some(parent) => parent.segment(&**self.store, first).await?,
            None => Segment::new(),
        };
        let mut wanted = BTreeMap::new();
        while peeked(changes).await?.is_some_and(|index| u64::from(index) < end) {
            let Some(block) = changes.try_next().await? else { break };
            match block.token {
                Some(token) => drop(wanted.insert(block.index, token)),
                None => drop(segment.remove(&block.index)),
            }
        }
        let mut writer = SegmentWriter::new(self.store.clone(), self.plan.key.clone(), first, segment);
        self.report.resumed += writer.resume(&mut wanted).await?;
        self.report.read += wanted.len() as u64;
        writer.fill(self.direct, &self.plan.listed, wanted, self.run).await?;
        let (segment, parts) = writer.finish();
        self.report.blocks += segment.len() as u64;
        self.report.stored_bytes += parts.iter().map(|part| part.stored_bytes).sum::<u64>();
        self.parts.extend(parts.into_iter().map(|part| (part.key.clone(), part)));
        self.take_parents_parts(&segment);
        if !segment.is_empty() {
            self.store_index(first, &segment).await?;
        }
        Ok(())
    }

    /// The packs of earlier exports that the segment needs belong to this one too.
    fn take_parents_parts(&mut self, segment: &Segment) {
        let Some(parent) = &self.plan.parent else { return };
        for place in segment.values() {
            if !self.parts.contains_key(&place.pack)
                && let Some(part) = parent.part(&place.pack)
            {
                self.parts.insert(place.pack.clone(), part.clone());
            }
        }
    }

    async fn store_index(&mut self, first: u32, segment: &Segment) -> Ec2Result<()> {
        let bytes = index::write(first, segment)?;
        let sha256 = Sha256Digest::of(&bytes);
        let key = self.plan.key.index(first, &sha256)?;
        let part = Part {
            key: key.clone(),
            role: INDEX_ROLE.to_owned(),
            content_sha256: None,
            content_bytes: 0,
            stored_sha256: sha256,
            stored_bytes: bytes.len() as u64,
            codec: Codec::Zstd,
            offset: None,
            length: None,
        };
        match self.store.put(&key, bytes, &PutOptions::new(PutMode::Create)).await {
            Err(backup_core::StoreError::AlreadyExists { .. }) => {}
            other => other?,
        }
        self.parts.insert(key.clone(), part);
        self.places.insert(first, key);
        Ok(())
    }

    async fn publish(self, started_at: jiff::Timestamp) -> Ec2Result<ExportReport> {
        let Self { store, plan, run, parts, places, report, .. } = self;
        run.stop_if_cancelled()?;
        run.step("ec2.export.publish", plan.key.snapshot.as_str());
        let manifest_key = plan.key.manifest()?;
        let pointer = pointer(&plan.key.region, &plan.volume)?;
        if let Some(parent) = &plan.parent {
            let own = plan.key.folder();
            let shared: Vec<Key> = parts.keys().filter(|key| !key.as_str().starts_with(&own)).cloned().collect();
            reserve(&**store, &manifest_key, &shared, &[parent.key.manifest()?]).await?;
        }
        let sequence = catalogue::next_sequence(&**store, &region_folder(&plan.key.region), &pointer).await?;
        let snapshot = &plan.snapshot;
        let blocks_bytes = report.blocks * BLOCK_BYTES as u64;
        let identity = format!("ebs:{}:{}:{}", snapshot.owner, plan.key.region, plan.volume);
        let detail = ExportDetail {
            region: plan.key.region.clone(),
            snapshot: plan.key.snapshot.clone(),
            volume: plan.volume.clone(),
            volume_gib: plan.volume_gib,
            start_time: snapshot.start_time,
            encrypted: snapshot.encrypted,
            description: snapshot.description.clone(),
            tags: snapshot.tags.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            blocks: report.blocks,
            read: report.read + report.resumed,
            builds_on: plan.parent.as_ref().map(|parent| parent.key.snapshot.clone()),
            segments: places,
        };
        let detail = serde_json::to_value(detail)
            .map_err(|error| FormatError::Invalid { key: manifest_key.to_string(), what: error.to_string() })?;
        let mut manifest = Manifest::new(Kind::Ec2, plan.volume.to_string(), started_at, detail);
        manifest.identity = Some(Identity { id: identity, host: plan.key.region.to_string() });
        CONFIG.clone_into(&mut manifest.config);
        manifest.created_at = snapshot.start_time;
        manifest.sequence = sequence;
        manifest.complete = Some(true);
        manifest.parts = parts.into_values().collect();
        manifest.counts = [("blocks", report.blocks), ("bytes", blocks_bytes)].map(|(n, v)| (n.to_owned(), v)).into();
        let published = catalogue::publish(&**store, &manifest_key, &manifest, &pointer).await?;
        // The manifest says from now on what it refers to.
        if plan.parent.is_some()
            && let Err(fault) = release(&**store, &manifest_key).await
        {
            run.warn(format!(
                "a reservation could not be taken back, so that a prune keeps more than it need: {fault}"
            ));
        }
        if let Some(fault) = published.pointer_fault {
            run.warn(format!("the hint at the newest export could not be moved: {fault}"));
        }
        Ok(report)
    }
}
