//! Packs: objects of many zstd frames, so that thousands of small tables need few requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use backup_core::key::Key;
use backup_core::manifest::{Codec, Part};
use backup_core::pipeline::{ObjectWriter, Stored, UploadBudget};
use backup_core::store::{PutMode, PutOptions, StoreResult, StoreWrite};
use tokio::task::JoinHandle;

use crate::error::{PgError, PgResult};
use crate::stored::detail::{Frame, ROLE_DATA, ROLE_LARGE_OBJECTS, RowData};
use crate::stored::frame::{EncodedFrame, FrameBytes};
use crate::stored::known_frames::KnownFrame;

/// Stored bytes after which a pack is closed: few objects, and still small units to fetch again when one fails.
const PACK_BYTES: u64 = 48 * 1024 * 1024;

/// Packs that a dump should not have more of: the manifest has some hundred bytes of each, and whoever lists dumps reads them.
/// Those of tables with more than 768 GiB are larger.
const PACKS_MAX: u64 = 16 * 1024;

/// Index in the manifest's `parts` of the first pack; before it comes the schema archive.
pub(crate) const FIRST_PACK_PART: u32 = 1;

/// What frames have for a part, while a dump runs, that lie in the first pack of earlier dumps: which parts those will be is
/// known once all of its own are. No dump has so many.
pub(crate) const KNOWN_PACK_PART: u32 = 1 << 31;

/// Where packs go and which number the next one has, shared by the workers of a dump.
#[derive(Clone, Debug)]
pub(crate) struct PackSpace {
    store: Arc<dyn StoreWrite>,
    dump: Key,
    next: Arc<AtomicU32>,
    budget: UploadBudget,
    /// Stored bytes after which a pack is closed.
    pack_bytes: u64,
}

/// Stored bytes after which a pack is closed in a dump of tables of so many bytes.
pub(crate) fn pack_bytes(table_bytes: u64) -> u64 {
    PACK_BYTES.max(table_bytes.div_ceil(PACKS_MAX))
}

impl PackSpace {
    pub(crate) fn new(store: Arc<dyn StoreWrite>, dump: Key, budget: UploadBudget) -> Self {
        Self { store, dump, next: Arc::new(AtomicU32::new(0)), budget, pack_bytes: PACK_BYTES }
    }

    /// The same for tables of so many bytes.
    pub(crate) fn for_tables(self, table_bytes: u64) -> Self {
        Self { pack_bytes: pack_bytes(table_bytes), ..self }
    }

    pub(crate) fn writer(&self, role: PackRole) -> PackWriter {
        PackWriter { space: self.clone(), role, open: None, closing: None, done: Vec::new() }
    }
}

/// What a pack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackRole {
    Data,
    LargeObjects,
}

impl PackRole {
    fn folder(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::LargeObjects => "lo",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Data => ROLE_DATA,
            Self::LargeObjects => ROLE_LARGE_OBJECTS,
        }
    }
}

/// Writes one worker's packs, one after the other.
///
/// Any of its futures may be dropped; [`PackWriter::abort`] then waits for what cannot be called back.
#[derive(Debug)]
pub(crate) struct PackWriter {
    space: PackSpace,
    role: PackRole,
    open: Option<OpenPack>,
    closing: Option<ClosingPack>,
    done: Vec<WrittenPack>,
}

/// A pack that is stored, whole.
#[derive(Debug)]
pub(crate) struct WrittenPack {
    /// Its place among the packs of the dump.
    pub(crate) number: u32,
    /// What the manifest says of it.
    pub(crate) part: Part,
}

#[derive(Debug)]
struct OpenPack {
    number: u32,
    key: Key,
    writer: ObjectWriter,
    stored_bytes: u64,
    content_bytes: u64,
}

/// A pack becoming visible: a request on its way cannot be called back, and what it makes must be known of.
#[derive(Debug)]
struct ClosingPack {
    number: u32,
    key: Key,
    content_bytes: u64,
    finish: JoinHandle<StoreResult<Stored>>,
}

