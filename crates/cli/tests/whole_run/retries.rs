//! What a user sees of a location that fails for now.

use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::{PeerOptions, S3Peer};

use crate::binary::{Run, lastgood};

/// Makes a location of a bucket whose first requests fail.
fn init(line: &str) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let peer = S3Peer::start(PeerOptions::default()).expect("a peer starts");
    peer.faults([
        Rule::new(Action::Status { status: 503, code: "SlowDown".to_owned() }).on("PutObject").times(3),
        Rule::new(Action::DropBefore).on("GetObject").times(1),
    ]);
    let mut command = lastgood(folder.path(), line);
    let run: Run = command.envs(peer.environment()).output().expect("the binary starts").into();
    assert_eq!(run.code, Some(0), "{run:?}");
    run
}

#[test]
fn c9_each_kind_of_request_that_is_tried_again_is_told_once() {
    let run = init("init -r s3://backups/team");
    let told: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("retrying ")).collect();
    assert_eq!(told.len(), 2, "{run:?}");
    assert!(told.iter().all(|line| line.ends_with("(attempt 2 of 8)")), "{run:?}");
    let of = |request: &str| told.iter().find(|line| line.starts_with(&format!("retrying {request} `")));
    assert!(of("s3:PutObject").is_some_and(|line| line.contains(": 503 SlowDown")), "{run:?}");
    assert!(of("s3:GetObject").is_some(), "{run:?}");
}

#[test]
fn who_asked_for_silence_or_documents_is_not_told() {
    for line in ["init -q -r s3://backups/team", "init --json -r s3://backups/team"] {
        assert_eq!(init(line).stderr, "", "{line}");
    }
}
