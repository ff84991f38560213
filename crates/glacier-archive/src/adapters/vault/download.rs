//! The output of a job, a range a request, each checked by its tree hash.

use std::io::Write;

use bytes::Bytes;

use super::failure::Failed;
use super::{Vault, VaultArchive};
use crate::error::{GlacierError, GlacierResult};
use crate::tree_hash::TreeHash;

/// Bytes of a range: a whole subtree, so that the service tells its hash, and in memory until that was checked.
const RANGE_BYTES: u64 = 32 * 1024 * 1024;

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
            let got = self
                .run
                .or_cancelled(async { self.retried(|| self.range(job, start, end)).await.map_err(Failed::into_error) });
            let (body, hash) = got.await?;
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

    async fn range(&self, job: &str, start: u64, end: u64) -> Result<(Bytes, TreeHash), Failed> {
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
        if body.len() as u64 != end - start {
            return Err(Failed::broken(
                &self.name,
                ACTION,
                format!("{} bytes came instead of {}", body.len(), end - start),
            ));
        }
        let mut hash = TreeHash::default();
        hash.update(&body);
        let found = hash.clone().finish().to_string();
        match told {
            Some(told) if told != found => Err(Failed::broken(
                &self.name,
                ACTION,
                format!("bytes {start} to {end} have the tree hash {found} instead of {told}"),
            )),
            _ => Ok((body, hash)),
        }
    }
}
