//! Listings of blocks as streams: in order, whole, and begun anew where a page's token has expired.

use backup_core::run::Run;
use futures_util::stream::{self, BoxStream, Peekable};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{BLOCK_BYTES, BLOCKS_PER_GIB};
use crate::ask;
use crate::error::{Ec2Error, Ec2Result};
use crate::model::SnapshotId;
use crate::ports::direct::{BlockPage, BlockQuery, Direct, ListedBlock, PAGE_TOKEN};
use crate::ports::{CallError, Fault};

/// Empty pages in a row: they are legal (EBS User Guide, "FAQs for EBS direct APIs"), and a listing that has nothing else
/// does not end.
const EMPTY_PAGES_MAX: u32 = 10_000;

/// How often one listing is begun anew: a token lives an hour, and a volume of 64 TiB is read in less than a day or never.
const RELISTINGS_MAX: u32 = 100;

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// All blocks of a snapshot.
    All(SnapshotId),
    /// Blocks in which the second differs from the first.
    Changed(SnapshotId, SnapshotId),
}

impl Listed {
    /// The snapshot whose blocks can be read by the listing's tokens.
    pub(super) fn snapshot(&self) -> &SnapshotId {
        match self {
            Self::All(snapshot) | Self::Changed(_, snapshot) => snapshot,
        }
    }

    /// One page.
    pub(super) async fn page(&self, direct: &dyn Direct, query: &BlockQuery, run: &Run) -> Result<BlockPage, Listing> {
        let about = self.snapshot().to_string();
        let request = || async {
            match self {
                Self::All(snapshot) => direct.blocks(snapshot, query).await,
                Self::Changed(first, second) => direct.changed(first, second, query).await,
            }
        };
        let page = ask::again(run, &about, request)
            .await
            .map_err(|error| if refused_as(&error, PAGE_TOKEN) { Listing::Expired } else { Listing::Failed(error) })?;
        if page.block_bytes != BLOCK_BYTES as u64 {
            let what = format!("`{about}` has blocks of {} bytes, which this version cannot read", page.block_bytes);
            return Err(Listing::Failed(Ec2Error::Damaged { what }));
        }
        Ok(page)
    }
}

/// Why there is no page.
pub(super) enum Listing {
    /// Its token has expired: the listing can be begun anew at any index.
    Expired,
    /// Anything else.
    Failed(Ec2Error),
}

struct State<'a> {
    direct: &'a dyn Direct,
    listed: Listed,
    run: &'a Run,
    /// `None` after the last page.
    query: Option<BlockQuery>,
    /// The index before which nothing may come any more.
    floor: u64,
    empty: u32,
    relistings: u32,
}

/// The blocks from the index `start` on, in order, each once.
pub(super) fn blocks<'a>(
    direct: &'a dyn Direct,
    listed: Listed,
    start: u32,
    run: &'a Run,
) -> BoxStream<'a, Ec2Result<ListedBlock>> {
    let query = Some(BlockQuery { start, token: None });
    let state = State { direct, listed, run, query, floor: u64::from(start), empty: 0, relistings: 0 };
    stream::try_unfold(state, async |mut state| {
        let page = state.next_page().await?;
        Ok::<_, Ec2Error>(page.map(|page| (stream::iter(page.into_iter().map(Ok)), state)))
    })
    .try_flatten()
    .boxed()
}

impl State<'_> {
    async fn next_page(&mut self) -> Ec2Result<Option<Vec<ListedBlock>>> {
        loop {
            self.run.stop_if_cancelled()?;
            let Some(query) = self.query.take() else { return Ok(None) };
            let page = match self.listed.page(self.direct, &query, self.run).await {
                Ok(page) => page,
                Err(Listing::Expired) if self.relistings < RELISTINGS_MAX => {
                    self.relistings += 1;
                    let start = u32::try_from(self.floor).map_err(|_| self.odd("goes past every volume"))?;
                    self.query = Some(BlockQuery { start, token: None });
                    continue;
                }
                Err(Listing::Expired) => return Err(self.odd("was begun anew too often")),
                Err(Listing::Failed(error)) => return Err(error),
            };
            if page.next.is_some() && page.next == query.token {
                return Err(self.odd("names its own page as the next one"));
            }
            self.query = page.next.map(|token| BlockQuery { start: 0, token: Some(token) });
            let blocks = self.in_order(page.blocks, page.volume_gib)?;
            if !blocks.is_empty() {
                self.empty = 0;
                return Ok(Some(blocks));
            }
            self.empty += 1;
            if self.empty > EMPTY_PAGES_MAX {
                return Err(self.odd("has nothing but empty pages"));
            }
        }
    }

    fn in_order(&mut self, blocks: Vec<ListedBlock>, volume_gib: u64) -> Ec2Result<Vec<ListedBlock>> {
        for block in &blocks {
            let index = u64::from(block.index);
            if index < self.floor || index >= volume_gib * BLOCKS_PER_GIB {
                return Err(self.odd(&format!("has block {index} where none can be")));
            }
            self.floor = index + 1;
        }
        Ok(blocks)
    }

    fn odd(&self, what: &str) -> Ec2Error {
        CallError {
            action: match self.listed {
                Listed::All(_) => "ebs:ListSnapshotBlocks",
                Listed::Changed(..) => "ebs:ListChangedBlocks",
            },
            region: self.direct.name().clone(),
            fault: Fault::Refused,
            code: String::new(),
            message: format!("the listing of `{}` {what}", self.listed.snapshot()),
        }
        .into()
    }
}

/// The volume's size in GiB, by the first page of the listing.
pub(super) async fn volume_gib(direct: &dyn Direct, snapshot: &SnapshotId, run: &Run) -> Ec2Result<u64> {
    let listed = Listed::All(snapshot.clone());
    match listed.page(direct, &BlockQuery::default(), run).await {
        Ok(page) => Ok(page.volume_gib),
        Err(Listing::Failed(error)) => Err(error),
        // A listing without a token has none that could expire.
        Err(Listing::Expired) => Err(Ec2Error::Damaged { what: format!("`{snapshot}` cannot be listed") }),
    }
}

/// Whether the service refused something with this code.
pub(super) fn refused_as(error: &Ec2Error, code: &str) -> bool {
    matches!(error, Ec2Error::Refused { source } if source.is(code))
}

/// A listing whose next entry can be looked at.
pub(super) type Blocks<'a> = Peekable<BoxStream<'a, Ec2Result<ListedBlock>>>;

/// The next index; an error is taken out of the stream.
pub(super) async fn peeked(blocks: &mut Blocks<'_>) -> Ec2Result<Option<u32>> {
    let mut blocks = std::pin::Pin::new(blocks);
    match blocks.as_mut().peek().await {
        None => Ok(None),
        Some(Ok(block)) => Ok(Some(block.index)),
        Some(Err(_)) => Ok(blocks.try_next().await?.map(|block| block.index)),
    }
}
