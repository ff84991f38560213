//! Compressors and decompressors that take input of any size and return bounded output per step.

use std::io::{self, Write};

use bytes::{Buf, Bytes};
use flate2::write::{GzEncoder, MultiGzDecoder};
use zstd::stream::raw::{CParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use crate::manifest::Codec;

/// Bytes a step gives at most, but for gzip, whose input is cut small instead.
const OUTPUT_BYTES: usize = 512 * 1024;

/// Input of one step of gzip decompression: at most 1,032 times as much comes out (RFC 1951's longest match).
const GZIP_INPUT_BYTES: usize = 4 * 1024;

/// What a step gave.
pub(super) struct Step {
    pub(super) output: Vec<u8>,
    /// Whether the same input, or the same end of it, has more to give.
    pub(super) again: bool,
}

pub(super) enum Machine {
    Copy,
    ZstdEncode(Box<Encoder<'static>>),
    ZstdDecode { decoder: Box<Decoder<'static>>, inside_frame: bool },
    GzipEncode(Box<GzEncoder<Vec<u8>>>),
    GzipDecode { decoder: Box<MultiGzDecoder<Vec<u8>>>, empty: bool },
}

impl Machine {
    pub(super) fn encoder(codec: Codec, level: i32, workers: u32) -> io::Result<Self> {
        Ok(match codec {
            Codec::None => Self::Copy,
            Codec::Zstd => {
                let mut encoder = Encoder::new(level)?;
                encoder.set_parameter(CParameter::ChecksumFlag(true))?;
                if workers > 1 {
                    encoder.set_parameter(CParameter::NbWorkers(workers))?;
                }
                Self::ZstdEncode(Box::new(encoder))
            }
            Codec::Gzip => {
                let level = flate2::Compression::new(u32::try_from(level.clamp(0, 9)).unwrap_or(6));
                Self::GzipEncode(Box::new(GzEncoder::new(Vec::new(), level)))
            }
        })
    }

    pub(super) fn decoder(codec: Codec) -> io::Result<Self> {
        Ok(match codec {
            Codec::None => Self::Copy,
            Codec::Zstd => Self::ZstdDecode { decoder: Box::new(Decoder::new()?), inside_frame: true },
            Codec::Gzip => Self::GzipDecode { decoder: Box::new(MultiGzDecoder::new(Vec::new())), empty: true },
        })
    }

    /// Takes some of `input`, or learns that there will be no more (`end`).
    pub(super) fn step(&mut self, input: &mut Bytes, end: bool) -> io::Result<Step> {
        match self {
            Self::Copy => Ok(Step { output: std::mem::take(input).into(), again: false }),
            Self::ZstdEncode(encoder) => zstd_encode(encoder, input, end),
            Self::ZstdDecode { decoder, inside_frame } => zstd_decode(decoder, inside_frame, input, end),
            Self::GzipEncode(encoder) => {
                encoder.write_all(input)?;
                input.clear();
                if end {
                    encoder.try_finish()?;
                }
                Ok(Step { output: std::mem::take(encoder.get_mut()), again: false })
            }
            Self::GzipDecode { decoder, empty } => {
                let slice = input.split_to(input.len().min(GZIP_INPUT_BYTES));
                *empty &= slice.is_empty();
                decoder.write_all(&slice).map_err(damaged)?;
                if end && input.is_empty() {
                    if *empty {
                        return Err(truncated());
                    }
                    decoder.try_finish().map_err(damaged)?;
                }
                Ok(Step { output: std::mem::take(decoder.get_mut()), again: !input.is_empty() })
            }
        }
    }
}

fn zstd_encode(encoder: &mut Encoder<'_>, input: &mut Bytes, end: bool) -> io::Result<Step> {
    let mut output = Vec::with_capacity(OUTPUT_BYTES);
    let mut out = OutBuffer::around(&mut output);
    let mut source = InBuffer::around(input);
    while source.pos() < input.len() && out.pos() < OUTPUT_BYTES {
        encoder.run(&mut source, &mut out)?;
    }
    let taken = source.pos();
    let mut again = taken < input.len();
    if end && !again {
        again = encoder.finish(&mut out, true)? > 0;
    }
    input.advance(taken);
    Ok(Step { output, again })
}

fn zstd_decode(decoder: &mut Decoder<'_>, inside: &mut bool, input: &mut Bytes, end: bool) -> io::Result<Step> {
    let mut output = Vec::with_capacity(OUTPUT_BYTES);
    let mut out = OutBuffer::around(&mut output);
    let mut source = InBuffer::around(input);
    loop {
        let before = (source.pos(), out.pos());
        let expected = decoder.run(&mut source, &mut out).map_err(damaged)?;
        if (source.pos(), out.pos()) == before {
            break;
        }
        *inside = expected > 0;
        let flushed = out.pos() < OUTPUT_BYTES;
        // Calling again between frames would begin a frame that may never come.
        if !flushed || (source.pos() == input.len() && !*inside) {
            break;
        }
    }
    let taken = source.pos();
    let again = taken < input.len() || output.len() == OUTPUT_BYTES;
    input.advance(taken);
    if end && !again && *inside {
        return Err(truncated());
    }
    Ok(Step { output, again })
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the compressed data ends too early")
}

fn damaged(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return truncated();
    }
    io::Error::new(io::ErrorKind::InvalidData, format!("the compressed data is damaged: {error}"))
}
