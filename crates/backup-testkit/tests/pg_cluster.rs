//! The `pg-cluster` program: its line, and the end of its server however it ends itself.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// An immediate shutdown takes a fraction of a second.
const END_TIMEOUT: Duration = Duration::from_secs(20);

fn start() -> (Child, serde_json::Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pg-cluster"))
        .args(["--conf", "log_min_messages = debug1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn server(line: &serde_json::Value) -> PathBuf {
    Path::new("/proc").join(line["pid"].to_string())
}

fn folder(line: &serde_json::Value) -> PathBuf {
    Path::new(line["socket_dir"].as_str().unwrap()).parent().unwrap().to_owned()
}

fn ends(server: &Path) -> bool {
    let deadline = Instant::now() + END_TIMEOUT;
    while server.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    !server.exists()
}

#[test]
fn its_line_leads_to_a_server_that_ends_when_stdin_closes() {
    let (mut child, line) = start();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    let output = Command::new(Path::new(&text("bin_dir")).join("psql"))
        .args(["-X", "-A", "-t", "-w", "-c", "SHOW log_min_messages"])
        .env("PGHOST", text("host"))
        .env("PGPORT", line["port"].to_string())
        .env("PGUSER", text("user"))
        .env("PGPASSFILE", text("passfile"))
        .env("PGDATABASE", "postgres")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "debug1\n");
    assert!(server(&line).exists());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(!server(&line).exists() && !folder(&line).exists());
}

#[test]
fn sigterm_ends_it_in_order() {
    let (mut child, line) = start();
    assert!(server(&line).exists());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!server(&line).exists() && !folder(&line).exists());
}

#[test]
fn its_server_dies_with_it_even_by_sigkill() {
    let (mut child, line) = start();
    assert!(server(&line).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ends(&server(&line)));
    // A later sweep would do it; this one knows.
    std::fs::remove_dir_all(folder(&line)).unwrap();
}
