//! The harms, named for what they do.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;

use crate::error::StoreError;
use crate::key::Key;
use crate::store::{ByteStream, ObjectMeta, StoreResult, Verb};

/// What is done to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Harm {
    /// Not done; the store says it is busy (503).
    Busy,
    /// Not done; no answer.
    Unreachable,
    /// Not done; the store says the credentials do not suffice (403).
    Denied,
    /// Not done; no space left.
    NoSpace,
    /// Not done: the connection broke half-way through what was sent.
    PutInterrupted,
    /// Done, and the answer is lost.
    LostResponse,
    /// The last byte of the body that is read has one bit changed.
    LastByteFlip,
    /// The body ends with an error after so many bytes.
    TruncatedRead(u64),
    /// The body ends after so many bytes as if that were all: what no store may do, for tests of who checks.
    SilentlyShortRead(u64),
    /// Listings do not show what was written less than this ago.
    ListOmitsNewest(Duration),
    /// This key is not deleted (403).
    DeleteFails,
    /// Done, later.
    Slow(Duration),
}

/// What happens before the operation.
pub(super) enum Before {
    Go,
    Wait(Duration),
    Fail,
}

impl Before {
    pub(super) fn of(harm: Option<&Harm>) -> Self {
        match harm {
            Some(
                Harm::Busy
                | Harm::Unreachable
                | Harm::Denied
                | Harm::NoSpace
                | Harm::PutInterrupted
                | Harm::DeleteFails,
            ) => Self::Fail,
            Some(Harm::Slow(delay)) => Self::Wait(*delay),
            _ => Self::Go,
        }
    }
}

/// What happens after the operation.
pub(super) enum After {
    Go,
    LoseAnswer,
}

impl After {
    pub(super) fn of(harm: Option<&Harm>) -> Self {
        if harm == Some(&Harm::LostResponse) { Self::LoseAnswer } else { Self::Go }
    }
}

/// The error of a harmed operation.
pub(super) fn error(harm: Option<&Harm>, verb: Verb, key: &str) -> StoreError {
    let (key, action) = (key.to_owned(), verb.as_str().to_owned());
    let source = |text: &str| text.to_owned().into();
    match harm {
        Some(Harm::Busy) => StoreError::Busy { key, action, source: source("503 SlowDown, as scripted") },
        Some(Harm::Denied | Harm::DeleteFails) => StoreError::PermissionDenied {
            key,
            action,
            help: "take the rule out of the script".into(),
            source: source("403 AccessDenied, as scripted"),
        },
        Some(Harm::NoSpace) => {
            StoreError::NoSpace { key, bytes_needed: 0, source: source("no space left on device, as scripted") }
        }
        _ => StoreError::Unreachable { key, action, source: source("connection reset, as scripted") },
    }
}

/// A body with its harm.
pub(super) fn harmed_body(harm: Option<Harm>, key: &Key, body: ByteStream) -> ByteStream {
    match harm {
        Some(Harm::LastByteFlip) => last_byte_flipped(body),
        Some(Harm::TruncatedRead(bytes)) => {
            let broken = error(None, Verb::Get, key.as_str());
            first_bytes(body, bytes).chain(stream::iter([Err(broken)])).boxed()
        }
        Some(Harm::SilentlyShortRead(bytes)) => first_bytes(body, bytes),
        _ => body,
    }
}

fn first_bytes(body: ByteStream, bytes: u64) -> ByteStream {
    let cut = body.scan(bytes, |left, chunk| {
        let chunk = chunk.map(|mut chunk: Bytes| {
            chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= chunk.len() as u64;
            chunk
        });
        ready(Some(chunk))
    });
    cut.take_while(|chunk| ready(chunk.as_ref().map_or(true, |chunk| !chunk.is_empty()))).boxed()
}

fn last_byte_flipped(body: ByteStream) -> ByteStream {
    let flipped = stream::unfold(Box::pin(body.peekable()), |mut body| async move {
        let chunk = body.next().await?;
        let is_last = body.as_mut().peek().await.is_none();
        let chunk = chunk.map(|chunk| if is_last { flip_last(&chunk) } else { chunk });
        Some((chunk, body))
    });
    flipped.boxed()
}

fn flip_last(chunk: &Bytes) -> Bytes {
    let mut bytes = chunk.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes.into()
}

/// A listing without what was written less than `age` ago.
pub(super) fn without_newest(
    listing: BoxStream<'static, StoreResult<ObjectMeta>>,
    age: Duration,
) -> BoxStream<'static, StoreResult<ObjectMeta>> {
    let is_old = move |meta: &ObjectMeta| {
        jiff::SignedDuration::try_from(age).is_ok_and(|age| Timestamp::now().duration_since(meta.modified) >= age)
    };
    listing.filter(move |meta| ready(meta.as_ref().map_or(true, is_old))).boxed()
}
