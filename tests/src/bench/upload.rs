//! The peer's upload to S3: standard input into one object, part after part, as a pipe into a command-line uploader does.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use backup_core::digest::Sha256Hasher;
use backup_core::key::Key;
use backup_core::location::Location;
use backup_core::store::{Multipart, PutMode, PutOptions};
use bytes::Bytes;
use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use crate::Outcome;

/// Bytes of a part: what the AWS command line and SDKs use by default.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Uploads standard input to `url`, such as `s3://bucket/prefix/name`. One part is on its way while the next is read.
pub(crate) async fn run(url: &str) -> Outcome {
    let (folder, name) = url.rsplit_once('/').ok_or("the URL has no name of an object")?;
    let store = folder.parse::<Location>()?.open().await?;
    let upload = store.multipart(&Key::new(name)?, &PutOptions::new(PutMode::Replace)).await?;
    let upload: Arc<dyn Multipart> = upload.into();
    let mut hasher = Sha256Hasher::default();
    let mut bytes = 0;
    let mut number = 0;
    let mut sending: Option<JoinHandle<_>> = None;
    loop {
        let part = tokio::task::spawn_blocking(read_part).await??;
        if part.is_empty() && number > 0 {
            break;
        }
        hasher.update(&part);
        bytes += part.len() as u64;
        if let Some(earlier) = sending.take() {
            earlier.await??;
        }
        number += 1;
        let (upload, last) = (Arc::clone(&upload), part.len() < PART_BYTES);
        sending = Some(tokio::spawn(async move { upload.part(number, part).await }));
        if last {
            break;
        }
    }
    if let Some(last) = sending {
        last.await??;
    }
    Ok(upload.complete(number, &hasher.finish(), bytes).await?)
}

fn read_part() -> std::io::Result<Bytes> {
    let mut part = Vec::with_capacity(PART_BYTES);
    std::io::stdin().lock().take(PART_BYTES as u64).read_to_end(&mut part)?;
    Ok(part.into())
}

/// Fetches the object at `url` into `file`.
pub(crate) async fn back(url: &str, file: &Path) -> Outcome {
    let (folder, name) = url.rsplit_once('/').ok_or("the URL has no name of an object")?;
    let store = folder.parse::<Location>()?.open().await?;
    let mut body = store.get(&Key::new(name)?, None).await?;
    let mut file = tokio::fs::File::create(file).await?;
    while let Some(bytes) = body.try_next().await? {
        file.write_all(&bytes).await?;
    }
    Ok(file.sync_all().await?)
}
