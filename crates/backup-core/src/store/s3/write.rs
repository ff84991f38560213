//! Whole objects: conditions, checksums, class and lock.

use aws_sdk_s3::primitives::{ByteStream as SdkStream, DateTime};
use aws_sdk_s3::types::{ObjectLockMode, StorageClass};
use base64::Engine as _;
use bytes::Bytes;

use super::bucket::{Bucket, sending};
use super::failure::Operation;
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{PutMode, PutOptions, StoreResult};

/// Bodies up to this size are hashed on the spot: another thread would cost more than it saves.
const INLINE_BYTES: usize = 64 * 1024;

/// A condition as request headers: `If-None-Match`, `If-Match`.
pub(super) fn condition(mode: &PutMode) -> (Option<String>, Option<String>) {
    match mode {
        PutMode::Create => (Some("*".to_owned()), None),
        PutMode::Replace => (None, None),
        PutMode::IfMatch(tag) => (None, Some(tag.0.clone())),
    }
}

/// What both kinds of writing say about the object.
pub(super) struct Attributes {
    pub(super) class: Option<StorageClass>,
    pub(super) lock_mode: Option<ObjectLockMode>,
    pub(super) lock_until: Option<DateTime>,
    pub(super) metadata: std::collections::HashMap<String, String>,
}

impl Attributes {
    pub(super) fn new(options: &PutOptions) -> Self {
        Self {
            class: options.storage_class.as_deref().map(StorageClass::from),
            lock_mode: options.lock_until.map(|_| ObjectLockMode::Governance),
            lock_until: options.lock_until.map(|until| DateTime::from_secs(until.as_second())),
            metadata: options.metadata.iter().map(|(name, text)| (name.clone(), header_text(text))).collect(),
        }
    }
}

/// The text with everything escaped that a header cannot carry.
fn header_text(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

/// The checksum the server compares with what arrives.
pub(super) async fn checksum(body: &Bytes) -> StoreResult<String> {
    let encode = |body: &[u8]| base64::engine::general_purpose::STANDARD.encode(Sha256Digest::of(body).as_bytes());
    if body.len() <= INLINE_BYTES {
        return Ok(encode(body));
    }
    let body = body.clone();
    tokio::task::spawn_blocking(move || encode(&body)).await.map_err(|error| StoreError::Other {
        key: String::new(),
        action: "hash".to_owned(),
        source: error.into(),
    })
}

pub(super) async fn put(bucket: &Bucket, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
    let Bucket { client, place } = bucket;
    let attributes = Attributes::new(options);
    let (if_none_match, if_match) = condition(&options.mode);
    let limits = sending(body.len());
    let request = client
        .put_object()
        .bucket(&place.bucket)
        .key(place.full(key.as_str()))
        .checksum_sha256(checksum(&body).await?)
        .set_if_none_match(if_none_match)
        .set_if_match(if_match)
        .set_storage_class(attributes.class)
        .set_object_lock_mode(attributes.lock_mode)
        .set_object_lock_retain_until_date(attributes.lock_until)
        .set_metadata(Some(attributes.metadata))
        .body(SdkStream::from(body));
    // The signed checksum covers the body; signing the body itself would hash it a second time.
    let sent = request.customize().config_override(limits).disable_payload_signing().send().await;
    let operation = Operation::new("s3:PutObject", key.as_str()).with_mode(&options.mode);
    sent.map(drop).map_err(|error| place.error(&operation, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_plain_text_whatever_the_name_of_the_database() {
        assert_eq!(header_text("shop 1"), "shop 1");
        assert_eq!(header_text("é\r\nx-amz-acl: public"), "\\u{e9}\\r\\nx-amz-acl: public");
    }
}
