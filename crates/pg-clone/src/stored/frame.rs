//! COPY text into zstd frames: hashed and compressed piece by piece, while it is still in the processor's cache.

use bytes::Bytes;
use zstd::zstd_safe::{CParameter, ParamSwitch};

use crate::error::{PgError, PgResult};
use crate::stored::frame_digest::{FrameDigest, FrameDigester};
use crate::stored::frame_hash::FrameHash;
use crate::stored::row_hash::RowHash;

/// Bytes of COPY text that are listed, fetched and loaded as one: few enough to be unpacked in memory, many enough that
/// the manifest stays small.
pub(crate) const FRAME_CONTENT_BYTES: usize = 4 * 1024 * 1024;

/// Bytes hashed and compressed at once, into a zstd frame of their own. They fit a core's second-level cache, where whole
/// frames of 4 MiB took a tenth longer, and keep a thread from its other tasks for a few milliseconds at most.
const PIECE_BYTES: usize = 1024 * 1024;

/// A finished frame, not yet stored.
#[derive(Debug)]
pub(crate) struct CompressedFrame {
    pub(crate) stored: Bytes,
    pub(crate) xxh3: FrameHash,
    pub(crate) blake3: FrameDigest,
    pub(crate) content_bytes: u64,
    pub(crate) rows: u64,
    pub(crate) row_hash: RowHash,
}

/// Turns rows into frames.
pub(crate) struct FrameEncoder {
    context: zstd::bulk::Compressor<'static>,
    /// Whole rows, not yet compressed.
    pending: Vec<u8>,
    /// Where a piece is compressed to; kept for its memory.
    piece: Vec<u8>,
    /// The frame so far.
    stored: Vec<u8>,
    /// Its digest so far.
    digester: FrameDigester,
    content_bytes: usize,
    rows: u64,
    row_hash: RowHash,
}

impl std::fmt::Debug for FrameEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameEncoder").field("content_bytes", &self.content_bytes).finish_non_exhaustive()
    }
}

impl FrameEncoder {
    pub(crate) fn new(level: i32) -> PgResult<Self> {
        Ok(Self {
            context: new_context(level).map_err(|error| failed(&error))?,
            pending: Vec::with_capacity(PIECE_BYTES),
            piece: Vec::with_capacity(zstd::zstd_safe::compress_bound(PIECE_BYTES)),
            stored: Vec::new(),
            digester: FrameDigester::default(),
            content_bytes: 0,
            rows: 0,
            row_hash: RowHash::default(),
        })
    }

    /// Takes whole rows; returns the frame they no longer had room in.
    pub(crate) async fn push(&mut self, rows: &[u8]) -> PgResult<Option<CompressedFrame>> {
        let held = self.content_bytes + self.pending.len();
        let full = if held > 0 && held + rows.len() > FRAME_CONTENT_BYTES { self.finish()? } else { None };
        if self.pending.len() + rows.len() > PIECE_BYTES {
            self.compress_pending()?;
        }
        if rows.len() > PIECE_BYTES {
            self.compress_long(rows).await?;
        } else {
            self.pending.extend_from_slice(rows);
        }
        Ok(full)
    }

    /// Ends the frame, if rows are in it. The encoder can be used again.
    pub(crate) fn finish(&mut self) -> PgResult<Option<CompressedFrame>> {
        self.compress_pending()?;
        if self.content_bytes == 0 {
            return Ok(None);
        }
        let mut stored = std::mem::take(&mut self.stored);
        stored.shrink_to_fit();
        Ok(Some(CompressedFrame {
            xxh3: FrameHash::of(&stored),
            blake3: self.digester.finish(),
            stored: stored.into(),
            content_bytes: std::mem::take(&mut self.content_bytes) as u64,
            rows: std::mem::take(&mut self.rows),
            row_hash: std::mem::take(&mut self.row_hash),
        }))
    }

