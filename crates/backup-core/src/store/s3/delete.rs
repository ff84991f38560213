//! Deleting: many keys at once or, where a server cannot do that, one by one.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures_util::stream::{self, StreamExt as _};

use super::bucket::Bucket;
use super::failure::Operation;
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{DeleteOutcome, StoreResult};

/// The IAM action of both.
const ACTION: &str = "s3:DeleteObject";

/// Most keys of one `DeleteObjects` (AWS, "Deleting multiple objects").
const KEYS_MAX: usize = 1_000;

/// Keys deleted side by side where each takes a request.
const AT_ONCE: usize = 8;

pub(super) async fn keys(bucket: &Bucket, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
    let mut outcomes = Vec::with_capacity(keys.len());
    for batch in keys.chunks(KEYS_MAX) {
        match several(bucket, batch).await {
            Err(error) if error.is_unsupported() => outcomes.extend(one_by_one(bucket, batch).await),
            deleted => outcomes.extend(deleted?),
        }
    }
    Ok(outcomes)
}

async fn several(bucket: &Bucket, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
    let Bucket { client, place } = bucket;
    let invalid = |error: aws_sdk_s3::error::BuildError| StoreError::Invalid { what: error.to_string() };
    let mut batch = Delete::builder().quiet(true);
    for key in keys {
        let object = ObjectIdentifier::builder().key(place.full(key.as_str())).build().map_err(invalid)?;
        batch = batch.objects(object);
    }
    let first = keys.first().map_or("", Key::as_str);
    let request = client.delete_objects().bucket(&place.bucket).delete(batch.build().map_err(invalid)?);
    let reply = request.send().await.map_err(|error| place.error(&Operation::new(ACTION, first), error))?;
    let outcome = |key: &Key| {
        let full = place.full(key.as_str());
        let failed = reply.errors().iter().find(|failed| failed.key() == Some(&full));
        let result = match failed {
            None => Ok(()),
            Some(failed) if failed.code() == Some("NoSuchKey") => Ok(()),
            Some(failed) => Err(place.key_error(&Operation::new(ACTION, key.as_str()), failed)),
        };
        DeleteOutcome { key: key.clone(), result }
    };
    Ok(keys.iter().map(outcome).collect())
}

async fn one_by_one(bucket: &Bucket, keys: &[Key]) -> Vec<DeleteOutcome> {
    stream::iter(keys.to_vec()).map(|key| one(bucket, key)).buffered(AT_ONCE).collect().await
}

async fn one(bucket: &Bucket, key: Key) -> DeleteOutcome {
    let Bucket { client, place } = bucket;
    let sent = client.delete_object().bucket(&place.bucket).key(place.full(key.as_str())).send().await;
    let result = match sent.map_err(|error| place.error(&Operation::new(ACTION, key.as_str()), error)) {
        Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    };
    DeleteOutcome { key, result }
}
