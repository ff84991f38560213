//! The examples, run as a team that uses the crate alone would run them.

use std::path::PathBuf;
use std::process::Command;

/// `cargo test` builds the examples beside the folder of the test programs.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name)
}

fn run(name: &str, arguments: &[&str]) -> String {
    let run = Command::new(example(name)).args(arguments).output();
    let run =
        run.expect("a plain `cargo test` builds the examples; before `--test examples` run `cargo build --examples`");
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn a_service_finds_its_events_again() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("backups");
    let location = location.to_str().unwrap();
    assert!(run("service", &[location]).starts_with("100 events"));
    assert!(run("service", &[location]).starts_with("200 events"));
}

#[test]
fn another_store_is_backed_up_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run("other_store", &[folder.path().to_str().unwrap()]);
    assert!(printed.contains("apples") && printed.contains("Int(2)"), "{printed}");
}

#[test]
fn the_measurement_runs() {
    assert_eq!(run("snapshot_cost", &["8192"]).lines().count(), 4);
}
