//! Uploads in parts, which can be taken up again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, PoisonError};

use aws_sdk_glacier::primitives::ByteStream;
use backup_core::digest::Sha256Digest;
use bytes::Bytes;
use tokio::task::JoinSet;

use super::buffers::Buffers;
use super::failure::Failed;
use super::wire::{Hashes, PARTS_IN_FLIGHT, on_the_wire};
use super::{PART_BYTES_SENT_MAX, Vault, VaultArchive};
use crate::error::{GlacierError, GlacierResult};
use crate::part_size::{PARTS_MAX, part_bytes_for};
use crate::tree_hash::{LEAF_BYTES, LeavesAndWhole, TreeHash, root};

/// Parts in memory: beside those on their way, one is read and hashed, so that no request has to wait for that.
const PARTS_HELD: usize = PARTS_IN_FLIGHT + 1;

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
        let id = begun.upload_id().ok_or_else(|| GlacierError::internal("an upload without an id"))?;
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.to_owned());
        Ok(id.to_owned())
    }

    /// Whether this is the first that is done with an upload that was just begun.
    fn is_fresh(&self, upload: &str) -> bool {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).take_if(|begun| begun.as_str() == upload).is_some()
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
        let sent = if self.is_fresh(upload) { Some(Sent::new()) } else { self.sent(upload).await? };
        let (sent, upload_id, buffers): (_, Arc<str>, _) = (Arc::new(sent), upload.into(), Buffers::default());
        let mut starts = (0..bytes.div_ceil(part_bytes)).map(|number| number * part_bytes);
        // Each in a task of its own, which ends if nobody waits for it any more, so that all processors send.
        let (mut parts, mut hashes) = (JoinSet::new(), BTreeMap::new());
        loop {
            while parts.len() < PARTS_HELD
                && let Some(start) = starts.next()
            {
                let (vault, upload, file) = (self.clone(), upload_id.clone(), file.clone());
                let (buffers, sent) = (buffers.clone(), sent.clone());
                let length = usize::try_from(part_bytes.min(bytes - start)).unwrap_or_default();
                parts.spawn(async move {
                    let hash = vault.part(&upload, &file, buffers, start, length, (*sent).as_ref()).await?;
                    Ok::<_, GlacierError>((start, hash))
                });
            }
            let Some(part) = parts.join_next().await else { break };
            let (start, hash) = part.map_err(GlacierError::internal)??;
            hashes.insert(start, hash);
        }
        let mut whole = TreeHash::default();
        for hash in hashes.values() {
            whole.append(hash).map_err(GlacierError::internal)?;
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
        buffers: Buffers,
        start: u64,
        length: usize,
        sent: Option<&Sent>,
    ) -> GlacierResult<TreeHash> {
        self.run.stop_if_cancelled()?;
        let (file, spare) = (file.clone(), buffers.clone());
        let read = move || spare.filled(length, |body| read_and_hash(&file, start, body));
        let read = {
            let _turn = buffers.turn().await;
            tokio::task::spawn_blocking(read).await.map_err(GlacierError::internal)?
        };
        let end = start + length as u64;
        let (body, hashes) = read.map_err(|source| GlacierError::Folder {
            action: "read",
            path: format!("bytes {start} to {end} of the archive"),
            source: source.into(),
        })?;
        let tree = TreeHash::of_subtree(hashes.tree, length as u64);
        // An upload that was completed has no parts to send.
        let Some(sent) = sent else { return Ok(tree) };
        if sent.get(&start).is_none_or(|there| *there != hashes.tree.to_string()) {
            self.send_part(upload, start, body, hashes).await?;
        }
        Ok(tree)
    }

    /// Sends the part that begins at byte `start` and has these hashes. Idempotent.
    pub(super) async fn send_part(&self, upload: &str, start: u64, body: Bytes, hashes: Hashes) -> GlacierResult<()> {
        let last = start + (body.len() as u64).saturating_sub(1);
        let sending = self.retried(|| async {
            let request = self.client.upload_multipart_part().vault_name(&self.name).upload_id(upload);
            let request = request.range(format!("bytes {start}-{last}/*")).checksum(hashes.tree.to_string());
            let request = request.body(ByteStream::from(body.clone())).customize().interceptor(hashes.clone());
            let sent = request.config_override(on_the_wire(&self.client, &self.wire)).send().await;
            let sent = sent.map_err(|error| self.failed("glacier:UploadMultipartPart", &error))?;
            Ok(sent.checksum().map(str::to_owned))
        });
        match sending.await.map_err(Failed::into_error)? {
            Some(heard) if heard != hashes.tree.to_string() => {
                Err(GlacierError::Altered { what: format!("bytes {start} to {last}") })
            }
            _ => Ok(()),
        }
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

/// Reads from byte `start` on, and hashes each mebibyte while a processor still has it at hand.
fn read_and_hash(file: &File, start: u64, body: &mut [u8]) -> io::Result<Hashes> {
    let (mut hashes, mut at) = (LeavesAndWhole::default(), start);
    for leaf in body.chunks_mut(LEAF_BYTES) {
        file.read_exact_at(leaf, at)?;
        hashes.take(leaf);
        at += leaf.len() as u64;
    }
    let (leaves, whole) = hashes.finish();
    Ok(Hashes { tree: root(&leaves), whole })
}
