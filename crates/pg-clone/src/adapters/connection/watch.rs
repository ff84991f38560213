//! Ends a connection whose server asks for another authentication than `require_auth` allows, before it is answered.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::adapters::connection::demands::{Method, RequireAuth};

/// Bytes of a server's first message up to the number that says what it asks for: kind, length, number.
const HEAD_BYTES: usize = 9;

/// The server asked for something that will not do.
#[derive(Debug, thiserror::Error)]
#[error("the server asks for the authentication method `{asked}`, which require_auth does not allow")]
pub(super) struct NotAllowed {
    asked: &'static str,
}

/// Looks at the first message of a server.
#[derive(Debug)]
struct Watch {
    rule: RequireAuth,
    /// Whether the server says first whether it speaks TLS.
    says_tls: bool,
    head: Vec<u8>,
}

impl Watch {
    /// Takes in what was read; true when there is nothing more to look at. What is no request for authentication is no
    /// way around it: the driver takes nothing else as the first message.
    fn done(&mut self, mut read: &[u8]) -> Result<bool, NotAllowed> {
        if self.says_tls {
            match read.split_first() {
                None => return Ok(false),
                Some((b'N', rest)) => (self.says_tls, read) = (false, rest),
                // The layer above looks on.
                Some(_) => return Ok(true),
            }
        }
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&read[..read.len().min(room)]);
        match &*self.head {
            [] => Ok(false),
            [b'R', _, _, _, _, code @ ..] => {
                let Ok(code) = <[u8; 4]>::try_from(code) else { return Ok(false) };
                let asked = Method::of_request(u32::from_be_bytes(code));
                match self.rule.allows(asked) {
                    true => Ok(true),
                    false => Err(NotAllowed { asked: asked.map_or("of another kind", Method::name) }),
                }
            }
            [b'R', ..] => Ok(false),
            _ => Ok(true),
        }
    }
}

/// A stream that is watched.
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: S,
    watch: Option<Watch>,
}

impl<S> Watched<S> {
    /// A plain connection, over which TLS may be `offered`.
    pub(super) fn plain(inner: S, rule: Option<&RequireAuth>, offered: bool) -> Self {
        let watch = |rule: &RequireAuth| Watch { rule: rule.clone(), says_tls: offered, head: Vec::new() };
        Self { inner, watch: rule.map(watch) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if let Some(watch) = &mut self.watch {
            match watch.done(&buffer.filled()[before..]) {
                Ok(false) => {}
                Ok(true) => self.watch = None,
                Err(refused) => {
                    buffer.set_filled(before);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::PermissionDenied, refused)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Watched<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

/// Makes watched streams of TLS.
#[derive(Debug)]
pub(super) struct WatchedTls<T> {
    tls: T,
    rule: Option<RequireAuth>,
}

impl<T> WatchedTls<T> {
    pub(super) fn new(tls: T, rule: Option<RequireAuth>) -> Self {
        Self { tls, rule }
    }
}

impl<S, T> TlsConnect<S> for WatchedTls<T>
where
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
    T::Future: Send + 'static,
    T::Error: 'static,
{
    type Stream = Watched<T::Stream>;
    type Error = T::Error;
    type Future = BoxFuture<'static, Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { tls, rule } = self;
        let connected = tls.connect(stream);
        async move { Ok(Watched::plain(connected.await?, rule.as_ref(), false)) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a watch says to these bytes, however they are cut into pieces.
    fn said(rule: &str, says_tls: bool, bytes: &[u8]) -> Result<bool, String> {
        let mut answers = Vec::new();
        for piece in 1..=bytes.len() {
            let mut watch = Watch { rule: RequireAuth::parse(rule).unwrap(), says_tls, head: Vec::new() };
            let mut answer = Ok(false);
            for piece in bytes.chunks(piece) {
                answer = watch.done(piece).map_err(|error| error.to_string());
                if !matches!(answer, Ok(false)) {
                    break;
                }
            }
            answers.push(answer);
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        answers.remove(0)
    }

    fn request(code: u32) -> Vec<u8> {
        [b"R\0\0\0\x0c".as_slice(), &code.to_be_bytes(), b"salt"].concat()
    }

    #[test]
    fn a_request_that_is_not_allowed_is_not_answered() {
        for (rule, code, allowed) in [
            ("scram-sha-256", 10, true),
            ("scram-sha-256", 3, false),
            ("scram-sha-256", 0, false),
            ("!password", 3, false),
            ("!password", 5, true),
            ("none", 0, true),
        ] {
            for (says_tls, first) in [(false, &b""[..]), (true, b"N")] {
                let bytes = [first, &request(code)].concat();
                assert_eq!(said(rule, says_tls, &bytes).is_ok(), allowed, "{rule} {code}");
            }
        }
        assert!(said("md5", false, &request(3)).unwrap_err().contains("`password`"));
    }

    #[test]
    fn inside_tls_and_at_errors_nothing_more_is_looked_at() {
        assert_eq!(said("md5", true, b"S\x16\x03\x01R\0\0\0\x08\0\0\0\0"), Ok(true));
        assert_eq!(said("md5", false, b"E\0\0\0\x08SFATAL"), Ok(true));
        assert_eq!(said("md5", false, b"R\0\0\0"), Ok(false));
    }
}
