//! Checks and unpacks frames.

use std::io;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::stored::detail::Frame;
use crate::stored::frame_content::{Content, FrameContent, TakesText};
use crate::stored::row_hash::RowHash;

/// Text handed on at once: few enough to wait for the server in memory, many enough that each costs nothing.
const PIECE_BYTES: usize = 1024 * 1024;

/// Stored bytes unpacked at once.
const STORED_BYTES: usize = 128 * 1024;

/// Rows of a frame, and their hash.
pub(crate) struct Unpacked {
    pub(crate) rows: Bytes,
    pub(crate) hash: RowHash,
}

/// Checks a frame's digest and unpacks it, on a thread where that may take a while.
pub(super) async fn unpack(stored: Bytes, frame: Frame) -> Result<Bytes, String> {
    let unpacked = tokio::task::spawn_blocking(move || unpack_now(&stored, &frame));
    Ok(unpacked.await.map_err(|error| error.to_string())??.rows)
}

/// Checks a frame's digest and unpacks it.
pub(crate) fn unpack_now(stored: &[u8], frame: &Frame) -> Result<Unpacked, String> {
    let Content { row_hash, text } = content(stored, frame, Vec::new())?;
    Ok(Unpacked { rows: text.into(), hash: row_hash })
}

/// Checks a frame's digest and hands its rows on in pieces, on a thread where that may take a while; returns their hash.
/// Only at the end it is known whether all of it is right: whoever takes the pieces must be able to undo them. If nobody
/// takes them, there is no hash.
pub(super) async fn unpack_to(
    stored: Bytes,
    frame: Frame,
    sender: mpsc::Sender<Bytes>,
) -> Result<Option<RowHash>, String> {
    let unpacked = tokio::task::spawn_blocking(move || {
        let unpacked = content(&stored, &frame, Pieces::of(&frame, &sender));
        match unpacked {
            Ok(mut content) => Ok(content.text.send().is_ok().then_some(content.row_hash)),
            Err(_) if sender.is_closed() => Ok(None),
            Err(what) => Err(what),
        }
    });
    unpacked.await.map_err(|error| error.to_string())?
}

fn content<T: TakesText>(stored: &[u8], frame: &Frame, text: T) -> Result<Content<T>, String> {
    if !frame.is_same(stored) {
        return Err("its digest differs".to_owned());
    }
    let mut content = FrameContent::new(frame, text);
    stored.chunks(STORED_BYTES).for_each(|piece| content.update(piece));
    content.finish()
}

/// Hands text on.
struct Pieces {
    sender: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
    /// Bytes to make room for.
    room: usize,
}

impl Pieces {
    fn of(frame: &Frame, sender: &mpsc::Sender<Bytes>) -> Self {
        let room = usize::try_from(frame.content_bytes).map_or(PIECE_BYTES, |bytes| bytes.min(PIECE_BYTES));
        Self { sender: sender.clone(), piece: Vec::new(), room }
    }

    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.sender.blocking_send(piece.into()).map_err(|_| io::Error::other("nobody takes the rows any more"))
    }
}

impl TakesText for Pieces {
    fn take(&mut self, text: &[u8]) -> io::Result<()> {
        if self.piece.len() + text.len() > PIECE_BYTES {
            self.send()?;
        }
        if self.piece.is_empty() {
            self.piece.reserve(self.room);
        }
        self.piece.extend_from_slice(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::frame_hash::FrameHash;

    fn frame(content: &[u8]) -> (Bytes, Frame) {
        let stored = zstd::encode_all(content, 1).unwrap();
        let (length, content_bytes) = (stored.len() as u64, content.len() as u64);
        let rows = content.iter().filter(|byte| **byte == b'\n').count() as u64;
        let xxh3 = FrameHash::of(&stored);
        (
            stored.into(),
            Frame { part: 0, offset: 0, length, content_bytes, rows, xxh3, blake3: None, content_sha256: None },
        )
    }

    #[tokio::test]
    async fn pieces_are_the_whole_and_a_damaged_frame_is_told_at_its_end() {
        let content = b"0123456789abcde\n".repeat(3 * PIECE_BYTES / 16);
        let (stored, frame) = frame(&content);
        let whole = unpack_now(&stored, &frame).unwrap();
        let (sender, mut pieces) = mpsc::channel(1);
        let unpacking = tokio::spawn(unpack_to(stored.clone(), frame.clone(), sender));
        let mut taken = Vec::new();
        while let Some(piece) = pieces.recv().await {
            assert!(piece.len() <= PIECE_BYTES);
            taken.extend_from_slice(&piece);
        }
        assert_eq!(unpacking.await.unwrap().unwrap(), Some(whole.hash));
        assert!(taken == content && whole.rows == content);

        let (sender, mut pieces) = mpsc::channel(8);
        let wrong = Frame { rows: frame.rows + 1, ..frame.clone() };
        assert!(unpack_to(stored.clone(), wrong, sender).await.unwrap_err().contains("rows instead of"));
        pieces.close();
        let (sender, closed) = mpsc::channel(1);
        drop(closed);
        assert_eq!(unpack_to(stored, frame, sender).await.unwrap(), None);
    }
}
