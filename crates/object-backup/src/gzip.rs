//! Compresses blocks side by side; one after the other they are one gzip (RFC 1952, section 2.2: a file is one or more
//! members).

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

/// Level of zlib's middle: twice as fast as gludb's 9, one part in a hundred larger.
const LEVEL: u32 = 6;

/// Most blocks compressed at once: memory is bounded on machines of many cores too.
const WORKERS_MAX: usize = 8;

/// The gzip members of `blocks`, in order.
pub(crate) fn members(blocks: mpsc::Receiver<Vec<u8>>) -> impl Stream<Item = io::Result<Vec<u8>>> + Send {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(WORKERS_MAX);
    let blocks = futures::stream::unfold(blocks, async |mut blocks| blocks.recv().await.map(|block| (block, blocks)));
    blocks
        .map(|block| async move {
            match tokio::task::spawn_blocking(move || member(&block)).await {
                Ok(member) => member,
                Err(error) => Err(io::Error::other(error)),
            }
        })
        .buffered(workers)
}

/// One member; its header holds neither name nor time, so that it follows from the block alone.
fn member(block: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::with_capacity(block.len() / 4), Compression::new(LEVEL));
    encoder.write_all(block)?;
    encoder.finish()
}
