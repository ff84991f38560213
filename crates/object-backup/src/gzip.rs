//! Compresses blocks side by side; one after the other they are one gzip (RFC 1952, section 2.2: a file is one or more
//! members). The level is 5: as small as what `gzip -6` makes, give or take one part in a hundred, and faster than libdeflate's
//! middle, 6, by a tenth.

use std::cell::RefCell;
use std::io;

use futures::{Stream, StreamExt};
use libdeflater::{CompressionLvl, Compressor};
use tokio::sync::mpsc;

/// libdeflate's levels go from 0 to 12.
const LEVEL: i32 = 5;

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

thread_local! {
    /// What a thread compresses with, and what it compresses into: large, and cleared for each block if it were new.
    static PRESS: RefCell<(Compressor, Vec<u8>)> =
        RefCell::new((Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default()), Vec::new()));
}

/// One member; its header holds neither name nor time, so that it follows from the block alone.
fn member(block: &[u8]) -> io::Result<Vec<u8>> {
    PRESS.with_borrow_mut(|(compressor, member)| {
        member.resize(compressor.gzip_compress_bound(block.len()), 0);
        let bytes = compressor.gzip_compress(block, member).map_err(io::Error::other)?;
        Ok(member[..bytes].to_vec())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_member_is_gzip_without_name_and_time_and_follows_from_the_block() {
        for block in [&b""[..], b"{\"id\": 1}\n", &[7; 300_000]] {
            let compressed = member(block).unwrap();
            assert_eq!(compressed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut back).unwrap();
            assert_eq!((&back[..], member(block).unwrap()), (block, compressed));
        }
    }
}