impl PackWriter {
    /// Notes a frame in `data`, and appends it unless it is stored already.
    pub(crate) async fn append(&mut self, frame: EncodedFrame, data: &mut RowData) -> PgResult<()> {
        let EncodedFrame { bytes, content_sha256, content_bytes, rows, row_hash } = frame;
        data.rows += rows;
        data.row_hash.merge(&row_hash);
        data.content_bytes += content_bytes;
        let (stored, xxh3, blake3) = match bytes {
            FrameBytes::New { stored, xxh3, blake3 } => (stored, xxh3, blake3),
            FrameBytes::Known(KnownFrame { pack, offset, length, xxh3, blake3 }) => {
                let (part, blake3, content_sha256) = (KNOWN_PACK_PART + pack, Some(blake3), Some(content_sha256));
                data.frames.push(Frame { part, offset, length, content_bytes, rows, xxh3, blake3, content_sha256 });
                return Ok(());
            }
        };
        if self.open.as_ref().is_some_and(|pack| pack.stored_bytes >= self.space.pack_bytes) {
            self.close().await?;
        }
        let pack = match &mut self.open {
            Some(pack) => pack,
            none => none.insert(begin(&self.space, self.role)?),
        };
        let length = stored.len() as u64;
        data.frames.push(Frame {
            part: FIRST_PACK_PART + pack.number,
            offset: pack.stored_bytes,
            length,
            content_bytes,
            rows,
            xxh3,
            blake3: Some(blake3),
            content_sha256: Some(content_sha256),
        });
        pack.stored_bytes += length;
        pack.content_bytes += content_bytes;
        pack.writer.write(stored).await?;
        Ok(())
    }

    /// Closes the last pack and returns all that were written, by number.
    pub(crate) async fn finish(&mut self) -> PgResult<Vec<WrittenPack>> {
        self.close().await?;
        Ok(std::mem::take(&mut self.done))
    }

    /// Gives up. Afterwards nothing more of this writer's appears in the store; what had been closed stays there.
    pub(crate) async fn abort(mut self) {
        if let Some(closing) = self.closing.take() {
            // Whether it succeeded is the same to whoever clears away.
            let _ = closing.finish.await;
        }
        if let Some(pack) = self.open.take() {
            // What a store does not free now, `lastgood pg prune --incomplete` frees later.
            let _ = pack.writer.abort().await;
        }
    }

    async fn close(&mut self) -> PgResult<()> {
        if let Some(OpenPack { number, key, writer, content_bytes, .. }) = self.open.take() {
            self.closing = Some(ClosingPack { number, key, content_bytes, finish: tokio::spawn(writer.finish()) });
        }
        let Some(closing) = &mut self.closing else { return Ok(()) };
        let stored = (&mut closing.finish).await;
        let Some(ClosingPack { number, key, content_bytes, .. }) = self.closing.take() else { return Ok(()) };
        let stored =
            stored.map_err(|error| PgError::died(format!("closing `{key}`"), &error, "nothing was published"))??;
        let part = Part {
            key,
            role: self.role.name().to_owned(),
            content_sha256: None,
            content_bytes,
            stored_sha256: stored.sha256,
            stored_bytes: stored.bytes,
            codec: Codec::Zstd,
            offset: None,
            length: None,
        };
        self.done.push(WrittenPack { number, part });
        Ok(())
    }
}

fn begin(space: &PackSpace, role: PackRole) -> PgResult<OpenPack> {
    let number = space.next.fetch_add(1, Ordering::Relaxed);
    let key = space.dump.join(&format!("{}/p{number:05}.pack", role.folder()))?;
    let writer = ObjectWriter::new(
        Arc::clone(&space.store),
        key.clone(),
        PutOptions::new(PutMode::Create),
        space.budget.clone(),
    );
    Ok(OpenPack { number, key, writer, stored_bytes: 0, content_bytes: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_tebibytes_have_no_more_packs_than_a_manifest_has_room_for() {
        const TIB: u64 = 1 << 40;
        assert_eq!(pack_bytes(TIB / 2), PACK_BYTES);
        for tables in [TIB, 2 * TIB, 100 * TIB] {
            let packs = tables.div_ceil(pack_bytes(tables));
            assert!(packs <= PACKS_MAX, "{packs} packs of {tables} bytes that cannot be compressed");
        }
    }
}
