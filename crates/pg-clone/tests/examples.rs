//! The examples, run as a team that uses the crate alone would run them.

use std::path::PathBuf;
use std::process::{Command, Output};

use backup_testkit::postgres::Cluster;

/// `cargo test` builds the examples beside the folder of the test programs.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name)
}

fn run(cluster: &Cluster, name: &str, arguments: &[&str]) -> Output {
    let run = Command::new(example(name)).args(arguments).envs(cluster.env()).output();
    run.expect("a plain `cargo test` builds the examples; before `--test examples` run `cargo build --examples`")
}

#[test]
fn a_database_is_dumped_by_one_and_restored_by_the_other() {
    let cluster = Cluster::shared();
    cluster.create_database("example").unwrap();
    cluster
        .psql(
            "example",
            "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item VALUES (1, 'é'), (2, NULL)",
        )
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().to_str().unwrap();

    let dumped = run(cluster, "dump", &["example", location]);
    assert!(dumped.status.success(), "{dumped:?}");
    let key = String::from_utf8(dumped.stdout).unwrap();

    let restored = run(cluster, "restore", &[key.trim(), location, "example_copy"]);
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(String::from_utf8(restored.stdout).unwrap(), "example_copy: 1 tables, 2 rows\n");
    let rows = "SELECT id, name IS NULL, name FROM item ORDER BY id";
    assert_eq!(cluster.psql("example_copy", rows).unwrap(), cluster.psql("example", rows).unwrap());
}

#[test]
fn a_missing_dump_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let failed = run(Cluster::shared(), "restore", &["nothing", folder.path().to_str().unwrap(), "example_none"]);
    assert!(!failed.status.success());
    assert!(String::from_utf8_lossy(&failed.stderr).contains("nothing"), "{failed:?}");
}
