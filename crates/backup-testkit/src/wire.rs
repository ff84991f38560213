//! Bodies on the wire, whole or harmed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, SizeHint};

/// What the peer answers with.
pub(crate) type WireBody = UnsyncBoxBody<Bytes, io::Error>;

pub(crate) fn full(body: impl Into<Bytes>) -> WireBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection is closed, as scripted")
}

/// How a body is harmed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyHarm {
    /// It breaks off after so many bytes.
    BreakAfter(u64),
    /// The byte at this position has one bit changed.
    FlipAt(u64),
}

/// A body that is harmed as it passes.
pub(crate) struct Harmed<B> {
    pub(crate) inner: B,
    pub(crate) harm: BodyHarm,
    pub(crate) passed: u64,
}

impl<B> Harmed<B> {
    pub(crate) fn new(inner: B, harm: BodyHarm) -> Self {
        Self { inner, harm, passed: 0 }
    }
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Body for Harmed<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if matches!(self.harm, BodyHarm::BreakAfter(bytes) if self.passed >= bytes) {
            return Poll::Ready(Some(Err(broken())));
        }
        let next = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        let Some(Ok(frame)) = next else { return Poll::Ready(next) };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(other) => return Poll::Ready(Some(Ok(other))),
        };
        let start = self.passed;
        let harmed = harm(data, start, self.harm);
        self.passed += harmed.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(harmed))))
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What becomes of the piece that begins at `start`.
fn harm(mut data: Bytes, start: u64, harm: BodyHarm) -> Bytes {
    match harm {
        BodyHarm::BreakAfter(bytes) => {
            data.truncate(usize::try_from(bytes - start).unwrap_or(usize::MAX));
            data
        }
        BodyHarm::FlipAt(position) => match position.checked_sub(start).and_then(|at| usize::try_from(at).ok()) {
            Some(at) if at < data.len() => {
                let mut flipped = BytesMut::from(&data[..]);
                flipped[at] ^= 1;
                flipped.freeze()
            }
            _ => data,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_asked_for_is_flipped_and_no_other() {
        let flip = |start| harm(Bytes::from_static(b"aaaa"), start, BodyHarm::FlipAt(6));
        assert_eq!(flip(4), "aa`a");
        assert_eq!(flip(0), "aaaa");
        assert_eq!(flip(7), "aaaa");
        assert_eq!(harm(Bytes::from_static(b"aaaa"), 4, BodyHarm::BreakAfter(6)), "aa");
    }
}
