//! Writes lists, one after the other: only the one that is being written is in memory as text.

use std::sync::Arc;

use backup_core::FormatError;
use backup_core::key::Key;
use backup_core::manifest::{Codec, Part};
use backup_core::pipeline::{ObjectWriter, UploadBudget};
use backup_core::store::{PutMode, PutOptions, StoreWrite};
use serde::Serialize;

use super::{LIST_FRAMES, LIST_TEXT_BYTES, Line};
use crate::error::{PgError, PgResult};
use crate::stored::detail::{DumpDetail, ListedFrames, Lists, ROLE_FRAME_LIST, ROLE_TABLE_LIST};
use crate::stored::frames::Frames;

/// Level of zstd: digests cannot be compressed, and what else there is can at any level.
const COMPRESSION_LEVEL: i32 = 3;

/// Where lists go.
#[derive(Clone, Debug)]
pub(crate) struct ListSpace {
    pub(super) store: Arc<dyn StoreWrite>,
    /// The folder of the dump.
    pub(super) dump: Key,
    /// Frames in a list.
    pub(super) list_frames: usize,
}

impl ListSpace {
    /// In the folder `dump`.
    pub(crate) fn new(store: Arc<dyn StoreWrite>, dump: Key) -> Self {
        Self { store, dump, list_frames: LIST_FRAMES }
    }
}

/// Whether `detail` takes more than `limit` bytes of a manifest.
///
/// # Errors
/// [`PgError::Format`] if it does not serialize.
pub(crate) fn is_larger(detail: &DumpDetail, limit: u64) -> PgResult<bool> {
    match serde_json::to_writer(Counted { bytes: 0, limit }, detail) {
        Ok(()) => Ok(false),
        Err(error) if error.is_io() => Ok(true),
        Err(error) => Err(invalid("manifest.json", &error)),
    }
}

/// Moves tables, sequences and frames from `detail` to lists, and returns the parts that these are.
///
/// # Errors
/// What the store says.
pub(crate) async fn write(space: &ListSpace, detail: &mut DumpDetail) -> PgResult<Vec<Part>> {
    let mut lists = Lists::default();
    let frames: Vec<Frames> = detail.rows().map(|data| data.frames.clone()).collect();
    if let Some(objects) = &mut detail.large_objects {
        for (data, listed) in [(&mut objects.metadata, &mut lists.metadata), (&mut objects.slices, &mut lists.slices)] {
            let (frames, stored_bytes) = (data.frames.count(), data.frames.stored_bytes());
            *listed = ListedFrames { frames, stored_bytes };
            data.frames.clear();
        }
    }
    let (tables, sequences) = (std::mem::take(&mut detail.tables), std::mem::take(&mut detail.sequences));
    let mut writer = ListWriter::new(space, ROLE_TABLE_LIST, 't', usize::MAX);
    for table in tables {
        writer.add(&Line::Table(table.into())).await?;
    }
    for sequence in sequences {
        writer.add(&Line::Sequence(sequence)).await?;
    }
    let (mut parts, lines) = writer.finish().await?;
    lists.tables = lines;
    let mut writer = ListWriter::new(space, ROLE_FRAME_LIST, 'f', space.list_frames);
    for frame in frames.iter().flatten() {
        writer.add(frame).await?;
    }
    let (more, lines) = writer.finish().await?;
    lists.frames = lines;
    parts.extend(more);
    detail.lists = Some(lists);
    Ok(parts)
}

/// Writes the lists of one role.
struct ListWriter<'a> {
    space: &'a ListSpace,
    role: &'static str,
    /// How their names begin.
    letter: char,
    lines_max: usize,
    text: Vec<u8>,
    lines: usize,
    parts: Vec<Part>,
    /// Lines of each.
    counts: Vec<u64>,
}

impl<'a> ListWriter<'a> {
    fn new(space: &'a ListSpace, role: &'static str, letter: char, lines_max: usize) -> Self {
        let (text, parts, counts) = (Vec::new(), Vec::new(), Vec::new());
        Self { space, role, letter, lines_max, text, lines: 0, parts, counts }
    }

    async fn add<T: Serialize>(&mut self, line: &T) -> PgResult<()> {
        serde_json::to_writer(&mut self.text, line).map_err(|error| invalid(self.role, &error))?;
        self.text.push(b'\n');
        self.lines += 1;
        // Frames are found by counting: their lists are as long as each other.
        let is_full = match self.lines_max {
            usize::MAX => self.text.len() >= LIST_TEXT_BYTES,
            lines_max => self.lines >= lines_max,
        };
        if is_full { self.close().await } else { Ok(()) }
    }

    async fn close(&mut self) -> PgResult<()> {
        if self.lines == 0 {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        let (lines, content_bytes) = (std::mem::take(&mut self.lines) as u64, text.len() as u64);
        let key = self.space.dump.join(&format!("lists/{}{:05}.jsonl.zst", self.letter, self.parts.len()))?;
        let compressed = tokio::task::spawn_blocking(move || zstd::bulk::compress(&text, COMPRESSION_LEVEL)).await;
        let compressed = compressed
            .map_err(|error| PgError::died(format!("compressing `{key}`"), &error, "nothing was published"))?;
        let compressed = compressed.map_err(|error| {
            PgError::internal(format!("compressing `{key}` failed: {error}"), "nothing was published")
        })?;
        let (store, options) = (Arc::clone(&self.space.store), PutOptions::new(PutMode::Create));
        let mut writer = ObjectWriter::new(store, key.clone(), options, UploadBudget::default());
        writer.write(compressed.into()).await?;
        let stored = writer.finish().await?;
        let part = stored.whole(key, self.role);
        self.parts.push(Part { content_sha256: None, content_bytes, codec: Codec::Zstd, ..part });
        self.counts.push(lines);
        Ok(())
    }

    async fn finish(mut self) -> PgResult<(Vec<Part>, Vec<u64>)> {
        self.close().await?;
        Ok((self.parts, self.counts))
    }
}

/// Counts bytes, and fails once there are too many.
struct Counted {
    bytes: u64,
    limit: u64,
}

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.limit { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn invalid(what: &str, error: &serde_json::Error) -> PgError {
    FormatError::Invalid { key: what.to_owned(), what: error.to_string() }.into()
}
