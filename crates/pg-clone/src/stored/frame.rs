//! COPY text into zstd frames: hashed and compressed piece by piece, while it is still in the processor's cache. Where frames
//! of earlier dumps are known, a frame is compressed only if it is none of those.

use std::sync::Arc;

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use bytes::Bytes;
use zstd::zstd_safe::{CParameter, ParamSwitch};

use crate::error::{PgError, PgResult};
use crate::stored::frame_cut::{FRAME_CONTENT_BYTES, ends_after};
use crate::stored::frame_digest::{FrameDigest, FrameDigester};
use crate::stored::frame_hash::FrameHash;
use crate::stored::known_frames::{ContentOf, KnownFrame, KnownFrames};
use crate::stored::row_hash::RowHash;

/// Bytes hashed and compressed at once, into a zstd frame of their own. They fit a core's second-level cache, where whole
/// frames of 4 MiB took a tenth longer, and keep a thread from its other tasks for a few milliseconds at most.
const PIECE_BYTES: usize = 1024 * 1024;

/// A finished frame.
#[derive(Debug)]
pub(crate) struct EncodedFrame {
    pub(crate) bytes: FrameBytes,
    pub(crate) content_sha256: Sha256Digest,
    pub(crate) content_bytes: u64,
    pub(crate) rows: u64,
    pub(crate) row_hash: RowHash,
}

/// What is stored of a frame.
#[derive(Debug)]
pub(crate) enum FrameBytes {
    /// These bytes, which are not stored yet.
    New { stored: Bytes, xxh3: FrameHash, blake3: FrameDigest },
    /// What an earlier dump has stored.
    Known(KnownFrame),
}

/// Turns rows into frames.
pub(crate) struct FrameEncoder {
    context: zstd::bulk::Compressor<'static>,
    /// Frames of earlier dumps, if there are any.
    known: Option<Arc<KnownFrames>>,
    /// Whole rows, neither hashed nor compressed.
    pending: Vec<u8>,
    /// Where a piece is compressed to; kept for its memory.
    piece: Vec<u8>,
    /// The frame so far.
    stored: Vec<u8>,
    /// Its digest so far.
    digester: FrameDigester,
    /// The digest of its content so far.
    content: Sha256Hasher,
    /// Bytes of its content that are hashed.
    content_bytes: usize,
    /// The frame of an earlier dump that it is.
    found: Option<KnownFrame>,
    rows: u64,
    row_hash: RowHash,
    /// Whether the last row ends it.
    ends: bool,
}

impl std::fmt::Debug for FrameEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameEncoder").field("content_bytes", &self.content_bytes).finish_non_exhaustive()
    }
}

impl FrameEncoder {
    pub(crate) fn new(level: i32, known: Option<Arc<KnownFrames>>) -> PgResult<Self> {
        let pending_bytes = if known.is_some() { FRAME_CONTENT_BYTES } else { PIECE_BYTES };
        Ok(Self {
            context: new_context(level).map_err(|error| failed(&error))?,
            known,
            pending: Vec::with_capacity(pending_bytes),
            piece: Vec::with_capacity(zstd::zstd_safe::compress_bound(PIECE_BYTES)),
            stored: Vec::new(),
            digester: FrameDigester::default(),
            content: Sha256Hasher::default(),
            content_bytes: 0,
            found: None,
            rows: 0,
            row_hash: RowHash::default(),
            ends: false,
        })
    }

    /// Takes whole rows; returns the frame they no longer had room in, or that the rows before had ended.
    pub(crate) async fn push(&mut self, rows: &[u8]) -> PgResult<Option<EncodedFrame>> {
        let held = self.held();
        let is_full = held > 0 && (self.ends || held + rows.len() > FRAME_CONTENT_BYTES);
        let full = if is_full { self.finish().await? } else { None };
        let (count, last_hash) = self.row_hash.add_rows(rows);
        self.rows += count;
        if self.known.is_none() {
            if self.pending.len() + rows.len() > PIECE_BYTES {
                self.compress_pending()?;
            }
            if rows.len() > PIECE_BYTES {
                self.compress_long(rows).await?;
            } else {
                self.pending.extend_from_slice(rows);
            }
        } else if rows.len() > FRAME_CONTENT_BYTES {
            // A frame by itself.
            self.look_up(rows).await?;
        } else {
            self.pending.extend_from_slice(rows);
        }
        self.ends = ends_after(self.held(), rows.len(), last_hash);
        Ok(full)
    }

