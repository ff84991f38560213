//! Reads the blocks of one segment, packs them, and notes where each is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use backup_core::digest::Sha256Digest;
use backup_core::manifest::Part;
use backup_core::progress::Event;
use backup_core::run::Run;
use backup_core::store::{SharedStore, StoreWrite};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinSet;

use super::frames::{Frame, Frames};
use crate::blocks::fetch::{self, Reads};
use crate::blocks::index::{Place, Segment};
use crate::blocks::key::ExportKey;
use crate::blocks::listing::Listed;
use crate::blocks::pack::{self, Pack, StoredPack};
use crate::blocks::{BLOCK_BYTES, BLOCKS_HELD};
use crate::error::{Ec2Error, Ec2Result};
use crate::ports::direct::Direct;

/// Packs being stored while the next is filled: 64 MiB.
const PACKS_STORING_MAX: usize = 2;

/// A segment in the making.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    store: SharedStore,
    export: ExportKey,
    first: u32,
    segment: Segment,
    /// Where blocks are that are stored.
    known: HashMap<Sha256Digest, Place>,
    /// Further indexes of blocks that are being stored.
    pending: HashMap<Sha256Digest, Vec<u32>>,
    pack: Pack,
    /// Memory of packs that are stored.
    spare: Vec<BytesMut>,
    frames: Frames,
    reads: Reads,
    storing: JoinSet<Ec2Result<StoredPack>>,
    parts: Vec<Part>,
}

impl SegmentWriter {
    /// A segment that begins with the blocks of the export it builds on.
    pub(super) fn new(store: SharedStore, export: ExportKey, first: u32, segment: Segment) -> Self {
        let known = segment.values().map(|place| (place.sha256, place.clone())).collect();
        Self {
            store,
            export,
            first,
            segment,
            known,
            pending: HashMap::new(),
            pack: Pack::default(),
            spare: Vec::new(),
            frames: Frames::default(),
            reads: Reads::default(),
            storing: JoinSet::new(),
            parts: Vec::new(),
        }
    }

    /// Takes over what an interrupted run has stored, and takes it out of what is wanted. A completed snapshot does not
    /// change, so that what was read of it stays true. Returns how many blocks that is.
    pub(super) async fn resume(&mut self, wanted: &mut BTreeMap<u32, String>) -> Ec2Result<u64> {
        let before = wanted.len();
        for found in pack::found(&*self.store, &self.export, self.first).await? {
            let useful = found.places.keys().any(|index| wanted.contains_key(index));
            for (index, place) in found.places {
                self.known.entry(place.sha256).or_insert_with(|| place.clone());
                if wanted.remove(&index).is_some() {
                    self.segment.insert(index, place);
                }
            }
            if useful {
                self.parts.push(found.part);
            }
        }
        Ok((before - wanted.len()) as u64)
    }

    /// Reads and stores what is wanted. If that fails, what was read so far is stored first.
    pub(super) async fn fill(
        &mut self,
        direct: &dyn Direct,
        listed: &Listed,
        wanted: BTreeMap<u32, String>,
        run: &Run,
    ) -> Ec2Result<()> {
        let filled = self.take(direct, listed, wanted, run).await;
        let flushed = self.flush().await;
        filled.and(flushed)
    }

    async fn take(
        &mut self,
        direct: &dyn Direct,
        listed: &Listed,
        wanted: BTreeMap<u32, String>,
        run: &Run,
    ) -> Ec2Result<()> {
        let (mut wanted, work) = (wanted.into_iter(), (self.reads.clone(), self.frames.clone()));
        let mut reading = FuturesUnordered::new();
        let mut failed = None;
        loop {
            while failed.is_none()
                && reading.len() < BLOCKS_HELD
                && let Some((index, token)) = wanted.next()
            {
                reading.push(frame(direct, listed, index, token, &work, run));
            }
            match reading.next().await {
                None => return failed.map_or(Ok(()), Err),
                Some(Ok((index, sha256, frame))) => {
                    self.add(index, sha256, frame.bytes()).await?;
                    run.progress.event(Event::Advance { bytes: BLOCK_BYTES as u64, items: 1 });
                }
                // Whoever stops the run does not wait for more.
                Some(Err(Ec2Error::Interrupted)) => return Err(Ec2Error::Interrupted),
                // What is on its way is waited for: it would be read again otherwise.
                Some(Err(error)) => drop(failed.get_or_insert(error)),
            }
        }
    }

    async fn add(&mut self, index: u32, sha256: Sha256Digest, frame: &[u8]) -> Ec2Result<()> {
        if let Some(place) = self.known.get(&sha256) {
            self.segment.insert(index, place.clone());
            return Ok(());
        }
        if let Some(indexes) = self.pending.get_mut(&sha256) {
            indexes.push(index);
            return Ok(());
        }
        self.pending.insert(sha256, Vec::new());
        self.pack.add(index, sha256, frame);
        if self.pack.is_full() {
            self.send();
            while self.storing.len() >= PACKS_STORING_MAX {
                self.landed().await?;
            }
        }
        Ok(())
    }

    fn send(&mut self) {
        let next = self.spare.pop().map(Pack::within).unwrap_or_default();
        let pack = std::mem::replace(&mut self.pack, next);
        let store: Arc<dyn StoreWrite> = self.store.clone();
        self.storing.spawn(pack.store(store, self.export.clone(), self.first));
    }

    async fn landed(&mut self) -> Ec2Result<()> {
        let Some(stored) = self.storing.join_next().await else { return Ok(()) };
        let StoredPack { part, places, spare } = stored.map_err(fetch::panicked)??;
        self.spare.extend(spare);
        for (index, place) in places {
            for further in self.pending.remove(&place.sha256).unwrap_or_default() {
                self.segment.insert(further, place.clone());
            }
            self.known.insert(place.sha256, place.clone());
            self.segment.insert(index, place);
        }
        self.parts.push(part);
        Ok(())
    }

    async fn flush(&mut self) -> Ec2Result<()> {
        if !self.pack.is_empty() {
            self.send();
        }
        while !self.storing.is_empty() {
            self.landed().await?;
        }
        Ok(())
    }

    /// The segment, and the packs that are new in it.
    pub(super) fn finish(self) -> (Segment, Vec<Part>) {
        (self.segment, self.parts)
    }
}

/// A block as it goes into a pack.
async fn frame(
    direct: &dyn Direct,
    listed: &Listed,
    index: u32,
    token: String,
    (reads, frames): &(Reads, Frames),
    run: &Run,
) -> Ec2Result<(u32, Sha256Digest, Frame)> {
    let frames = frames.clone();
    let compressed = move |bytes: Bytes| frames.compressed(&bytes);
    let (sha256, frame) = fetch::block(direct, listed, (index, &token), compressed, reads, run).await?;
    let path = format!("block {index}");
    let frame = frame.map_err(|source| Ec2Error::Io { action: "compress", path, source })?;
    Ok((index, sha256, frame))
}
