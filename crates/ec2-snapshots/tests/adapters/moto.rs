//! On moto, which others wrote: the same calls are understood alike. `LASTGOOD_MOTO` names its program `moto_server`, which
//! `cargo xtask test` fetches.
//!
//! moto is a second opinion on shapes only. Where it is known to be looser than AWS, no fact is asked for: snapshots are
//! complete at once there, `MaxResults` is ignored, and wrong checksums pass.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says why")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::facts::facts;
use crate::{fake, settings};

/// moto needs about two seconds.
const START: Duration = Duration::from_secs(60);

/// Facts that moto is known to have otherwise (5.2.5), by what they begin with: it ignores `CreateVolumePermission.Add`.
const OTHERWISE: [&str; 1] = ["shared with"];

struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

fn start(program: &std::ffi::OsStr) -> (Moto, String) {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let child = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let moto = Moto(child);
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < START, "moto does not listen");
        std::thread::sleep(Duration::from_millis(100));
    }
    (moto, format!("http://127.0.0.1:{port}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_is_understood_as_the_fake_is() {
    let Some(program) = std::env::var_os("LASTGOOD_MOTO") else {
        eprintln!("skipped: LASTGOOD_MOTO names no `moto_server`; `cargo xtask test` sets it");
        return;
    };
    let (_moto, url) = start(&program);
    let asked = |facts: Vec<String>| -> Vec<String> {
        facts.into_iter().filter(|fact| !OTHERWISE.iter().any(|begin| fact.starts_with(begin))).collect()
    };
    let theirs = asked(facts(&settings(&url), "ami-00000000000000001").await);
    assert_eq!(theirs, asked(fake::understood().await));
}
