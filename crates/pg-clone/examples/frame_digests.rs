//! What a digest of each frame costs a dump: `cargo run --release -p pg-clone --example frame_digests`.
//!
//! Does to rows what a dump's worker does with them (hash each, compress by 1 MiB, hash what is stored), and beside it, in
//! turn with it, what each candidate costs. The server's half of a dump is not counted, so the true share is smaller.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_128;

/// Rounds of which the fastest counts: whatever else the machine does only makes one slower.
const ROUNDS: usize = 15;

/// Bytes of rows: many pieces, and a second at most.
const CONTENT_BYTES: usize = 32 * 1024 * 1024;

/// As `stored/frame.rs` cuts them.
const PIECE_BYTES: usize = 1024 * 1024;

/// What is stored of a frame, and what it holds before compression.
const CANDIDATES: [&str; 5] = ["XXH3-128", "BLAKE3", "SHA-256", "BLAKE3 of the content", "SHA-256 of the content"];

#[allow(clippy::print_stdout)] // the table is this program's result
fn main() -> std::io::Result<()> {
    for (name, rows) in [("rows of a shop", shop_rows()), ("images as bytea", image_rows())] {
        let measured = measure(&rows)?;
        println!("{name}: {} MiB, stored {} MiB", rows.len() >> 20, measured.stored_bytes >> 20);
        println!("  a worker without digests of frames   {:7.1} ms", ms(measured.work));
        for (candidate, time) in measured.candidates {
            let share = 100.0 * time.as_secs_f64() / measured.work.as_secs_f64();
            println!("  {candidate:<36} {:7.1} ms, {share:4.1} % more", ms(time));
        }
    }
    Ok(())
}

fn ms(time: Duration) -> f64 {
    1000.0 * time.as_secs_f64()
}

struct Measured {
    stored_bytes: usize,
    work: Duration,
    candidates: [(&'static str, Duration); CANDIDATES.len()],
}

fn measure(rows: &[u8]) -> std::io::Result<Measured> {
    let mut measured =
        Measured { stored_bytes: 0, work: Duration::MAX, candidates: CANDIDATES.map(|name| (name, Duration::MAX)) };
    let mut compressor = zstd::bulk::Compressor::new(1)?;
    let mut stored = Vec::with_capacity(zstd::zstd_safe::compress_bound(PIECE_BYTES));
    for _ in 0..ROUNDS {
        let (mut work, mut candidates, mut stored_bytes) = (Duration::ZERO, [Duration::ZERO; CANDIDATES.len()], 0);
        // An object is hashed whole, whatever its frames have.
        let mut object = Sha256::new();
        for piece in rows.chunks(PIECE_BYTES) {
            work += timed(|| {
                black_box(row_hash(piece));
                compressor.compress_to_buffer(piece, &mut stored)
            })?;
            candidates[0] += timed(|| Ok(black_box(xxh3_128(&stored))))?;
            candidates[1] += timed(|| Ok(black_box(blake3::hash(&stored))))?;
            candidates[2] += timed(|| Ok(black_box(Sha256::digest(&stored))))?;
            candidates[3] += timed(|| Ok(black_box(blake3::hash(piece))))?;
            candidates[4] += timed(|| Ok(black_box(Sha256::digest(piece))))?;
            work += timed(|| {
                object.update(&stored);
                Ok(())
            })?;
            stored_bytes += stored.len();
        }
        black_box(object.finalize());
        measured.stored_bytes = stored_bytes;
        measured.work = measured.work.min(work);
        for ((_, fastest), time) in measured.candidates.iter_mut().zip(candidates) {
            *fastest = (*fastest).min(time);
        }
    }
    Ok(measured)
}

fn timed<T>(work: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<Duration> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}

fn row_hash(rows: &[u8]) -> u128 {
    let mut sum = 0_u128;
    let mut begin = 0;
    for end in memchr::memchr_iter(b'\n', rows) {
        sum = sum.wrapping_add(xxh3_128(&rows[begin..end]));
        begin = end + 1;
    }
    sum
}

/// Orders as `COPY` prints them: numbers, times, words from a small vocabulary, a little JSON.
fn shop_rows() -> Vec<u8> {
    const WORDS: [&str; 8] = ["pending", "shipped", "returned", "blue", "large", "gift", "express", "cotton"];
    let mut numbers = Numbers(7);
    let mut rows = Vec::with_capacity(CONTENT_BYTES + 256);
    while rows.len() < CONTENT_BYTES {
        let [a, b, c] = [numbers.next(), numbers.next(), numbers.next()];
        let word = |number: u64| WORDS[(number % 8) as usize];
        let row = format!(
            "{}\t{}\t2026-{:02}-{:02} {:02}:{:02}:00+00\t{}\t{{\"note\": \"{} {} {}\", \"price\": {}.{:02}}}\t{b:016x}\n",
            rows.len(),
            a % 100_000,
            a % 12 + 1,
            b % 28 + 1,
            c % 24,
            a % 60,
            word(b),
            word(a >> 8),
            word(c >> 8),
            word(b >> 8),
            c % 1000,
            a % 100,
        );
        rows.extend_from_slice(row.as_bytes());
    }
    rows
}

/// Images as `COPY` prints them: random bytes in hexadecimal digits, the worst that text can hold for a compressor.
fn image_rows() -> Vec<u8> {
    let mut numbers = Numbers(11);
    let mut rows = Vec::with_capacity(CONTENT_BYTES + 4096);
    while rows.len() < CONTENT_BYTES {
        rows.extend_from_slice(b"\\\\x");
        for _ in 0..128 {
            rows.extend_from_slice(format!("{:016x}", numbers.next()).as_bytes());
        }
        rows.push(b'\n');
    }
    rows
}

/// Xorshift (Marsaglia 2003): the same rows on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
