//! EBS direct by the AWS SDK.

mod buffers;
mod failure;

use async_trait::async_trait;
use aws_sdk_ebs::Client;
use aws_sdk_ebs::primitives::ByteStream;
use aws_sdk_ebs::types::{ChecksumAggregationMethod, ChecksumAlgorithm, Tag};
use backup_core::aws::{Settings, timeouts};
use backup_core::digest::Sha256Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use self::buffers::Buffers;
use self::failure::Asked;
use crate::blocks::BLOCK_BYTES;
use crate::model::{Region, SnapshotId};
use crate::ports::CallResult;
use crate::ports::direct::{BlockPage, BlockQuery, Direct, ListedBlock, ReceivedBlock, StartSnapshot};

/// Entries of a page, the most there can be ("MaxResults", EBS direct APIs reference, "ListSnapshotBlocks").
const PAGE_ENTRIES: i32 = 10_000;

/// EBS direct in one region.
#[derive(Debug)]
pub struct AwsDirect {
    client: Client,
    region: Region,
    buffers: Buffers,
}

impl AwsDirect {
    /// EBS direct in `region`, with the credentials and endpoint of `settings`.
    #[must_use]
    pub fn new(settings: &Settings, region: &Region) -> Self {
        let settings = settings.in_region(region.as_str());
        let config = aws_sdk_ebs::config::Builder::from(settings.sdk()).timeout_config(timeouts(BLOCK_BYTES)).build();
        Self { client: Client::from_conf(config), region: region.clone(), buffers: Buffers::default() }
    }

    fn asked(&self, action: &'static str) -> Asked<'_> {
        Asked { action, region: &self.region }
    }
}

/// A number of AWS's that is never negative.
fn unsigned<T: TryFrom<i64> + Default>(number: impl Into<i64>) -> T {
    T::try_from(number.into()).unwrap_or_default()
}

fn signed(index: u32, asked: &Asked<'_>) -> CallResult<i32> {
    i32::try_from(index).map_err(|_| asked.odd(format!("no volume has a block {index}")))
}

#[async_trait]
impl Direct for AwsDirect {
    fn name(&self) -> &Region {
        &self.region
    }

    async fn blocks(&self, snapshot: &SnapshotId, query: &BlockQuery) -> CallResult<BlockPage> {
        let asked = self.asked("ebs:ListSnapshotBlocks");
        let mut request = self.client.list_snapshot_blocks().snapshot_id(snapshot.as_str()).max_results(PAGE_ENTRIES);
        request = match &query.token {
            Some(token) => request.next_token(token),
            None => request.starting_block_index(signed(query.start, &asked)?),
        };
        let page = request.send().await.map_err(|error| asked.failed(&error))?;
        let blocks = page.blocks().iter().map(|block| ListedBlock {
            index: unsigned(block.block_index().unwrap_or_default()),
            token: block.block_token().map(str::to_owned),
        });
        Ok(BlockPage {
            blocks: blocks.collect(),
            volume_gib: unsigned(page.volume_size().unwrap_or_default()),
            block_bytes: unsigned(page.block_size().unwrap_or_default()),
            next: page.next_token().filter(|token| !token.is_empty()).map(str::to_owned),
        })
    }

    async fn changed(&self, first: &SnapshotId, second: &SnapshotId, query: &BlockQuery) -> CallResult<BlockPage> {
        let asked = self.asked("ebs:ListChangedBlocks");
        let mut request = self
            .client
            .list_changed_blocks()
            .first_snapshot_id(first.as_str())
            .second_snapshot_id(second.as_str())
            .max_results(PAGE_ENTRIES);
        request = match &query.token {
            Some(token) => request.next_token(token),
            None => request.starting_block_index(signed(query.start, &asked)?),
        };
        let page = request.send().await.map_err(|error| asked.failed(&error))?;
        let blocks = page.changed_blocks().iter().map(|block| ListedBlock {
            index: unsigned(block.block_index().unwrap_or_default()),
            token: block.second_block_token().map(str::to_owned),
        });
        Ok(BlockPage {
            blocks: blocks.collect(),
            volume_gib: unsigned(page.volume_size().unwrap_or_default()),
            block_bytes: unsigned(page.block_size().unwrap_or_default()),
            next: page.next_token().filter(|token| !token.is_empty()).map(str::to_owned),
        })
    }

