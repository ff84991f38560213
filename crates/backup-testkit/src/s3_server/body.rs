//! Bodies of objects, in memory or in files that are deleted with them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use futures::channel::mpsc;
use futures::{SinkExt, Stream, StreamExt};
use s3s::dto::StreamingBlob;
use sha2::{Digest, Sha256};

/// Bytes read from a file, or kept before they are written to one, at a time.
const PIECE_BYTES: usize = 1024 * 1024;

/// Pieces on their way to a client that reads slowly.
const PIECES_AHEAD: usize = 2;

/// A body: the parts of an upload stay as they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
pub(super) struct Segment {
    data: Data,
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

#[derive(Clone, Debug)]
enum Data {
    Memory(Bytes),
    Stored(Arc<Stored>),
}

#[derive(Debug)]
struct Stored {
    file: File,
    path: PathBuf,
}

impl Drop for Stored {
    fn drop(&mut self) {
        // The folder is a temporary one; what cannot be removed goes with it.
        let _left = std::fs::remove_file(&self.path);
    }
}

impl Segment {
    /// A segment of these bytes, in `folder` if there is one.
    pub(super) fn new(body: Bytes, folder: Option<&Path>) -> io::Result<Self> {
        let mut receiver = Receiver::new(folder)?;
        receiver.take(body)?;
        receiver.finish()
    }

    /// The checksum header's form of its digest.
    pub(super) fn checksum(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(self.sha256)
    }

    fn read(&self, from: u64, bytes: usize) -> io::Result<Bytes> {
        match &self.data {
            // A position within a body in memory fits `usize`.
            Data::Memory(body) => Ok(body.slice(from as usize..from as usize + bytes)),
            Data::Stored(stored) => {
                let mut piece = vec![0; bytes];
                stored.file.read_exact_at(&mut piece, from)?;
                Ok(piece.into())
            }
        }
    }
}

impl Body {
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// All of it.
    pub(super) fn read(&self) -> io::Result<Bytes> {
        let mut whole = BytesMut::new();
        for segment in &self.segments {
            whole.extend_from_slice(&segment.read(0, usize::try_from(segment.bytes).unwrap_or_default())?);
        }
        Ok(whole.freeze())
    }

    /// The bytes of `range`, which lies within it, as a client reads them.
    pub(super) fn stream(self, range: std::ops::Range<u64>) -> StreamingBlob {
        let (mut sender, receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES_AHEAD);
        tokio::spawn(async move {
            for (segment, from, bytes) in pieces(&self.segments, range) {
                let segment = segment.clone();
                let piece = match &segment.data {
                    Data::Memory(_) => segment.read(from, bytes),
                    Data::Stored(_) => tokio::task::spawn_blocking(move || segment.read(from, bytes))
                        .await
                        .unwrap_or_else(|error| Err(io::Error::other(error))),
                };
                // The client has gone.
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        StreamingBlob::wrap(receiver)
    }
}

/// What to read of which segment.
fn pieces(segments: &[Segment], range: std::ops::Range<u64>) -> Vec<(Segment, u64, usize)> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for segment in segments {
        let end = start + segment.bytes;
        let (mut from, to) = (range.start.clamp(start, end), range.end.clamp(start, end));
        while from < to {
            let bytes = (to - from).min(PIECE_BYTES as u64);
            pieces.push((segment.clone(), from - start, bytes as usize));
            from += bytes;
        }
        start = end;
    }
    pieces
}

/// Takes a body as it arrives.
pub(super) struct Receiver {
    hasher: Sha256,
    bytes: u64,
    held: BytesMut,
    stored: Option<Stored>,
}

impl Receiver {
    pub(super) fn new(folder: Option<&Path>) -> io::Result<Self> {
        let stored = match folder {
            None => None,
            Some(folder) => {
                let path = folder.join(uuid::Uuid::now_v7().simple().to_string());
                let file = File::options().read(true).write(true).create_new(true).open(&path)?;
                Some(Stored { file, path })
            }
        };
        Ok(Self { hasher: Sha256::new(), bytes: 0, held: BytesMut::new(), stored })
    }

    fn take(&mut self, piece: Bytes) -> io::Result<()> {
        self.hasher.update(&piece);
        self.bytes += piece.len() as u64;
        self.held.extend_from_slice(&piece);
        match &self.stored {
            Some(stored) if self.held.len() >= PIECE_BYTES => {
                (&stored.file).write_all(&self.held)?;
                self.held.clear();
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Segment> {
        let data = match self.stored.take() {
            None => Data::Memory(self.held.split().freeze()),
            Some(stored) => {
                (&stored.file).write_all(&self.held)?;
                Data::Stored(Arc::new(stored))
            }
        };
        Ok(Segment { data, bytes: self.bytes, sha256: self.hasher.finalize().into() })
    }

    /// Everything that arrives.
    pub(super) async fn receive<E>(mut self, body: Option<impl Stream<Item = Result<Bytes, E>>>) -> io::Result<Segment>
    where
        E: std::fmt::Display,
    {
        if let Some(body) = body {
            let mut body = std::pin::pin!(body);
            while let Some(piece) = body.next().await {
                self.take(piece.map_err(|error| io::Error::other(error.to_string()))?)?;
            }
        }
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn any_range_of_any_segments_is_what_it_is_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        for folder in [None, Some(folder.path())] {
            let texts = ["abc", "", "defgh", "i"];
            let segments = texts.map(|text| Segment::new(Bytes::from_static(text.as_bytes()), folder).unwrap());
            let body = Body { segments: segments.into() };
            assert_eq!(body.read().unwrap(), "abcdefghi");
            for start in 0..=9 {
                for end in start..=9 {
                    let read: Vec<Bytes> = body.clone().stream(start..end).try_collect().await.unwrap();
                    assert_eq!(read.concat(), b"abcdefghi"[start as usize..end as usize]);
                }
            }
        }
    }

    #[test]
    fn files_go_with_their_bodies() {
        let folder = tempfile::tempdir().unwrap();
        let segment = Segment::new(Bytes::from_static(b"x"), Some(folder.path())).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(segment);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
