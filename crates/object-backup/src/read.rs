//! Reads a stored tarball: from the store, through digest and decompressor, into a sink on its own thread.

use std::io::{self, Read};

use backup_core::pipeline::verified;
use backup_core::store::{ByteStream, SharedStore};
use bytes::{Buf, Bytes};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::detail::AppManifest;
use crate::error::{ObjectError, ObjectResult};
use crate::list::Entry;
use crate::tar::read::{self, Sink, Summary};

/// Chunks fetched ahead of the thread that reads them.
const CHUNKS_AHEAD: usize = 4;

/// Most bytes a tarball may hold per stored byte where no manifest says how many it holds. Records of one form compress to
/// a fiftieth at best; deflate could hide a thousand.
const RATIO_MAX: u64 = 200;

/// So many bytes it may hold in any case.
const CONTENT_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// Reads all of `entry` into `sink` and compares it with its manifest, if it has one.
///
/// # Errors
/// [`ObjectError::Damaged`] and [`ObjectError::Refused`]; what the store and `sink` say. `sink` may have taken records
/// before.
pub(crate) async fn read_into<S: Sink + 'static>(
    store: &SharedStore,
    entry: &Entry,
    mut sink: S,
    cancel: &CancellationToken,
) -> ObjectResult<(Summary, S)> {
    let file = entry.key.to_string();
    let key = entry.key.object()?;
    let body = store.get(&key, None).await?;
    let part = entry.manifest.as_ref().and_then(|manifest| manifest.parts.first());
    let (body, content_bytes_max) = match part {
        Some(part) => (verified(body, &key, part.stored_sha256, part.stored_bytes), part.content_bytes),
        None => (body, entry.bytes.saturating_mul(RATIO_MAX).max(CONTENT_BYTES_MIN)),
    };
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let reader = tokio::task::spawn_blocking({
        let file = file.clone();
        move || {
            let input = Chunks { chunks, current: Bytes::new() };
            read::read(input, &file, content_bytes_max, &mut sink).map(|summary| (summary, sink))
        }
    });
    let fetched = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(ObjectError::Interrupted),
        fetched = fetch(body, sender) => fetched,
    };
    let read = reader.await.map_err(|error| ObjectError::panicked(&error)).flatten();
    // What the store says explains what the reader saw.
    fetched?;
    let (summary, sink) = read?;
    if let Some(manifest) = &entry.manifest {
        compare(&file, &summary, manifest)?;
    }
    Ok((summary, sink))
}

/// Passes chunks on until the end, or until the reader has seen enough.
async fn fetch(mut body: ByteStream, sender: mpsc::Sender<Bytes>) -> ObjectResult<()> {
    while let Some(chunk) = body.next().await {
        if sender.send(chunk?).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn compare(file: &str, found: &Summary, manifest: &AppManifest) -> ObjectResult<()> {
    let part = manifest.parts.first();
    if part.is_some_and(|part| {
        part.content_sha256 != Some(found.content_sha256) || part.content_bytes != found.content_bytes
    }) {
        return Err(ObjectError::damaged(file, "its content differs from its manifest"));
    }
    let same = manifest.detail.types.len() == found.types.len()
        && manifest.detail.types.iter().zip(&found.types).all(|(said, is)| {
            (&said.key, said.records, said.bytes, said.sha256) == (&is.key, is.records, is.bytes, is.sha256)
        });
    if same { Ok(()) } else { Err(ObjectError::damaged(file, "its members differ from its manifest")) }
}

/// Chunks from the store, as something that can be read. When the store fails the chunks end, and the tarball with them.
struct Chunks {
    chunks: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current[..count]);
        self.current.advance(count);
        Ok(count)
    }
}
