//! COPY text into independent zstd frames: buffered, hashed and compressed off the task that reads the socket.

use bytes::Bytes;
use tokio::task::JoinHandle;
use zstd::zstd_safe::{CParameter, ParamSwitch};

use crate::error::{PgError, PgResult};
use crate::frame_hash::FrameHash;
use crate::row_hash::RowHash;

/// Bytes of COPY text in a frame. Large enough that independent frames cost less than 1 % in size, small enough that a
/// worker needs only a few of them in memory (postgres.md 2.5 measured 4 MiB).
pub(crate) const FRAME_CONTENT_BYTES: usize = 4 * 1024 * 1024;

/// A finished frame, not yet stored.
#[derive(Debug)]
pub(crate) struct CompressedFrame {
    pub(crate) stored: Bytes,
    pub(crate) xxh3: FrameHash,
    pub(crate) content_bytes: u64,
    pub(crate) rows: u64,
    pub(crate) row_hash: RowHash,
}

/// Turns rows into frames, one frame being compressed while the next is filled.
pub(crate) struct FrameEncoder {
    level: i32,
    buffer: Vec<u8>,
    /// What the last compression gave back: its buffer and context are used again.
    spare: Option<(Vec<u8>, zstd::bulk::Compressor<'static>)>,
    busy: Option<JoinHandle<std::io::Result<Compression>>>,
}

struct Compression {
    frame: CompressedFrame,
    buffer: Vec<u8>,
    context: zstd::bulk::Compressor<'static>,
}

impl std::fmt::Debug for FrameEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameEncoder").field("level", &self.level).field("buffered", &self.buffer.len()).finish()
    }
}

impl FrameEncoder {
    pub(crate) fn new(level: i32) -> Self {
        Self { level, buffer: Vec::with_capacity(FRAME_CONTENT_BYTES), spare: None, busy: None }
    }

    /// Whether another `rows` bytes would begin a new frame.
    pub(crate) fn is_full_for(&self, rows: usize) -> bool {
        !self.buffer.is_empty() && self.buffer.len() + rows > FRAME_CONTENT_BYTES
    }

    /// Takes whole rows that fit ([`FrameEncoder::is_full_for`]) without a detour through the scheduler.
    pub(crate) fn push_now(&mut self, rows: &[u8]) {
        self.buffer.extend_from_slice(rows);
    }

    /// Starts compressing what is buffered; returns the frame that was being compressed before.
    pub(crate) async fn rotate(&mut self) -> PgResult<Option<CompressedFrame>> {
        let finished = self.take_busy().await?;
        if self.buffer.is_empty() {
            return Ok(finished);
        }
        let (spare_buffer, context) = match self.spare.take() {
            Some((buffer, context)) => (buffer, Some(context)),
            None => (Vec::with_capacity(FRAME_CONTENT_BYTES), None),
        };
        let content = std::mem::replace(&mut self.buffer, spare_buffer);
        let level = self.level;
        self.busy = Some(tokio::task::spawn_blocking(move || compress(content, context, level)));
        Ok(finished)
    }

    /// The frames not yet handed out, oldest first. The encoder can be used again.
    pub(crate) async fn flush(&mut self) -> PgResult<Vec<CompressedFrame>> {
        let mut frames: Vec<_> = self.rotate().await?.into_iter().collect();
        frames.extend(self.take_busy().await?);
        Ok(frames)
    }

    async fn take_busy(&mut self) -> PgResult<Option<CompressedFrame>> {
        let Some(busy) = self.busy.take() else { return Ok(None) };
        let failed = |what: String| PgError::Refused {
            what: format!("compressing rows failed: {what}"),
            help: "this is unexpected: please report it".to_owned(),
        };
        let done = busy.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
        self.spare = Some((done.buffer, done.context));
        Ok(Some(done.frame))
    }
}

/// Level 1 looks at every third position instead of every second, and still codes its literals: 10 % less time for 1 %
/// more bytes, measured on the rows of `cargo xtask bench pg`. Higher levels are as zstd defines them.
fn new_context(level: i32) -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut context = zstd::bulk::Compressor::new(level)?;
    context.include_checksum(true)?;
    if level == 1 {
        context.set_parameter(CParameter::TargetLength(2))?;
        context.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Enable))?;
    }
    Ok(context)
}

fn compress(
    mut content: Vec<u8>,
    context: Option<zstd::bulk::Compressor<'static>>,
    level: i32,
) -> std::io::Result<Compression> {
    let mut context = match context {
        Some(context) => context,
        None => new_context(level)?,
    };
    let mut row_hash = RowHash::default();
    let rows = row_hash.add_lines(&content);
    let stored = context.compress(&content)?;
    let frame = CompressedFrame {
        xxh3: FrameHash::of(&stored),
        content_bytes: content.len() as u64,
        rows,
        row_hash,
        stored: stored.into(),
    };
    content.clear();
    // A row far larger than a frame must not keep its memory for the rest of the run.
    content.shrink_to(FRAME_CONTENT_BYTES);
    Ok(Compression { frame, buffer: content, context })
}