    fn held(&self) -> usize {
        self.content_bytes + self.pending.len()
    }

    /// Ends the frame, if rows are in it. The encoder can be used again.
    pub(crate) async fn finish(&mut self) -> PgResult<Option<EncodedFrame>> {
        if self.known.is_none() {
            self.compress_pending()?;
        } else if !self.pending.is_empty() {
            let mut content = std::mem::take(&mut self.pending);
            self.look_up(&content).await?;
            content.clear();
            self.pending = content;
        }
        if self.content_bytes == 0 {
            return Ok(None);
        }
        let bytes = match self.found.take() {
            Some(known) => FrameBytes::Known(known),
            None => {
                let mut stored = std::mem::take(&mut self.stored);
                stored.shrink_to_fit();
                FrameBytes::New { xxh3: FrameHash::of(&stored), blake3: self.digester.finish(), stored: stored.into() }
            }
        };
        self.ends = false;
        Ok(Some(EncodedFrame {
            bytes,
            content_sha256: std::mem::take(&mut self.content).finish(),
            content_bytes: std::mem::take(&mut self.content_bytes) as u64,
            rows: std::mem::take(&mut self.rows),
            row_hash: std::mem::take(&mut self.row_hash),
        }))
    }

    /// Hashes the whole content of a frame, and compresses it if no earlier dump has it.
    async fn look_up(&mut self, content: &[u8]) -> PgResult<()> {
        for piece in content.chunks(PIECE_BYTES) {
            self.content.update(piece);
            tokio::task::yield_now().await;
        }
        self.content_bytes = content.len();
        let wanted = ContentOf { sha256: self.content.clone().finish(), bytes: content.len() as u64, rows: self.rows };
        self.found = self.known.as_ref().and_then(|known| known.take(&wanted));
        if self.found.is_none() {
            for piece in content.chunks(PIECE_BYTES) {
                self.compress(piece)?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn compress_pending(&mut self) -> PgResult<()> {
        let mut pending = std::mem::take(&mut self.pending);
        self.hash_and_compress(&pending)?;
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    /// A row of megabytes is not copied first, and lets other tasks run now and then.
    async fn compress_long(&mut self, rows: &[u8]) -> PgResult<()> {
        for piece in rows.chunks(PIECE_BYTES) {
            self.hash_and_compress(piece)?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn hash_and_compress(&mut self, content: &[u8]) -> PgResult<()> {
        if content.is_empty() {
            return Ok(());
        }
        self.content.update(content);
        self.content_bytes += content.len();
        self.compress(content)
    }

    fn compress(&mut self, content: &[u8]) -> PgResult<()> {
        self.context.compress_to_buffer(content, &mut self.piece).map_err(|error| failed(&error))?;
        self.digester.update(&self.piece);
        self.stored.extend_from_slice(&self.piece);
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
    PgError::internal(format!("compressing rows failed: {error}"), "nothing was published")
}

#[cfg(test)]
mod tests {
    use backup_core::manifest::{Codec, Part};
    use proptest::prelude::*;

    use super::*;
    use crate::stored::detail::{Frame, ROLE_DATA};

    fn encode(rows: &[Vec<u8>], level: i32, known: Option<Arc<KnownFrames>>) -> Vec<EncodedFrame> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut encoder = FrameEncoder::new(level, known).unwrap();
        runtime.block_on(async {
            let mut frames = Vec::new();
            for row in rows {
                frames.extend(encoder.push(row).await.unwrap());
            }
            frames.extend(encoder.finish().await.unwrap());
            assert!(encoder.finish().await.unwrap().is_none(), "nothing is left behind");
            frames
        })
    }

    /// The pack that these frames are stored in, and what is known of it.
    fn known(frames: &[EncodedFrame]) -> KnownFrames {
        let stored_bytes = 1 << 40;
        let part = Part {
            key: "pg/shop/a/data/p0.pack".parse().unwrap(),
            role: ROLE_DATA.to_owned(),
            content_sha256: None,
            content_bytes: stored_bytes,
            stored_sha256: Sha256Digest::of(b""),
            stored_bytes,
            codec: Codec::Zstd,
            offset: None,
            length: None,
        };
        let mut known = KnownFrames::default();
        let place = known.add_pack(&part).unwrap();
        let mut offset = 0;
        for frame in frames {
            let FrameBytes::New { stored, xxh3, blake3 } = &frame.bytes else { continue };
            let (length, content_bytes, rows) = (stored.len() as u64, frame.content_bytes, frame.rows);
            let (xxh3, blake3, content_sha256) = (*xxh3, Some(*blake3), Some(frame.content_sha256));
            known.add(place, &Frame { part: 1, offset, length, content_bytes, rows, xxh3, blake3, content_sha256 });
            offset += length;
        }
        known
    }

    fn stored(frame: &EncodedFrame) -> Option<&Bytes> {
        match &frame.bytes {
            FrameBytes::New { stored, .. } => Some(stored),
            FrameBytes::Known(_) => None,
        }
    }

    /// Packs `rows` and checks every frame against what went in.
    fn pack(rows: &[Vec<u8>], level: i32) -> Vec<EncodedFrame> {
        let frames = encode(rows, level, None);
        let mut whole = Vec::new();
        for frame in &frames {
            let FrameBytes::New { stored, xxh3, blake3 } = &frame.bytes else { panic!("nothing was known") };
            let content = zstd::bulk::decompress(stored, usize::try_from(frame.content_bytes).unwrap()).unwrap();
            assert_eq!(Sha256Digest::of(&content), frame.content_sha256);
            assert_eq!(content.len() as u64, frame.content_bytes);
            assert!(content.ends_with(b"\n"), "a frame holds whole rows");
            let mut hash = RowHash::default();
            assert_eq!(hash.add_lines(&content), frame.rows);
            assert_eq!(hash, frame.row_hash);
            assert_eq!((FrameHash::of(stored), FrameDigest::of(stored)), (*xxh3, *blake3));
            whole.extend(content);
        }
        assert_eq!(whole, rows.concat());
        again(rows, &frames);
        frames
    }

    /// The same rows are the same frames, and where these are known nothing is compressed; others are cut as if nothing were.
    fn again(rows: &[Vec<u8>], frames: &[EncodedFrame]) {
        let essence = |frames: &[EncodedFrame]| -> Vec<_> {
            frames.iter().map(|f| (f.content_sha256, f.content_bytes, f.rows, f.row_hash)).collect()
        };
        let again = encode(rows, 2, Some(Arc::new(known(frames))));
        assert_eq!(essence(&again), essence(frames));
        assert!(again.iter().all(|frame| stored(frame).is_none()));
        let apart = encode(rows, 2, Some(Arc::new(KnownFrames::default())));
        assert_eq!(essence(&apart), essence(frames));
        for frame in &apart {
            let bytes = stored(frame).unwrap();
            let content = zstd::bulk::decompress(bytes, usize::try_from(frame.content_bytes).unwrap()).unwrap();
            assert_eq!(Sha256Digest::of(&content), frame.content_sha256);
        }
    }

    fn row(bytes: usize) -> Vec<u8> {
        let mut row: Vec<u8> = (0..bytes - 1).map(|at| b'a' + (at * at % 23) as u8).collect();
        row.push(b'\n');
        row
    }

    #[test]
    fn rows_fill_frames_and_a_row_larger_than_one_has_its_own() {
        let frames = pack(&vec![row(1_000); 10_000], 1);
        assert!((3..=4).contains(&frames.len()));
        assert!(frames.iter().all(|frame| frame.content_bytes <= FRAME_CONTENT_BYTES as u64));
        let sizes = [10, 9 * 1024 * 1024, 20, PIECE_BYTES, PIECE_BYTES + 1, 30];
        let frames = pack(&sizes.map(row), 3);
        assert_eq!(frames.iter().map(|frame| frame.rows).collect::<Vec<_>>(), [1, 1, 4], "a long row ends its frame");
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