    async fn block(&self, snapshot: &SnapshotId, index: u32, token: &str) -> CallResult<ReceivedBlock> {
        let asked = self.asked("ebs:GetSnapshotBlock");
        let request = self
            .client
            .get_snapshot_block()
            .snapshot_id(snapshot.as_str())
            .block_index(signed(index, &asked)?)
            .block_token(token);
        let answer = request.send().await.map_err(|error| asked.failed(&error))?;
        if let Some(other) =
            answer.checksum_algorithm().filter(|own| **own != ChecksumAlgorithm::ChecksumAlgorithmSha256)
        {
            return Err(asked.odd(format!("block {index} has a checksum by {other}, which this version does not know")));
        }
        let checksum = answer.checksum().unwrap_or_default().to_owned();
        let (mut body, mut block) = (answer.block_data, self.buffers.arriving());
        // A body that breaks off is as good as no answer.
        while let Some(piece) = body.try_next().await.map_err(|error| asked.lost(&error))? {
            block.push(&piece);
        }
        Ok(ReceivedBlock { bytes: block.whole(), checksum })
    }

    async fn start(&self, request: &StartSnapshot) -> CallResult<SnapshotId> {
        let asked = self.asked("ebs:StartSnapshot");
        let size = i64::try_from(request.volume_gib).unwrap_or(i64::MAX);
        let timeout = i32::try_from(request.timeout_minutes).unwrap_or(i32::MAX);
        let tags = request.tags.iter().map(|(name, value)| Tag::builder().key(name).value(value).build());
        let answer = self
            .client
            .start_snapshot()
            .volume_size(size)
            .set_parent_snapshot_id(request.parent.as_ref().map(ToString::to_string))
            .set_tags(Some(tags.collect()))
            .description(&request.description)
            .client_token(&request.client_token)
            // Together with a parent it is refused, whatever it says.
            .set_encrypted(request.encrypted.then_some(true))
            .set_kms_key_arn(request.kms_key.clone())
            .timeout(timeout)
            .send()
            .await
            .map_err(|error| asked.failed(&error))?;
        let id = answer.snapshot_id().ok_or_else(|| asked.odd("the answer has no id".to_owned()))?;
        Ok(SnapshotId::new(id))
    }

    async fn put(&self, snapshot: &SnapshotId, index: u32, bytes: Bytes, sha256: &Sha256Digest) -> CallResult<()> {
        let asked = self.asked("ebs:PutSnapshotBlock");
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.client
            .put_snapshot_block()
            .snapshot_id(snapshot.as_str())
            .block_index(signed(index, &asked)?)
            .data_length(length)
            .checksum(STANDARD.encode(sha256.as_bytes()))
            .checksum_algorithm(ChecksumAlgorithm::ChecksumAlgorithmSha256)
            .block_data(ByteStream::from(bytes))
            .send()
            .await
            .map(drop)
            .map_err(|error| asked.failed(&error))
    }

    async fn complete(&self, snapshot: &SnapshotId, blocks: u32, linear: &Sha256Digest) -> CallResult<()> {
        let asked = self.asked("ebs:CompleteSnapshot");
        self.client
            .complete_snapshot()
            .snapshot_id(snapshot.as_str())
            .changed_blocks_count(signed(blocks, &asked)?)
            .checksum(STANDARD.encode(linear.as_bytes()))
            .checksum_algorithm(ChecksumAlgorithm::ChecksumAlgorithmSha256)
            .checksum_aggregation_method(ChecksumAggregationMethod::ChecksumAggregationLinear)
            .send()
            .await
            .map(drop)
            .map_err(|error| asked.failed(&error))
    }
}
