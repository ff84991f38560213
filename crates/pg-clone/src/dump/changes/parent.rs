//! The earlier dump whose rows are kept where they did not change.

use std::collections::HashMap;
use std::sync::Arc;

use backup_core::catalogue::Backup;
use backup_core::store::StoreRead;

use super::why::WhyAll;
use crate::dump::units::TableSource;
use crate::error::PgResult;
use crate::stored::base::{Base, TableBase};
use crate::stored::detail::TableDump;
use crate::stored::frames::Frames;
use crate::stored::key::DumpKey;
use crate::stored::row_hash::RowHash;
use crate::stored::{list, lists};

/// Most frames of an earlier dump that are looked at, as of those that are known by their contents.
const FRAMES_MAX: u64 = 1024 * 1024;

/// What is known of it.
#[derive(Debug)]
pub(super) struct Parent {
    /// Its key.
    pub(super) key: String,
    pub(super) base: Base,
    tables: HashMap<(String, String), TableDump>,
}

impl Parent {
    /// The newest of `sources`, in which the newest come first, that says from where on changes count.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn read(store: &dyn StoreRead, sources: &[Arc<Backup>]) -> PgResult<Result<Self, WhyAll>> {
        let name = |backup: &Backup| {
            DumpKey::of_manifest(&backup.key).map_or_else(|| backup.key.to_string(), |key| key.to_string())
        };
        let mut first_without = None;
        for source in sources {
            let mut manifest = list::typed(&source.key, source.manifest.clone())?;
            let key = name(source);
            let Some(base) = manifest.detail.base.take() else {
                let why = manifest.detail.reading.and_then(|reading| reading.no_base);
                first_without.get_or_insert(WhyAll::NoBase { parent: key, why });
                continue;
            };
            lists::read_tables(store, &mut manifest).await.map_err(|fault| fault.of(&key))?;
            let frames = manifest.detail.rows().map(|data| data.frames.count()).fold(0, u64::saturating_add);
            if frames > FRAMES_MAX {
                return Ok(Err(WhyAll::TooManyFrames { parent: key }));
            }
            lists::read_frames(store, &mut manifest).await.map_err(|fault| fault.of(&key))?;
            let tables = manifest.detail.tables.into_iter();
            let tables = tables.map(|table| ((table.schema.clone(), table.name.clone()), table)).collect();
            return Ok(Ok(Self { key, base, tables }));
        }
        Ok(Err(first_without.unwrap_or_else(|| WhyAll::NoSource("there is no earlier dump".to_owned()))))
    }

    /// The table of that name, if it says enough of itself.
    pub(super) fn table(&self, source: &TableSource) -> Option<ParentTable<'_>> {
        let dump = self.tables.get(&(source.schema.clone(), source.name.clone()))?;
        Some(ParentTable { base: dump.base.as_ref()?, dump })
    }
}

/// A table of the earlier dump.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParentTable<'a> {
    pub(super) base: &'a TableBase,
    dump: &'a TableDump,
}

impl ParentTable<'_> {
    /// The frames of each of its ranges; nothing if these are not all of its frames, or not all of its rows, or have other
    /// columns than `source`.
    pub(super) fn ranges(self, source: &TableSource) -> Option<Vec<Frames>> {
        if self.dump.columns != source.columns {
            return None;
        }
        let (data, mut at, mut hash) = (&self.dump.data, 0_usize, RowHash::default());
        let mut ranges = Vec::with_capacity(self.base.ranges.len());
        for range in &self.base.ranges {
            let end = usize::try_from(range.frames).ok().and_then(|frames| at.checked_add(frames))?;
            if end > data.frames.len() {
                return None;
            }
            hash.merge(&range.row_hash);
            ranges.push(data.frames.slice(at..end));
            at = end;
        }
        let rows = data.frames.iter().map(|frame| frame.rows).fold(0, u64::saturating_add);
        (at == data.frames.len() && hash == data.row_hash && rows == data.rows).then_some(ranges)
    }
}
