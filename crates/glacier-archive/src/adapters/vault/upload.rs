//! Uploads in parts, which can be taken up again.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use aws_sdk_glacier::primitives::ByteStream;
use backup_core::digest::Sha256Digest;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::failure::Failed;
use super::{PART_BYTES_SENT_MAX, Vault, VaultArchive};
use crate::error::{GlacierError, GlacierResult};
use crate::part_size::{PARTS_MAX, part_bytes_for};
use crate::tree_hash::TreeHash;

/// Parts on their way at once; each is in memory meanwhile.
pub const PARTS_IN_FLIGHT: usize = 8;

/// What `ListParts` tells of a part: where it begins, and its hash.
pub(super) type Sent = BTreeMap<u64, String>;

impl Vault {
    /// Begins an upload of an archive with this description, which finds it again in an inventory: up to 1,024 printable
    /// characters of ASCII. The id is to be kept: with it, [`Vault::upload`] goes on after an interruption.
    ///
    /// # Errors
    /// What the service says.
    pub async fn begin_upload(&self, description: &str, part_bytes: u64) -> GlacierResult<String> {
        // Beginning one twice costs nothing: what has no parts is gone after a day.
        let begun = self.retried(|| async {
            let request = self.client.initiate_multipart_upload().vault_name(&self.name);
            let request = request.archive_description(description).part_size(part_bytes.to_string());
            request.send().await.map_err(|error| self.failed("glacier:InitiateMultipartUpload", &error))
        });
        let begun = begun.await.map_err(Failed::into_error)?;
        begun.upload_id().map(str::to_owned).ok_or_else(|| GlacierError::internal("an upload without an id"))
    }

    /// Sends the parts of `file` that the service does not have yet, and makes them an archive. `part_bytes` is what the upload
    /// was begun with. Completing an upload again is the same archive.
    ///
    /// # Errors
    /// [`GlacierError::Folder`] if the file is shorter, or cannot be read; what the service says.
    pub async fn upload(
        &self,
        upload: &str,
        file: &Arc<File>,
        bytes: u64,
        part_bytes: u64,
    ) -> GlacierResult<VaultArchive> {
        let fits = part_bytes <= PART_BYTES_SENT_MAX as u64 && part_bytes_for(bytes, part_bytes) == Ok(part_bytes);
        if bytes == 0 || !fits {
            let what = format!("{bytes} bytes cannot be uploaded in parts of {part_bytes}");
            return Err(GlacierError::usage(
                what,
                format!("choose parts of a power of two of mebibytes, at most {PARTS_MAX}"),
            ));
        }
        let sent = self.sent(upload).await?;
        let starts = (0..bytes.div_ceil(part_bytes)).map(|number| number * part_bytes);
        let parts = starts.map(|start| {
            let (file, sent, length) = (file.clone(), sent.as_ref(), part_bytes.min(bytes - start));
            async move { self.part(upload, &file, start, length, sent).await }
        });
        let mut hashes = stream::iter(parts).buffered(PARTS_IN_FLIGHT);
        let mut whole = TreeHash::default();
        while let Some(hash) = hashes.try_next().await? {
            whole.append(&hash).map_err(GlacierError::internal)?;
        }
        self.complete(upload, bytes, whole.finish()).await
    }

    /// The parts that the service has; `None` if the upload was completed, or is gone: completing it again tells which.
    pub(super) async fn sent(&self, upload: &str) -> GlacierResult<Option<Sent>> {
        let (mut sent, mut marker) = (Sent::new(), None::<String>);
        loop {
            let page = self.retried(|| async {
                let request = self.client.list_parts().vault_name(&self.name).upload_id(upload);
                let page = request.set_marker(marker.clone()).send().await;
                page.map_err(|error| self.failed("glacier:ListParts", &error))
            });
            let page = match page.await {
                Ok(page) => page,
                Err(failed) if failed.code() == "ResourceNotFoundException" => return Ok(None),
                Err(failed) => return Err(failed.into_error()),
            };
            for part in page.parts() {
                let start = part.range_in_bytes().and_then(|range| range.split('-').next()?.parse().ok());
                if let (Some(start), Some(hash)) = (start, part.sha256_tree_hash()) {
                    sent.insert(start, hash.to_owned());
                }
            }
            match page.marker() {
                Some(next) if Some(next) != marker.as_deref() => marker = Some(next.to_owned()),
                _ => return Ok(Some(sent)),
            }
        }
    }

    async fn part(
        &self,
        upload: &str,
        file: &Arc<File>,
        start: u64,
        length: u64,
        sent: Option<&Sent>,
    ) -> GlacierResult<TreeHash> {
        self.run.stop_if_cancelled()?;
        let file = file.clone();
        let read = move || {
            let mut body = vec![0; usize::try_from(length).unwrap_or_default()];
            file.read_exact_at(&mut body, start)?;
            let mut hash = TreeHash::default();
            hash.update(&body);
            Ok::<_, std::io::Error>((Bytes::from(body), hash))
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(GlacierError::internal)?;
        let unread = |source: std::io::Error| GlacierError::Folder {
            action: "read",
            path: format!("bytes {start} to {} of the archive", start + length),
            source: source.into(),
        };
        let (body, hash) = read.map_err(unread)?;
        let digest = hash.clone().finish().to_string();
        if sent.is_none_or(|sent| sent.get(&start) == Some(&digest)) {
            return Ok(hash);
        }
        self.send_part(upload, start, body, &digest).await.map(|()| hash)
    }

    /// Sends the part that begins at byte `start`. Idempotent.
    pub(super) async fn send_part(&self, upload: &str, start: u64, body: Bytes, tree_hash: &str) -> GlacierResult<()> {
        let last = start + (body.len() as u64).saturating_sub(1);
        let sending = self.retried(|| async {
            let request = self.client.upload_multipart_part().vault_name(&self.name).upload_id(upload);
            let request = request.range(format!("bytes {start}-{last}/*")).checksum(tree_hash);
            let sent = request.body(ByteStream::from(body.clone())).send().await;
            sent.map(drop).map_err(|error| self.failed("glacier:UploadMultipartPart", &error))
        });
        sending.await.map_err(Failed::into_error)
    }

    /// Makes the parts an archive. Idempotent.
    pub(super) async fn complete(
        &self,
        upload: &str,
        bytes: u64,
        tree_hash: Sha256Digest,
    ) -> GlacierResult<VaultArchive> {
        let done = self.retried(|| async {
            let request = self.client.complete_multipart_upload().vault_name(&self.name).upload_id(upload);
            let sent = request.archive_size(bytes.to_string()).checksum(tree_hash.to_string()).send().await;
            sent.map_err(|error| self.failed("glacier:CompleteMultipartUpload", &error))
        });
        let done = done.await.map_err(Failed::into_error)?;
        let id = done.archive_id().ok_or_else(|| GlacierError::internal("an archive without an id"))?.to_owned();
        Ok(VaultArchive { id, bytes, tree_hash })
    }
}
