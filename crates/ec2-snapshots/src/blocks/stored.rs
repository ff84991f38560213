//! Exports as they are stored: found, and read.

use std::collections::BTreeMap;

use backup_core::catalogue;
use backup_core::error::CoreError;
use backup_core::key::Key;
use backup_core::manifest::{Manifest, Part};
use backup_core::pipeline::read_part;
use backup_core::store::{SharedStore, StoreRead};
use backup_core::{FormatError, StoreError};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::index::{self, INDEX_STORED_MAX, Place, SEGMENT_BLOCKS, Segment};
use super::key::{ExportKey, FOLDER, region_folder};
use super::{BLOCKS_PER_GIB, pack};
use crate::error::{Ec2Error, Ec2Result};
use crate::model::{Region, SnapshotId, VolumeId};

/// Packs read at once while blocks are read: with what is unpacked of them they occupy about 128 MiB.
const PACKS_IN_FLIGHT: usize = 2;

/// What an export's manifest says beside what every manifest does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportDetail {
    /// The region of the snapshot.
    pub region: Region,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its volume, as far as anything says.
    pub volume: VolumeId,
    /// Size of the volume in GiB.
    pub volume_gib: u64,
    /// When EC2 began the snapshot.
    pub start_time: Timestamp,
    /// Whether it was encrypted; what is exported is not.
    pub encrypted: bool,
    /// The snapshot's description.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// How many blocks it has.
    pub blocks: u64,
    /// How many of them were read for this export; the others are those of the one it builds on.
    pub read: u64,
    /// The export it builds on, of which it needs packs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub builds_on: Option<SnapshotId>,
    /// The index of each segment, by the segment's first block.
    pub segments: BTreeMap<u32, Key>,
}

/// A published export.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where it is.
    pub key: ExportKey,
    /// Its manifest.
    pub manifest: Manifest<ExportDetail>,
}

/// The blocks of one place after the other, with every index at which it stands.
type Wanted = BTreeMap<(u64, u32), (Place, Vec<u32>)>;

impl Stored {
    /// The export at `key`, if it is published.
    ///
    /// # Errors
    /// What the store says; a manifest that cannot be read.
    pub async fn find(store: &dyn StoreRead, key: &ExportKey) -> Ec2Result<Option<Self>> {
        match catalogue::read(store, &key.manifest()?).await {
            Ok(manifest) => Ok(Some(Self::of(key.clone(), manifest)?)),
            Err(CoreError::Store(error)) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The export at `key`.
    ///
    /// # Errors
    /// [`Ec2Error::NoExport`]; as [`Stored::find`].
    pub async fn open(store: &dyn StoreRead, key: &ExportKey) -> Ec2Result<Self> {
        let missing = || Ec2Error::NoExport { what: key.to_string(), location: store.describe() };
        Self::find(store, key).await?.ok_or_else(missing)
    }

    /// The export that `name` means: `REGION/SNAPSHOT`, or a snapshot that was exported from one region only.
    ///
    /// # Errors
    /// [`Ec2Error::NoExport`]; [`Ec2Error::Usage`] for one of several regions; as [`Stored::find`].
    pub async fn named(store: &dyn StoreRead, name: &str) -> Ec2Result<Self> {
        if let Some((region, snapshot)) = name.split_once('/') {
            return Self::open(store, &ExportKey { region: region.parse()?, snapshot: SnapshotId::new(snapshot) })
                .await;
        }
        let mut found = Vec::new();
        for folder in store.list_children(FOLDER).await? {
            let Ok(region) = folder.trim_end_matches('/').parse() else { continue };
            found.extend(Self::find(store, &ExportKey { region, snapshot: SnapshotId::new(name) }).await?);
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Ec2Error::NoExport { what: name.to_owned(), location: store.describe() }),
            _ => {
                let names: Vec<String> = found.iter().map(|stored| format!("`{}`", stored.key)).collect();
                Err(Ec2Error::usage(
                    format!("`{name}` was exported from several regions"),
                    format!("write {}", names.join(" or ")),
                ))
            }
        }
    }

    /// All published exports of a region that can be read.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(store: &dyn StoreRead, region: &Region) -> Ec2Result<Vec<Self>> {
        let entries = catalogue::list(store, &region_folder(region)).await?;
        let stored = entries.into_iter().filter_map(|entry| {
            let key = ExportKey::of(&entry.key)?;
            Self::of(key, entry.manifest.ok()?).ok()
        });
        Ok(stored.collect())
    }

