//! Round trips, the field's own tools, bombs and cut ends.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use proptest::prelude::*;

use super::*;
use crate::manifest::Codec;

const ALL: [Codec; 3] = [Codec::None, Codec::Zstd, Codec::Gzip];

fn chunks(bytes: &[u8], size: usize) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let chunks: Vec<_> = bytes.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

async fn collect(stream: impl futures_util::Stream<Item = io::Result<Bytes>>) -> io::Result<Vec<u8>> {
    stream
        .try_fold(Vec::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}

async fn encoded(content: &[u8], codec: Codec) -> Vec<u8> {
    collect(encode(chunks(content, 50_000), codec, 3, 1)).await.unwrap()
}

/// Text that compresses, and does not repeat.
fn sample(bytes: usize) -> Vec<u8> {
    (0_u64..).flat_map(|n| format!("{} row {n}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).take(bytes).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn streams_round_trip(content in prop::collection::vec(any::<u8>(), 0..300_000), size in 1_000..200_000_usize) {
        block_on(async {
            for codec in ALL {
                let stored = collect(encode(chunks(&content, size), codec, 1, 1)).await.unwrap();
                let back = collect(decode(chunks(&stored, size), codec, content.len() as u64)).await.unwrap();
                assert!(back == content, "{codec:?}");
            }
        });
    }

    #[test]
    fn frames_round_trip(content in prop::collection::vec(any::<u8>(), 0..100_000), level in -3..8_i32) {
        let mut compressor = FrameCompressor::new(level).unwrap();
        for _ in 0..2 {
            let frame = compressor.compress(&content).unwrap();
            prop_assert!(decompress_frame(&frame, content.len()).unwrap() == content);
        }
    }

    #[test]
    fn damaged_frames_are_found(content in prop::collection::vec(any::<u8>(), 1..2_000), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut frame = FrameCompressor::new(3).unwrap().compress(&content).unwrap();
        let at = at.index(frame.len());
        frame[at] ^= 1 << bit;
        // The header has a bit or two without meaning; content is never wrong.
        if let Ok(back) = decompress_frame(&frame, content.len()) {
            prop_assert!(back == content);
        }
    }
}

#[tokio::test]
async fn large_content_passes_through_bounded_steps() {
    let content = sample(8_000_000);
    for codec in [Codec::Zstd, Codec::Gzip] {
        let stored = encoded(&content, codec).await;
        assert!(stored.len() < content.len() / 2, "{codec:?} compresses");
        let mut decoded = Box::pin(decode(chunks(&stored, stored.len()), codec, u64::MAX));
        let (mut total, mut largest) = (0, 0);
        while let Some(chunk) = decoded.next().await {
            let chunk = chunk.unwrap();
            total += chunk.len();
            largest = largest.max(chunk.len());
        }
        assert_eq!(total, content.len());
        assert!(largest <= 5_000_000, "{codec:?}: {largest} bytes at once");
    }
    let threaded = collect(encode(chunks(&content, 1_000_000), Codec::Zstd, 3, 2)).await.unwrap();
    assert!(collect(decode(chunks(&threaded, 10_000), Codec::Zstd, u64::MAX)).await.unwrap() == content);
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_limit() {
    let zeros = vec![0; 64_000_000];
    for codec in [Codec::Zstd, Codec::Gzip] {
        let bomb = encoded(&zeros, codec).await;
        let error = collect(decode(chunks(&bomb, 1_000_000), codec, 1_000_000)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{codec:?} of {} bytes: {error}", bomb.len());
        assert!(error.to_string().contains("the limit of 977 KiB"), "{error}");
    }
    let frame = FrameCompressor::new(3).unwrap().compress(&zeros).unwrap();
    let error = decompress_frame(&frame, 1_000_000).unwrap_err();
    assert!(error.to_string().contains("declares 61 MiB"), "{error}");
}

#[tokio::test]
async fn a_cut_end_is_an_error_at_every_byte() {
    let content = sample(3_000);
    for codec in [Codec::Zstd, Codec::Gzip] {
        let stored = encoded(&content, codec).await;
        let twice = [stored.clone(), stored.clone()].concat();
        for length in (0..twice.len()).filter(|length| *length != stored.len()) {
            let error = collect(decode(chunks(&twice[..length], 100), codec, u64::MAX)).await.unwrap_err();
            assert_ne!(error.kind(), io::ErrorKind::Other, "{codec:?} cut at {length}: {error}");
        }
        let mut flipped = stored.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x10;
        collect(decode(chunks(&flipped, 100), codec, u64::MAX)).await.unwrap_err();
    }
}

#[tokio::test]
async fn several_frames_or_members_are_one_content() {
    for codec in [Codec::Zstd, Codec::Gzip] {
        let twice = [encoded(b"one ", codec).await, encoded(b"two", codec).await].concat();
        for size in [1, 7, 1_000] {
            assert_eq!(collect(decode(chunks(&twice, size), codec, 7)).await.unwrap(), b"one two");
        }
    }
}

#[tokio::test]
async fn an_error_of_the_source_ends_the_stream() {
    let broken = stream::iter([Ok(Bytes::from_static(b"abc")), Err(io::Error::other("gone"))]);
    let error = collect(encode(broken, Codec::Zstd, 3, 1)).await.unwrap_err();
    assert_eq!(error.to_string(), "gone");
}

#[test]
fn frames_that_are_not_one_sized_frame_are_refused() {
    let frame = FrameCompressor::new(3).unwrap().compress(b"content").unwrap();
    let doubled = [frame.clone(), frame.clone()].concat();
    assert!(decompress_frame(&doubled, 100).unwrap_err().to_string().contains("follow"));
    assert!(decompress_frame(&frame[..frame.len() - 1], 100).is_err());
    assert!(decompress_frame(b"", 100).is_err());
    assert!(decompress_frame(b"not zstd at all", 100).is_err());
    let unsized_frame = block_on(encoded(b"content", Codec::Zstd));
    assert!(decompress_frame(&unsized_frame, 100).unwrap_err().to_string().contains("does not declare"));
}

#[tokio::test]
async fn gzip_itself_reads_what_is_written() {
    let content = sample(200_000);
    let stored = encoded(&content, Codec::Gzip).await;
    assert_eq!(stored, encoded(&content, Codec::Gzip).await, "the same every time");
    let mut child = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&stored));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success() && output.stdout == content);
}
