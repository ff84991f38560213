//! One archive in a vault whose requests take 50 ms, against the larger of waiting and hashing.

use std::process::Command;

use backup_testkit::aws_fake::{DEFAULT_ACCOUNT, FakeOptions};
use backup_testkit::glacier_fake::GlacierFake;

use super::{Bench, Row, peak_bytes, random_file, show, times, wall_s};
use crate::Outcome;
use crate::bench::measure;

/// Bytes to upload at scale 1.
const BYTES: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;

/// Bytes of a part.
const PART_BYTES: u64 = 4 << 20;

/// How long a request takes.
const LATENCY_MS: u64 = 50;

/// Parts on their way at once.
const IN_FLIGHT: u64 = 8;

/// How much longer than the larger of the two the upload may take.
const RATIO_MAX: f64 = 1.3;

pub(super) fn rows(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let (file, tiny, bytes) = (bench.path("archived"), bench.path("tiny"), bench.scaled(BYTES));
    random_file(&file, bytes, 2)?;
    random_file(&tiny, 1 << 20, 3)?;
    let part = PART_BYTES.to_string();
    let (mut ours, mut hashing, mut base) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..usize::from(bench.args.rounds) {
        let upload = |file| -> Outcome<measure::Measurement> {
            let latency = std::time::Duration::from_millis(LATENCY_MS);
            let fake = GlacierFake::start(&FakeOptions { latency, ..FakeOptions::default() })?;
            // It is not what is measured: it looks at every byte, and spends no time on memory for them.
            fake.forget();
            fake.make_vault(DEFAULT_ACCOUNT, "us-east-1", "bench");
            let mut command = bench.measure("upload", file, &[&part]);
            command.envs(fake.environment(DEFAULT_ACCOUNT, "us-east-1"));
            measure::run(vec![command], None, None)
        };
        let least = || -> Outcome<measure::Measurement> {
            let command: Command = bench.measure("hash", &file, &[&part]);
            measure::run(vec![command], None, None)
        };
        base.push(upload(&tiny)?);
        // Whoever goes first changes from round to round.
        let (up, hash) = match round % 2 {
            0 => {
                let up = upload(&file)?;
                (up, least()?)
            }
            _ => {
                let hash = least()?;
                (upload(&file)?, hash)
            }
        };
        show(round, "upload", &up);
        show(round, "the same hashing", &hash);
        ours.push(up);
        hashing.push(hash);
    }
    let waiting = bytes.div_ceil(PART_BYTES) as f64 * LATENCY_MS as f64 / 1000.0 / IN_FLIGHT as f64;
    let (up, hash) = (wall_s(&ours), wall_s(&hashing));
    let least = waiting.max(hash);
    let job = format!("upload of {} MiB, 4 MiB parts, {LATENCY_MS} ms a request", bytes >> 20);
    let against = format!("waiting {waiting:.2} s or hashing {hash:.2} s, whichever is more");
    let ratio = up / least;
    let memory = peak_bytes(&ours).saturating_sub(peak_bytes(&base));
    let most = PART_BYTES * (IN_FLIGHT + 2);
    std::fs::remove_file(&file)?;
    Ok(vec![
        times(
            &job,
            &against,
            (up, least),
            format!("{ratio:.2}× the time"),
            format!("≤ {RATIO_MAX}×"),
            ratio <= RATIO_MAX,
        ),
        Row {
            job,
            against: "memory, beyond that of uploading 1 MiB".to_owned(),
            ours: format!("{} MiB", memory >> 20),
            peer: format!("{} MiB", peak_bytes(&base) >> 20),
            outcome: String::new(),
            target: format!("≤ {} MiB: a part × {}", most >> 20, IN_FLIGHT + 2),
            met: memory <= most,
        },
    ])
}
