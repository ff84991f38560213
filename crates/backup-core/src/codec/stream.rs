//! Streams through a compressor or decompressor, outside the task that reads and writes them.

use std::io;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::stream::try_unfold;
use futures_util::{Stream, StreamExt};

use super::machine::{Machine, Step};
use crate::manifest::Codec;
use crate::units;

/// Input gathered before a hop to a blocking thread, so that the hop does not show.
const INPUT_BYTES: usize = 128 * 1024;

/// The bytes of `input` compressed by `codec` at `level`; zstd uses `workers` threads where that is more than one.
///
/// Dropping the stream stops the work. For readers, see `tokio_util::io::{ReaderStream, StreamReader}`.
pub fn encode<S>(input: S, codec: Codec, level: i32, workers: u32) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    run(input, Machine::encoder(codec, level, workers), u64::MAX)
}

/// The content of `input`, compressed by `codec`: one or several frames or members. More than `content_bytes_max` bytes
/// of content, damage and a missing end are errors ([`io::ErrorKind::InvalidData`], [`io::ErrorKind::UnexpectedEof`]).
pub fn decode<S>(input: S, codec: Codec, content_bytes_max: u64) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    run(input, Machine::decoder(codec), content_bytes_max)
}

struct Run<S> {
    input: Pin<Box<S>>,
    machine: io::Result<Machine>,
    waiting: Bytes,
    ended: bool,
    finished: bool,
    allowed: u64,
    limit: u64,
}

fn run<S>(input: S, machine: io::Result<Machine>, limit: u64) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    let input = Box::pin(input);
    let run = Run { input, machine, waiting: Bytes::new(), ended: false, finished: false, allowed: limit, limit };
    try_unfold(run, async |mut run| {
        while !run.finished {
            let (next, output) = run.step().await?;
            run = next;
            if !output.is_empty() {
                return Ok(Some((output, run)));
            }
        }
        Ok(None)
    })
}

impl<S: Stream<Item = io::Result<Bytes>> + Send + 'static> Run<S> {
    async fn step(mut self) -> io::Result<(Self, Bytes)> {
        self.gather().await?;
        let mut machine = self.machine?;
        let (mut waiting, end) = (self.waiting, self.ended);
        let work = move || machine.step(&mut waiting, end).map(|step| (machine, waiting, step));
        let (machine, waiting, Step { output, again }) = match tokio::task::spawn_blocking(work).await {
            Ok(result) => result?,
            Err(error) => return Err(io::Error::other(error)),
        };
        self.allowed = self.allowed.checked_sub(output.len() as u64).ok_or_else(|| {
            let what = format!("the content is larger than the limit of {}", units::bytes(self.limit));
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        self.finished = self.ended && !again && waiting.is_empty();
        self.machine = Ok(machine);
        self.waiting = waiting;
        Ok((self, output.into()))
    }

    /// Waits for input unless there is some.
    async fn gather(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() || self.ended {
            return Ok(());
        }
        let mut gathered = BytesMut::new();
        while gathered.len() < INPUT_BYTES {
            match self.input.next().await {
                None => {
                    self.ended = true;
                    break;
                }
                Some(chunk) => gathered.extend_from_slice(&chunk?),
            }
        }
        self.waiting = gathered.freeze();
        Ok(())
    }
}
