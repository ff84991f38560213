//! Reads one block until it has the checksum that comes with it.

use std::sync::Arc;

use backup_core::digest::Sha256Digest;
use backup_core::run::Run;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::digests::Digests;
use super::listing::{Listed, Listing, refused_as};
use super::{BLOCK_BYTES, IN_FLIGHT};
use crate::ask;
use crate::error::{Ec2Error, Ec2Result};
use crate::ports::direct::{BLOCK_TOKEN, BlockQuery, Direct};

/// How often a block is read that does not have its checksum: what a wire does to one answer it does not do to four.
const READS_MAX: u32 = 4;

/// How often the token of one block is asked for anew: it lives seven days.
const TOKENS_MAX: u32 = 3;

/// What the reads of a run share: turns on the wire, and the threads that hash. A block that is being hashed or compressed
/// has no turn, so that as many requests as may be are always under way.
#[derive(Clone, Debug)]
pub(super) struct Reads {
    wire: Arc<Semaphore>,
    digests: Digests,
}

impl Default for Reads {
    fn default() -> Self {
        Self { wire: Arc::new(Semaphore::new(IN_FLIGHT)), digests: Digests::default() }
    }
}

/// The digest of block `index` of what was `listed`, whose listing gave it `token`, and what `make` makes of it where the
/// digest is computed.
pub(super) async fn block<T: Send + 'static>(
    direct: &dyn Direct,
    listed: &Listed,
    (index, token): (u32, &str),
    make: impl Fn(Bytes) -> T + Clone + Send + 'static,
    reads: &Reads,
    run: &Run,
) -> Ec2Result<(Sha256Digest, T)> {
    let snapshot = listed.snapshot();
    let about = format!("block {index} of {snapshot}");
    let (mut token, mut times, mut tokens) = (token.to_owned(), 0, 0);
    loop {
        run.stop_if_cancelled()?;
        let request = || async {
            // It is never closed.
            let _turn = reads.wire.acquire().await;
            direct.block(snapshot, index, &token).await
        };
        let received = match ask::again(run, &about, request).await {
            Err(error) if refused_as(&error, BLOCK_TOKEN) && tokens < TOKENS_MAX => {
                tokens += 1;
                token = token_again(direct, listed, index, run).await?;
                continue;
            }
            other => other?,
        };
        let (bytes, checksum) = (received.bytes, received.checksum);
        let make = make.clone();
        let checked = reads.digests.of(bytes, move |sha256, bytes| {
            let is_whole = bytes.len() == BLOCK_BYTES && checksum == STANDARD.encode(sha256.as_bytes());
            is_whole.then(|| (sha256, make(bytes)))
        });
        if let Some(made) = checked.await? {
            return Ok(made);
        }
        times += 1;
        if times >= READS_MAX {
            let what = format!("{about} came {READS_MAX} times with another SHA-256 than EBS says it has");
            return Err(Ec2Error::Damaged { what });
        }
        run.warn(format!("{about} came with another SHA-256 than EBS says it has; it is read again"));
    }
}

/// The token that a new listing gives the block.
async fn token_again(direct: &dyn Direct, listed: &Listed, index: u32, run: &Run) -> Ec2Result<String> {
    let missing =
        || Ec2Error::Damaged { what: format!("block {index} of `{}` is no longer listed", listed.snapshot()) };
    let mut query = BlockQuery { start: index, token: None };
    // Empty pages may come first.
    for _ in 0..READS_MAX {
        let page = match listed.page(direct, &query, run).await {
            Ok(page) => page,
            Err(Listing::Failed(error)) => return Err(error),
            Err(Listing::Expired) => return Err(missing()),
        };
        if let Some(block) = page.blocks.into_iter().find(|block| block.index == index) {
            return block.token.ok_or_else(missing);
        }
        match page.next {
            Some(token) => query = BlockQuery { start: 0, token: Some(token) },
            None => break,
        }
    }
    Err(missing())
}

/// A task that ended by a panic, which is a bug.
pub(super) fn panicked(error: tokio::task::JoinError) -> Ec2Error {
    Ec2Error::Damaged { what: format!("a task of this program ended unexpectedly: {error}") }
}