    fn compress_pending(&mut self) -> PgResult<()> {
        let mut pending = std::mem::take(&mut self.pending);
        self.rows += self.row_hash.add_lines(&pending);
        self.compress(&pending)?;
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    /// A row of megabytes is not copied first, and lets other tasks run now and then.
    async fn compress_long(&mut self, rows: &[u8]) -> PgResult<()> {
        self.rows += self.row_hash.add_lines(rows);
        for piece in rows.chunks(PIECE_BYTES) {
            self.compress(piece)?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn compress(&mut self, content: &[u8]) -> PgResult<()> {
        if content.is_empty() {
            return Ok(());
        }
        self.context.compress_to_buffer(content, &mut self.piece).map_err(|error| failed(&error))?;
        self.digester.update(&self.piece);
        self.stored.extend_from_slice(&self.piece);
        self.content_bytes += content.len();
        Ok(())
    }
}

/// Level 1 looks at every fifth position instead of every second, in a table twice as large as zstd's own choice, and
/// codes its literals: a few per cent less time, nearly as small, on the rows of `cargo xtask bench pg`. Higher levels are as
/// zstd defines them. No level adds zstd's own checksum: the manifest has hashes of what is stored and of every row, and
/// a fourth one took 3 % of a dump's time.
fn new_context(level: i32) -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut context = zstd::bulk::Compressor::new(level)?;
    if level == 1 {
        context.set_parameter(CParameter::HashLog(15))?;
        context.set_parameter(CParameter::TargetLength(4))?;
        context.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Enable))?;
    }
    Ok(context)
}

fn failed(error: &std::io::Error) -> PgError {
    PgError::Refused {
        what: format!("compressing rows failed: {error}"),
        help: "this is unexpected: please report it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Packs `rows` and checks every frame against what went in.
    fn pack(rows: &[Vec<u8>], level: i32) -> Vec<CompressedFrame> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut encoder = FrameEncoder::new(level).unwrap();
        let frames: Vec<CompressedFrame> = runtime.block_on(async {
            let mut frames = Vec::new();
            for row in rows {
                frames.extend(encoder.push(row).await.unwrap());
            }
            frames.extend(encoder.finish().unwrap());
            frames
        });
        let mut whole = Vec::new();
        for frame in &frames {
            let content = zstd::bulk::decompress(&frame.stored, usize::try_from(frame.content_bytes).unwrap()).unwrap();
            assert_eq!(content.len() as u64, frame.content_bytes);
            assert!(content.ends_with(b"\n"), "a frame holds whole rows");
            let mut hash = RowHash::default();
            assert_eq!(hash.add_lines(&content), frame.rows);
            assert_eq!(hash, frame.row_hash);
            assert_eq!(FrameHash::of(&frame.stored), frame.xxh3);
            assert_eq!(FrameDigest::of(&frame.stored), frame.blake3);
            whole.extend(content);
        }
        assert_eq!(whole, rows.concat());
        assert!(encoder.finish().unwrap().is_none(), "nothing is left behind");
        frames
    }

    fn row(bytes: usize) -> Vec<u8> {
        let mut row: Vec<u8> = (0..bytes - 1).map(|at| b'a' + (at * at % 23) as u8).collect();
        row.push(b'\n');
        row
    }

    #[test]
    fn rows_fill_frames_and_a_row_larger_than_one_has_its_own() {
        let frames = pack(&vec![row(1_000); 10_000], 1);
        assert_eq!(frames.len(), 3);
        assert!(frames.iter().all(|frame| frame.content_bytes <= FRAME_CONTENT_BYTES as u64));
        let sizes = [10, 9 * 1024 * 1024, 20, PIECE_BYTES, PIECE_BYTES + 1, 30];
        let frames = pack(&sizes.map(row), 3);
        assert_eq!(frames.iter().map(|frame| frame.rows).collect::<Vec<_>>(), [1, 1, 4]);
        assert!(pack(&[], 1).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rows_of_any_size_come_back(sizes in prop::collection::vec(prop_oneof![1..300_usize, 200_000..3_000_000_usize], 0..12), level in 1..4) {
            pack(&sizes.into_iter().map(row).collect::<Vec<_>>(), level);
        }
    }
}
