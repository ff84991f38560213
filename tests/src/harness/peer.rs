//! The S3 peer that rows run against, one in this process for all of them.

use super::failure::{Failure, RowResult};

/// A running peer.
#[derive(Debug)]
pub struct Peer {}

impl Peer {
    /// Starts it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start() -> RowResult<Self> {
        Err(Failure::Skipped("the S3 peer is not built yet".to_owned()))
    }

    /// Variables with which a client finds it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Keys and sizes of the objects whose key begins with `prefix`.
    ///
    /// # Errors
    /// If there is no such bucket.
    pub async fn list(&self, _bucket: &str, _prefix: &str) -> RowResult<Vec<(String, u64)>> {
        Ok(Vec::new())
    }

    /// An object's bytes.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn read(&self, _bucket: &str, _key: &str) -> RowResult<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Creates or replaces an object without a request.
    ///
    /// # Errors
    /// If there is no such bucket.
    pub async fn write(&self, _bucket: &str, _key: &str, _bytes: &[u8]) -> RowResult {
        Ok(())
    }

    /// Removes an object without a request.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn remove(&self, _bucket: &str, _key: &str) -> RowResult {
        Ok(())
    }

    /// Keys of unfinished multipart uploads.
    ///
    /// # Errors
    /// If there is no such bucket.
    pub async fn unfinished(&self, _bucket: &str) -> RowResult<Vec<String>> {
        Ok(Vec::new())
    }
}
