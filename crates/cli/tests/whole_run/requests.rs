//! What options say about the requests to the location: how fast, and what is logged of each.

use std::fs;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binary::{Run, lastgood, run};

/// Bytes of records that no compression makes much smaller than half.
const CONTENT_BYTES: usize = 60_000;

/// A location, and a folder of records to back up.
fn bench() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(run(folder.path(), "init -q").code, Some(0));
    let mut state = 1_u64;
    let digits = (0..CONTENT_BYTES / 16).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ (state >> 29))
    });
    fs::create_dir(folder.path().join("records")).expect("a folder");
    let record = format!("{{\"id\":1,\"text\":\"{}\"}}\n", digits.collect::<String>());
    fs::write(folder.path().join("records/Note--notes.json"), record).expect("a file");
    folder
}

fn backup(folder: &TempDir, options: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = lastgood(folder.path(), &format!("app backup --source ndjson:records {options}"));
    command.envs(variables.iter().copied()).output().expect("the binary starts").into()
}

#[test]
fn what_is_sent_takes_as_long_as_its_limit_says() {
    let folder = bench();
    for (options, variables) in [("--limit-upload 16KiB", &[][..]), ("", &[("LASTGOOD_LIMIT_UPLOAD", "16KiB/s")][..])] {
        let begun = Instant::now();
        let done = backup(&folder, options, variables);
        assert_eq!(done.code, Some(0), "{done:?}");
        // About half of the content is stored: a second and three quarters.
        assert!(begun.elapsed() > Duration::from_millis(1_500), "{:?}", begun.elapsed());
    }
    let refused = backup(&folder, "--limit-upload fast", &[]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("such as 10MiB"), "{refused:?}");
}

#[test]
fn each_request_is_logged_on_request_with_its_outcome() {
    let folder = bench();
    let quiet = backup(&folder, "", &[]);
    assert!(!quiet.stderr.contains("operation="), "{quiet:?}");
    let summed = backup(&folder, "-v", &[]);
    assert!(summed.stderr.contains("requests to the store requests=\""), "{summed:?}");
    assert!(!summed.stderr.contains("operation="), "{summed:?}");
    let told = backup(&folder, "-vv", &[]);
    let line = |operation: &str, what: &str| {
        let begin = format!("operation=\"{operation}\"");
        told.stderr.lines().any(|line| line.contains(&begin) && line.contains(what) && line.contains(" ms="))
    };
    assert!(line("put", ".tar.gz.manifest.json") && line("put", "outcome=\"ok\""), "{told:?}");
    assert!(line("get", "key=lastgood.json"), "{told:?}");
}
