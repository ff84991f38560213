//! A lease held by processes that are killed and stopped, in a folder and in S3.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::{PeerOptions, S3Peer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// How long a lease lasts here.
const TTL: Duration = Duration::from_secs(3);

/// Until a lease can be had after its holder died: its duration and what clocks may differ by, with room for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The exit code of a holder that lost its lease.
const LOST: i32 = 11;

/// Where the lease is.
struct Place {
    location: String,
    environment: Vec<(&'static str, String)>,
    peer: Option<S3Peer>,
    folder: Option<tempfile::TempDir>,
}

impl Place {
    fn all() -> [Self; 2] {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().to_str().unwrap().to_owned();
        let in_a_folder = Self { location, environment: Vec::new(), peer: None, folder: Some(folder) };
        let peer = S3Peer::start(PeerOptions::default()).unwrap();
        let location = "s3://backups/team".to_owned();
        [in_a_folder, Self { location, environment: peer.environment(), peer: Some(peer), folder: None }]
    }

    /// What is written under the lease.
    fn document(&self) -> Value {
        let bytes = match (&self.peer, &self.folder) {
            (Some(peer), _) => peer.object("team/jobs/state.json").unwrap().to_vec(),
            (None, Some(folder)) => std::fs::read(folder.path().join("jobs/state.json")).unwrap(),
            (None, None) => unreachable!("a place is one of the two"),
        };
        serde_json::from_slice(&bytes).unwrap()
    }

    fn start(&self, holder: &str) -> Holder {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lease-holder"))
            .args(["--location", &self.location, "--holder", holder])
            .args(["--ttl-ms", &TTL.as_millis().to_string()])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        Holder { orders: child.stdin.take(), child, said }
    }
}

/// A process that claims the lease.
struct Holder {
    child: Child,
    orders: Option<ChildStdin>,
    said: Receiver<String>,
}

impl Holder {
    /// What it says next.
    fn says(&self) -> Value {
        let line = self.said.recv_timeout(PATIENCE).expect("it says something");
        serde_json::from_str(&line).unwrap()
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it is stopped.
    fn is_stopped(&self) {
        let begin = Instant::now();
        let status = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&status).unwrap().contains(") T ") {
            assert!(begin.elapsed() < PATIENCE, "it goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(&self) {
        self.signal(Signal::STOP);
        self.is_stopped();
    }

    /// Says that it lost the lease, and ends.
    fn has_lost(&mut self) {
        let said = self.says();
        assert!(said["lost"].is_string(), "{said}");
        assert_eq!(self.child.wait().unwrap().code(), Some(LOST));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_lease_is_given_back_when_its_holder_ends() {
    for place in Place::all() {
        let mut one = place.start("one");
        assert_eq!(one.says(), json!({ "held": 1, "text": null }));
        let two = place.start("two");
        assert_eq!(two.says(), json!({ "waiting": "one" }));
        one.order("write of one");
        assert_eq!(one.says(), json!({ "wrote": "of one" }));
        // Longer than the lease lasts, which is renewed meanwhile.
        std::thread::sleep(2 * TTL);
        one.orders = None;
        assert_eq!(one.says(), json!({ "released": true }));
        assert_eq!(two.says(), json!({ "held": 2, "text": "of one" }));
    }
}

#[test]
fn the_lease_of_a_holder_that_was_killed_is_taken_over_once_it_expired() {
    for place in Place::all() {
        let mut one = place.start("one");
        assert_eq!(one.says()["held"], 1);
        one.order("write of one");
        assert_eq!(one.says()["wrote"], "of one");
        let two = place.start("two");
        assert_eq!(two.says()["waiting"], "one");
        let begin = Instant::now();
        one.signal(Signal::KILL);
        assert_eq!(two.says(), json!({ "held": 2, "text": "of one" }));
        assert!(begin.elapsed() >= TTL / 2, "it was taken over before it expired");
    }
}

#[test]
fn a_holder_that_was_stopped_notices_and_writes_nothing() {
    for place in Place::all() {
        let mut one = place.start("one");
        assert_eq!(one.says()["held"], 1);
        one.order("write of one");
        assert_eq!(one.says()["wrote"], "of one");
        one.stop();
        // What it is told while it is stopped, it finds when it goes on.
        one.order("write too late");
        let mut two = place.start("two");
        assert_eq!(two.says()["waiting"], "one");
        assert_eq!(two.says(), json!({ "held": 2, "text": "of one" }));
        two.order("write of two");
        assert_eq!(two.says()["wrote"], "of two");
        one.signal(Signal::CONT);
        one.has_lost();
        assert_eq!(place.document(), json!({ "lease": { "generation": 2, "revision": 4 }, "text": "of two" }));
    }
}

#[test]
fn a_holder_that_was_stopped_notices_though_nobody_took_over() {
    for place in Place::all() {
        let mut one = place.start("one");
        assert_eq!(one.says()["held"], 1);
        one.order("write of one");
        assert_eq!(one.says()["wrote"], "of one");
        one.stop();
        one.order("write too late");
        std::thread::sleep(2 * TTL);
        one.signal(Signal::CONT);
        one.has_lost();
        assert_eq!(place.document(), json!({ "lease": { "generation": 1, "revision": 2 }, "text": "of one" }));
    }
}

#[test]
fn a_request_that_was_all_but_sent_is_refused_by_the_store() {
    for place in Place::all() {
        let mut one = place.start("one");
        assert_eq!(one.says()["held"], 1);
        one.order("write of one");
        assert_eq!(one.says()["wrote"], "of one");
        one.order("stop-then-write too late");
        one.is_stopped();
        // The next holder has not written anything of its own yet.
        let two = place.start("two");
        assert_eq!(two.says()["waiting"], "one");
        assert_eq!(two.says(), json!({ "held": 2, "text": "of one" }));
        one.signal(Signal::CONT);
        one.has_lost();
        assert_eq!(place.document(), json!({ "lease": { "generation": 2, "revision": 3 }, "text": "of one" }));
    }
}

#[test]
fn a_server_that_ignores_conditions_gives_no_lease() {
    let [_, place] = Place::all();
    place.peer.as_ref().unwrap().faults([Rule::new(Action::IgnoreConditions)]);
    let mut one = place.start("one");
    assert!(!one.child.wait().unwrap().success());
    assert!(one.said.recv_timeout(PATIENCE).is_err(), "it said that it holds the lease");
}
