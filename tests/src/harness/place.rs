//! The location of one run of a row: what is in it, and how to damage it behind the binary's back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_testkit::s3_server::{BUCKET, Damage, S3Peer};
use sha2::{Digest as _, Sha256};

use super::failure::{Failure, RowResult};
use crate::ensure;

/// How names of temporary files in a folder begin.
const TEMPORARY: &str = ".lastgood-tmp-";

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key in the location.
    pub key: String,
    /// Its size.
    pub bytes: u64,
}

/// A location.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A prefix in the bucket of a peer of its own.
    S3 {
        /// The peer.
        peer: Arc<S3Peer>,
        /// The prefix, without a `/` at its end.
        prefix: String,
    },
}

impl Place {
    /// As `-r` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::S3 { prefix, .. } => format!("s3://{BUCKET}/{prefix}"),
        }
    }

    /// Variables with which a client finds it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        match self {
            Self::Folder(_) => Vec::new(),
            Self::S3 { peer, .. } => {
                peer.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }
        }
    }

    /// The peer, if there is one.
    #[must_use]
    pub fn peer(&self) -> Option<&S3Peer> {
        match self {
            Self::Folder(_) => None,
            Self::S3 { peer, .. } => Some(peer),
        }
    }

    /// Everything stored, by key.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn objects(&self) -> RowResult<Vec<Object>> {
        match self {
            Self::Folder(root) => {
                let mut found = Vec::new();
                if root.is_dir() {
                    walk(root, root, &mut found)?;
                }
                found.sort_by(|a, b| a.key.cmp(&b.key));
                Ok(found)
            }
            Self::S3 { peer, prefix } => {
                let below = format!("{prefix}/");
                let keys = peer.keys().into_iter();
                let found = keys.filter_map(|key| {
                    let bytes = peer.object(&key)?.len() as u64;
                    Some(Object { key: key.strip_prefix(&below)?.to_owned(), bytes })
                });
                Ok(found.collect())
            }
        }
    }

    /// Keys that end in `suffix`.
    ///
    /// # Errors
    /// If the location cannot be read.
    pub async fn keys_ending(&self, suffix: &str) -> RowResult<Vec<String>> {
        Ok(self.objects().await?.into_iter().map(|object| object.key).filter(|key| key.ends_with(suffix)).collect())
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn read(&self, key: &str) -> RowResult<Vec<u8>> {
        match self {
            Self::Folder(root) => Ok(fs::read(root.join(key))?),
            Self::S3 { peer, prefix } => {
                let object = peer.object(&format!("{prefix}/{key}"));
                Ok(object.ok_or_else(|| Failure::new(format!("there is no object `{key}`")))?.to_vec())
            }
        }
    }

    /// Creates or replaces an object, as an intruder or a failing disk would.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn write(&self, key: &str, bytes: &[u8]) -> RowResult {
        match self {
            Self::Folder(root) => {
                let path = root.join(key);
                fs::DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap_or(root))?;
                Ok(fs::write(path, bytes)?)
            }
            Self::S3 { peer, prefix } => {
                peer.store(&format!("{prefix}/{key}"), bytes.to_vec());
                Ok(())
            }
        }
    }

    /// Removes an object.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn remove(&self, key: &str) -> RowResult {
        match self {
            Self::Folder(root) => Ok(fs::remove_file(root.join(key))?),
            Self::S3 { peer, prefix } => {
                ensure!(peer.damage(&format!("{prefix}/{key}"), &Damage::Delete), "there is no object `{key}`");
                Ok(())
            }
        }
    }

    /// Every key with the digest of its bytes: equal before and after means unchanged.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn picture(&self) -> RowResult<BTreeMap<String, String>> {
        let mut picture = BTreeMap::new();
        for object in self.objects().await? {
            let digest = Sha256::digest(self.read(&object.key).await?);
            picture.insert(object.key, digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        Ok(picture)
    }

    /// How many objects were begun and never finished: multipart uploads of the peer, temporary files of a folder.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn unfinished(&self) -> RowResult<usize> {
        match self {
            Self::Folder(_) => Ok(self.objects().await?.iter().filter(|object| is_temporary(&object.key)).count()),
            Self::S3 { peer, .. } => Ok(peer.state().unfinished),
        }
    }
}

/// Whether a file of a folder location is an object half written.
#[must_use]
pub fn is_temporary(key: &str) -> bool {
    key.rsplit('/').next().is_some_and(|name| name.starts_with(TEMPORARY))
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Object>) -> RowResult {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, found)?;
            continue;
        }
        let bytes = match fs::metadata(&path) {
            Ok(about) => about.len(),
            // What a run writes is renamed or removed while it is looked at.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        let key = path.strip_prefix(root)?.to_str().ok_or_else(|| Failure::new("a key that is not UTF-8"))?.to_owned();
        found.push(Object { key, bytes });
    }
    Ok(())
}
