//! Unpacks one frame as its bytes arrive, and says whether it is what the manifest says: the same code for whoever verifies
//! and whoever restores, so that both call the same frames damaged.
//!
//! Memory follows what has arrived, and never what a manifest or a frame claims.

use std::io::{self, Write};

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::units::{self, count, counted, exact_bytes};

use crate::stored::detail::Frame;
use crate::stored::frame_window::FrameWindow;
use crate::stored::row_hash::{HashedRows, RowHash, RowHasher};

/// Largest content of a frame we agree to unpack. A frame holds at least one row, and PostgreSQL's rows end at 1 GiB.
const CONTENT_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Who takes the text of a frame, piece by piece.
pub(crate) trait TakesText {
    /// Takes more; an error ends it.
    fn take(&mut self, text: &[u8]) -> io::Result<()>;
}

/// Nobody wants it.
impl TakesText for () {
    fn take(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// All of it.
impl TakesText for Vec<u8> {
    fn take(&mut self, text: &[u8]) -> io::Result<()> {
        self.extend_from_slice(text);
        Ok(())
    }
}

/// A frame that is what it should be.
pub(crate) struct Content<T> {
    pub(crate) row_hash: RowHash,
    pub(crate) text: T,
}

/// A frame whose bytes are arriving.
pub(crate) struct FrameContent<T: TakesText> {
    content_bytes: u64,
    rows: u64,
    /// What its content must have for a digest, if the manifest says so.
    content_sha256: Option<Sha256Digest>,
    window: FrameWindow,
    decoder: Result<zstd::stream::write::Decoder<'static, Counted<T>>, String>,
}

impl<T: TakesText> FrameContent<T> {
    /// A frame of which nothing has arrived.
    pub(crate) fn new(frame: &Frame, text: T) -> Self {
        let sha256 = frame.content_sha256.map(|_| Sha256Hasher::default());
        let counted = Counted { hasher: RowHasher::default(), sha256, bytes: 0, bytes_max: frame.content_bytes, text };
        let decoder = match fault(frame) {
            None => zstd::stream::write::Decoder::new(counted).map_err(|error| error.to_string()),
            Some(fault) => Err(fault),
        };
        let (content_bytes, rows, content_sha256) = (frame.content_bytes, frame.rows, frame.content_sha256);
        Self { content_bytes, rows, content_sha256, window: FrameWindow::default(), decoder }
    }

    /// Takes more of its stored bytes.
    pub(crate) fn update(&mut self, stored: &[u8]) {
        let Ok(decoder) = &mut self.decoder else { return };
        let taken = match self.window.update(stored) {
            Ok(()) => decoder.write_all(stored).map_err(|error| format!("it cannot be decompressed ({error})")),
            Err(what) => Err(what),
        };
        if let Err(what) = taken {
            self.decoder = Err(what);
        }
    }

    /// What it held, once all of it has arrived; the error says what is wrong.
    pub(crate) fn finish(self) -> Result<Content<T>, String> {
        let decoder = self.decoder?;
        let found = decoder.finish().map_err(|error| format!("it cannot be decompressed ({error})"))?;
        if found.bytes != self.content_bytes {
            let (found, wanted) = (exact_bytes(found.bytes), exact_bytes(self.content_bytes));
            return Err(format!("it has {found} of content instead of {wanted}"));
        }
        // Bytes of an earlier dump may be what that one says of them, and not what was dumped here.
        if found.sha256.map(Sha256Hasher::finish) != self.content_sha256 {
            return Err("its content is not what was dumped: the SHA-256 differs".to_owned());
        }
        let HashedRows { hash, rows } = found.hasher.finish();
        if rows != self.rows {
            return Err(format!("it has {} instead of {}", counted(rows, "row", "rows"), count(self.rows)));
        }
        Ok(Content { row_hash: hash, text: found.text })
    }
}

/// What makes a frame that no dump has.
pub(crate) fn fault(frame: &Frame) -> Option<String> {
    if frame.length == 0 || frame.content_bytes == 0 || frame.rows == 0 {
        return Some("the manifest says that nothing is in it, and no dump has such a frame".to_owned());
    }
    (frame.content_bytes > CONTENT_BYTES_MAX)
        .then(|| format!("{} of content are more than a frame can hold", units::bytes(frame.content_bytes)))
}

/// Text that is counted, hashed and handed on.
struct Counted<T> {
    hasher: RowHasher,
    sha256: Option<Sha256Hasher>,
    bytes: u64,
    bytes_max: u64,
    text: T,
}

impl<T: TakesText> Write for Counted<T> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.bytes += text.len() as u64;
        if self.bytes > self.bytes_max {
            let what = format!("its content is larger than the limit of {}", units::bytes(self.bytes_max));
            return Err(io::Error::other(what));
        }
        self.hasher.update(text);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(text);
        }
        self.text.take(text)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::frame_hash::FrameHash;

    fn frame(stored: &[u8], content_bytes: u64, rows: u64) -> Frame {
        let length = stored.len() as u64;
        Frame {
            part: 1,
            offset: 0,
            length,
            content_bytes,
            rows,
            xxh3: FrameHash::of(stored),
            blake3: None,
            content_sha256: None,
        }
    }

    #[test]
    fn content_that_was_not_dumped_is_refused() {
        let stored = zstd::encode_all(b"a\nb\n".as_slice(), 1).unwrap();
        let unpacked = |dumped: &[u8]| {
            let content_sha256 = Some(Sha256Digest::of(dumped));
            let mut content = FrameContent::new(&Frame { content_sha256, ..frame(&stored, 4, 2) }, Vec::new());
            content.update(&stored);
            content.finish().map(|content| content.text)
        };
        assert_eq!(unpacked(b"a\nb\n").unwrap(), b"a\nb\n");
        assert!(unpacked(b"a\nc\n").unwrap_err().contains("not what was dumped"));
    }

    fn unpacked(stored: &[u8], content_bytes: u64, rows: u64) -> Result<Vec<u8>, String> {
        let mut content = FrameContent::new(&frame(stored, content_bytes, rows), Vec::new());
        stored.chunks(3).for_each(|piece| content.update(piece));
        content.finish().map(|content| content.text)
    }

    #[test]
    fn what_is_in_a_frame_must_be_what_it_says() {
        let stored = zstd::encode_all(b"a\nb\n".as_slice(), 1).unwrap();
        assert_eq!(unpacked(&stored, 4, 2).unwrap(), b"a\nb\n");
        for (bytes, rows, said) in [
            (5, 2, "instead of 5"),
            (3, 2, "limit"),
            (4, 3, "2 rows instead of 3"),
            (0, 0, "nothing"),
            (4, 0, "nothing"),
        ] {
            let error = unpacked(&stored, bytes, rows).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(unpacked(&[], 4, 2).unwrap_err().contains("nothing"));
        assert!(unpacked(&stored[..5], 4, 2).unwrap_err().contains("decompressed"));
        assert!(unpacked(&stored, CONTENT_BYTES_MAX + 1, 2).unwrap_err().contains("more than a frame can hold"));
    }

    #[test]
    fn memory_is_taken_for_what_has_arrived() {
        let stored = zstd::encode_all(b"a\n".as_slice(), 1).unwrap();
        let mut content = FrameContent::new(&frame(&stored, CONTENT_BYTES_MAX, 1), Vec::new());
        content.update(&stored);
        let decoder = content.decoder.as_ref().unwrap();
        assert!(decoder.get_ref().text.capacity() < 1024, "{} bytes", decoder.get_ref().text.capacity());
        assert!(content.finish().is_err());
    }
}
