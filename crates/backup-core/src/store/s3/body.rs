//! A body of exactly the requested length, or an error.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream as SdkStream;
use futures_util::StreamExt;
use futures_util::stream;

use crate::error::StoreError;
use crate::key::Key;
use crate::store::{ByteStream, StoreResult};
use crate::units::exact_bytes;

/// The body of `found`, of which `wanted` bytes were asked for, or all.
pub(super) fn checked(key: &Key, wanted: Option<u64>, found: GetObjectOutput) -> StoreResult<ByteStream> {
    let announced = found.content_length().and_then(|bytes| u64::try_from(bytes).ok());
    let expected = match (wanted, announced) {
        (Some(wanted), Some(announced)) if wanted != announced => {
            let what = format!("{} were requested, but {} were announced", exact_bytes(wanted), exact_bytes(announced));
            return Err(StoreError::Damaged { key: key.to_string(), what });
        }
        (wanted, announced) => wanted.or(announced),
    };
    let chunks = stream::unfold(Some((found.body, 0)), {
        let key = key.clone();
        move |state| next(key.clone(), expected, state)
    });
    Ok(chunks.boxed())
}

type State = Option<(SdkStream, u64)>;

async fn next(key: Key, expected: Option<u64>, state: State) -> Option<(StoreResult<bytes::Bytes>, State)> {
    let (mut body, mut seen) = state?;
    let broken = |source: crate::error::Cause| {
        let error = StoreError::Unreachable { key: key.to_string(), action: "s3:GetObject".to_owned(), source };
        Some((Err(error), None))
    };
    match body.next().await {
        Some(Ok(chunk)) => {
            seen += chunk.len() as u64;
            if expected.is_some_and(|expected| seen > expected) {
                let what = "more bytes arrived than were announced".to_owned();
                return Some((Err(StoreError::Damaged { key: key.to_string(), what }), None));
            }
            Some((Ok(chunk), Some((body, seen))))
        }
        Some(Err(error)) => broken(error.into()),
        None => match expected {
            Some(expected) if seen < expected => {
                broken(format!("the body ended after {seen} of {}", exact_bytes(expected)).into())
            }
            _ => None,
        },
    }
}
