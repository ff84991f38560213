//! The output of a job, a range a request, each checked by its tree hash.

use std::io::Write;
use std::ops::Range;

use backup_core::digest::Sha256Digest;
use bytes::Bytes;

use super::failure::Failed;
use super::{Vault, VaultArchive};
use crate::error::{GlacierError, GlacierResult};
use crate::tree_hash::{LEAF_BYTES, TreeHash};

/// Attempts to read a range with another hash than it should have: the line may have changed it.
const ATTEMPTS: u32 = 2;

/// Bytes of a range: a whole subtree, so that the service tells its hash, and in memory until that was checked.
pub(super) const RANGE_BYTES: u64 = 32 * 1024 * 1024;

impl Vault {
    /// Writes the output of `job`, which retrieved all of `archive`, to `out`. A range with another hash than the service says is
    /// asked for again. Whoever must not use unverified bytes waits for the end.
    ///
    /// # Errors
    /// [`GlacierError::Damaged`] if the whole has another tree hash than it was archived with; [`GlacierError::Folder`] if it
    /// cannot be written; what the service says.
    pub async fn download(&self, job: &str, archive: &VaultArchive, out: &mut (dyn Write + Send)) -> GlacierResult<()> {
        let mut whole = TreeHash::default();
        let mut start = 0;
        while start < archive.bytes {
            self.run.stop_if_cancelled()?;
            let end = (start + RANGE_BYTES).min(archive.bytes);
            let (body, hash) = self.run.or_cancelled(self.output(job, start..end, &[])).await?;
            out.write_all(&body).map_err(|source| GlacierError::Folder {
                action: "write",
                path: format!("bytes {start} to {end} of the archive"),
                source: source.into(),
            })?;
            // Each range but the last is a whole subtree.
            whole.append(&hash).map_err(GlacierError::internal)?;
            start = end;
        }
        let found = whole.finish();
        if found == archive.tree_hash {
            return Ok(());
        }
        let why = format!("its tree hash is {found} instead of {}", archive.tree_hash);
        Err(GlacierError::damaged(&archive.id, why))
    }

    /// A range of the output of `job`, with its tree hash. Each mebibyte of it must have the digest in `leaves`, as far as there
    /// are some: the service names the hash only of ranges that are whole subtrees.
    ///
    /// # Errors
    /// [`GlacierError::Damaged`] if the bytes are others each time; what the service says.
    pub(super) async fn output(
        &self,
        job: &str,
        range: Range<u64>,
        leaves: &[Sha256Digest],
    ) -> GlacierResult<(Bytes, TreeHash)> {
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let got = self.retried(|| self.range(job, range.start, range.end)).await.map_err(Failed::into_error)?;
            match checked(got, range.start, leaves) {
                Ok(good) => return Ok(good),
                Err(other) => why = other,
            }
        }
        Err(GlacierError::damaged(format!("output of the job {job}"), why))
    }

    /// The bytes, and the tree hash that the service tells of them.
    async fn range(&self, job: &str, start: u64, end: u64) -> Result<(Bytes, Option<String>), Failed> {
        const ACTION: &str = "glacier:GetJobOutput";
        let request = self.client.get_job_output().vault_name(&self.name).job_id(job);
        let sent = request.range(format!("bytes={start}-{}", end - 1)).send().await;
        let reply = sent.map_err(|error| self.failed(ACTION, &error))?;
        let told = reply.checksum().map(str::to_owned);
        let body = reply
            .body
            .collect()
            .await
            .map_err(|error| Failed::broken(&self.name, ACTION, error.to_string()))?
            .into_bytes();
        if body.len() as u64 == end - start {
            return Ok((body, told));
        }
        let what = format!("{} bytes came instead of {}", body.len(), end - start);
        Err(Failed::broken(&self.name, ACTION, what))
    }
}

/// The bytes with their tree hash, if that is what was told and each leaf is what is known.
fn checked(
    (body, told): (Bytes, Option<String>),
    start: u64,
    leaves: &[Sha256Digest],
) -> Result<(Bytes, TreeHash), String> {
    let is_other = |(leaf, known): (&[u8], &Sha256Digest)| Sha256Digest::of(leaf) != *known;
    if let Some(at) = body.chunks(LEAF_BYTES).zip(leaves).position(is_other) {
        let first = start + (at * LEAF_BYTES) as u64;
        return Err(format!("the mebibyte at byte {first} has another SHA-256 than it was archived with"));
    }
    let mut hash = TreeHash::default();
    hash.update(&body);
    let found = hash.clone().finish().to_string();
    match told {
        Some(told) if told != found => {
            let end = start + body.len() as u64;
            Err(format!("bytes {start} to {end} have the tree hash {found} instead of {told}"))
        }
        _ => Ok((body, hash)),
    }
}
