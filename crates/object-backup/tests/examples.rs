//! The examples, run as a team that uses the crate alone would run them.

use std::path::PathBuf;
use std::process::Command;

use rusqlite::Connection;

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
fn an_application_finds_its_records_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let sql = "CREATE TABLE people (id text PRIMARY KEY, value text); CREATE TABLE customers (id text, value text); \
        CREATE TABLE orders (id text, value text); CREATE TABLE strangers (id text, value text); \
        INSERT INTO customers VALUES ('1', '{\"id\": \"1\"}'), ('2', '{\"id\": \"2\"}'); \
        INSERT INTO strangers VALUES ('3', '{\"id\": \"3\"}')";
    Connection::open(path("app.db")).unwrap().execute_batch(sql).unwrap();
    let said = run("application", &[&path("app.db"), &path("backups"), &path("out")]);
    assert!(said.starts_with("2 types with the base of `Customer`, 1 more in its module\n"), "{said}");
    assert!(said.contains("Customer--customers => 2 records backed up\n"), "{said}");
    assert!(said.contains("Customer--customers: 2 records restored\n") && !said.contains("strangers"), "{said}");
    let customers = std::fs::read_to_string(path("out/Customer--customers.json")).unwrap();
    assert_eq!(customers, "{\"id\": \"1\"}\n{\"id\": \"2\"}\n");
}

#[test]
fn a_database_of_ones_own_is_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run("own_source", &[folder.path().to_str().unwrap()]).starts_with("3 records in `notes/Backup_UTC_"));
}
