//! What blocks of snapshots are read and written through: EBS direct in one region.

use std::fmt;

use async_trait::async_trait;
use backup_core::digest::Sha256Digest;
use bytes::Bytes;

use super::CallResult;
use crate::model::{Region, SnapshotId, Tags};

/// The code of an error about a block's token that is not, or no longer, accepted.
pub const BLOCK_TOKEN: &str = "INVALID_BLOCK_TOKEN";

/// The code of an error about a page's token that is not, or no longer, accepted.
pub const PAGE_TOKEN: &str = "INVALID_PAGE_TOKEN";

/// The code of an error about two snapshots that have no common history.
pub const UNRELATED: &str = "UNRELATED_SNAPSHOTS";

/// The code of an error about a snapshot that is not there, or not yet.
pub const NO_SNAPSHOT: &str = "SNAPSHOT_NOT_FOUND";

/// The code of an error about what the service's quotas do not allow.
pub const QUOTA: &str = "ServiceQuotaExceededException";

/// A page of a listing that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockQuery {
    /// The first index; without meaning beside a token.
    pub start: u32,
    /// Where the previous page ended.
    pub token: Option<String>,
}

/// A page of a listing. It may be empty and have a successor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockPage {
    /// Blocks in ascending order.
    pub blocks: Vec<ListedBlock>,
    /// Size of the volume in GiB.
    pub volume_gib: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
    /// The token of the next page.
    pub next: Option<String>,
}

/// A block of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBlock {
    /// Its index in the volume.
    pub index: u32,
    /// What it is read by, for a while; `None` in a list of changes for a block that the later snapshot does not have.
    pub token: Option<String>,
}

/// A block as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedBlock {
    /// Its bytes, not checked.
    pub bytes: Bytes,
    /// The SHA-256 that the service says it has, in base64.
    pub checksum: String,
}

/// A snapshot that is to be written block by block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartSnapshot {
    /// Size of the volume in GiB.
    pub volume_gib: u64,
    /// The snapshot whose blocks it begins with. Not together with `encrypted`.
    pub parent: Option<SnapshotId>,
    /// Up to 255 characters.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
    /// Whether it is encrypted; a child is as its parent is.
    pub encrypted: bool,
    /// The key's ARN; the account's default key without it.
    pub kms_key: Option<String>,
    /// Minutes without a block after which the service gives it up: 10 to 4320.
    pub timeout_minutes: u32,
    /// The same token with the same request is the same snapshot, however often it is sent.
    pub client_token: String,
}

/// EBS direct in one region. One call is one request, as in [`super::Ec2`].
#[async_trait]
pub trait Direct: fmt::Debug + Send + Sync {
    /// The region.
    fn name(&self) -> &Region;

    /// Blocks of a snapshot (`ebs:ListSnapshotBlocks`).
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn blocks(&self, snapshot: &SnapshotId, query: &BlockQuery) -> CallResult<BlockPage>;

    /// Blocks in which `second` differs from `first`, an earlier snapshot of the same lineage (`ebs:ListChangedBlocks`).
    ///
    /// # Errors
    /// [`super::CallError`]; of the code [`UNRELATED`] if they have no common history.
    async fn changed(&self, first: &SnapshotId, second: &SnapshotId, query: &BlockQuery) -> CallResult<BlockPage>;

    /// A block (`ebs:GetSnapshotBlock`). Neither its length nor its checksum is checked.
    ///
    /// # Errors
    /// [`super::CallError`]; of the code [`BLOCK_TOKEN`] if the token has expired.
    async fn block(&self, snapshot: &SnapshotId, index: u32, token: &str) -> CallResult<ReceivedBlock>;

    /// Begins a snapshot (`ebs:StartSnapshot`). May be repeated with the same client token.
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn start(&self, request: &StartSnapshot) -> CallResult<SnapshotId>;

    /// Writes a block (`ebs:PutSnapshotBlock`). May be repeated.
    ///
    /// # Errors
    /// [`super::CallError`]; of the code [`NO_SNAPSHOT`] for up to two minutes after the beginning.
    async fn put(&self, snapshot: &SnapshotId, index: u32, bytes: Bytes, sha256: &Sha256Digest) -> CallResult<()>;

    /// Ends a snapshot of which `blocks` blocks were written (`ebs:CompleteSnapshot`); `linear` is the SHA-256 over their
    /// SHA-256 digests, 32 bytes each, in the order of their indexes.
    ///
    /// # Errors
    /// [`super::CallError`].
    async fn complete(&self, snapshot: &SnapshotId, blocks: u32, linear: &Sha256Digest) -> CallResult<()>;
}