    fn of(key: ExportKey, manifest: Manifest) -> Ec2Result<Self> {
        let at = key.manifest()?;
        let invalid = |what: String| FormatError::Invalid { key: at.to_string(), what };
        let detail: ExportDetail =
            serde_json::from_value(manifest.detail.clone()).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { key, manifest: manifest.with_detail(detail) })
    }

    /// What it says of itself.
    #[must_use]
    pub fn detail(&self) -> &ExportDetail {
        &self.manifest.detail
    }

    /// Bytes of the volume.
    #[must_use]
    pub fn volume_bytes(&self) -> u64 {
        self.detail().volume_gib << 30
    }

    /// The first blocks of all segments that the volume has.
    pub(super) fn segments(&self) -> impl Iterator<Item = u32> + use<> {
        segments(self.detail().volume_gib)
    }

    pub(super) fn part(&self, key: &Key) -> Option<&Part> {
        self.manifest.parts.iter().find(|part| part.key == *key)
    }

    /// The index of the segment that begins at `first`; empty if the volume ends before.
    pub(super) async fn segment(&self, store: &dyn StoreRead, first: u32) -> Ec2Result<Segment> {
        let Some(key) = self.detail().segments.get(&first) else { return Ok(Segment::new()) };
        let part = self.part(key).ok_or_else(|| {
            let what = format!("it does not list `{key}`, which it needs");
            FormatError::Invalid { key: self.key.to_string(), what }
        })?;
        let bytes = read_part(store, part, INDEX_STORED_MAX).await?;
        index::read(key, first, &bytes)
    }
}

/// The first blocks of the segments of a volume.
pub(super) fn segments(volume_gib: u64) -> impl Iterator<Item = u32> + use<> {
    let blocks = volume_gib * BLOCKS_PER_GIB;
    (0..blocks.div_ceil(u64::from(SEGMENT_BLOCKS))).filter_map(|n| u32::try_from(n * u64::from(SEGMENT_BLOCKS)).ok())
}

/// The blocks of a segment for which `wanted` is true, with every index at which each stands, verified. In no order.
pub(super) fn read<'a>(
    store: &'a SharedStore,
    segment: &Segment,
    wanted: impl Fn(u32, &Place) -> bool,
) -> BoxStream<'a, Ec2Result<(Vec<u32>, Bytes)>> {
    let mut packs: BTreeMap<Key, Wanted> = BTreeMap::new();
    for (index, place) in segment.iter().filter(|(index, place)| wanted(**index, place)) {
        let pack = packs.entry(place.pack.clone()).or_default();
        let entry = pack.entry((place.offset, place.length)).or_insert_with(|| (place.clone(), Vec::new()));
        entry.1.push(*index);
    }
    stream::iter(packs)
        .map(move |(key, wanted)| from_pack(store.clone(), key, wanted))
        .buffer_unordered(PACKS_IN_FLIGHT)
        .map_ok(|blocks| stream::iter(blocks.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

/// The wanted blocks of one pack: by reading all of it, or each alone where they are few.
async fn from_pack(store: SharedStore, key: Key, wanted: Wanted) -> Ec2Result<Vec<(Vec<u32>, Bytes)>> {
    let mut frames = Vec::new();
    if wanted.len() * 4 >= pack::PACK_BLOCKS {
        let whole = pack::read(&*store, &key).await?;
        for (place, indexes) in wanted.into_values() {
            let begin = usize::try_from(place.offset).unwrap_or(usize::MAX);
            let end = begin.saturating_add(place.length as usize);
            if end > whole.len() {
                return Err(damaged(&key, &indexes, "its frame ends past the pack".to_owned()));
            }
            frames.push((place, indexes, whole.slice(begin..end)));
        }
    } else {
        for (place, indexes) in wanted.into_values() {
            let range = place.offset..place.offset + u64::from(place.length);
            let pieces: Vec<Bytes> = store.get(&key, Some(range)).await?.try_collect().await?;
            frames.push((place, indexes, pieces.concat().into()));
        }
    }
    let unpacking = tokio::task::spawn_blocking(move || {
        let unpack = |(place, indexes, frame): (Place, Vec<u32>, Bytes)| match index::unpack(&place, &frame) {
            Ok(block) => Ok((indexes, Bytes::from(block))),
            Err(what) => Err(damaged(&key, &indexes, what)),
        };
        frames.into_iter().map(unpack).collect()
    });
    unpacking.await.map_err(super::fetch::panicked)?
}

fn damaged(key: &Key, indexes: &[u32], what: String) -> Ec2Error {
    let index = indexes.first().copied().unwrap_or_default();
    StoreError::Damaged { key: key.to_string(), what: format!("block {index}: {what}") }.into()
}
