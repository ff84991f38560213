//! The peer itself: what it refuses, and its control plane as another process uses it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use backup_testkit::s3_server::{Call, PeerOptions, PeerState, S3Peer};

/// One request over a connection of its own, unsigned: status and body.
fn request(endpoint: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).expect("the peer listens");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("the request is sent");
    let mut answer = String::new();
    // A scripted fault may close the connection.
    let _broken = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

#[test]
fn unsigned_requests_are_refused() {
    let peer = S3Peer::start(PeerOptions::default()).unwrap();
    peer.store("x", "content");
    for (method, path) in [("GET", "/backups/x"), ("PUT", "/backups/y"), ("GET", "/backups?list-type=2")] {
        let (status, body) = request(peer.endpoint(), method, path, "");
        assert_eq!(status, 403, "{method} {path}: {body}");
        assert!(body.contains("AccessDenied"), "{body}");
    }
    assert_eq!(peer.keys(), ["x"]);
}

#[test]
fn the_control_plane_does_what_the_methods_do() {
    let peer = S3Peer::start(PeerOptions::default()).unwrap();
    let post = |path: &str, body: &str| request(peer.endpoint(), "POST", path, body);
    peer.store("x", "content");
    assert_eq!(post("/_ctl/damage", r#"{"key": "x", "action": "flip", "offset": -1}"#).0, 200);
    assert_eq!(peer.object("x").unwrap(), "contenu");
    assert_eq!(post("/_ctl/damage", r#"{"key": "y", "action": "delete"}"#).0, 404);
    assert_eq!(post("/_ctl/damage", r#"{"key": "x", "action": "explode"}"#).0, 400);

    let rules = r#"[{"op": "GetObject", "times": 1, "action": {"kind": "status", "status": 418, "code": "Teapot"}},
                    {"op": "GetObject", "times": 1, "action": {"kind": "drop_before"}}]"#;
    assert_eq!(post("/_ctl/faults", rules).0, 200);
    assert_eq!(post("/_ctl/faults", r#"[{"action": {"kind": "unheard_of"}}]"#).0, 400);
    assert_eq!(request(peer.endpoint(), "GET", "/backups/x", "").0, 418);
    assert_eq!(request(peer.endpoint(), "GET", "/backups/x", "").0, 0);
    assert_eq!(request(peer.endpoint(), "GET", "/backups/x", "").0, 403);
    assert_eq!(post("/_ctl/faults", "[]").0, 200);

    assert_eq!(post("/_ctl/latency", r#"{"ms": 30}"#).0, 200);
    request(peer.endpoint(), "GET", "/backups/x", "");
    let log: Vec<Call> = serde_json::from_str(&request(peer.endpoint(), "GET", "/_ctl/log", "").1).unwrap();
    let seen: Vec<_> = log.iter().map(|call| (call.op.as_str(), call.key.as_str(), call.status)).collect();
    let get = |status| ("GetObject", "x", status);
    assert_eq!(seen, [get(418), get(0), get(403), get(403)]);
    assert!(log[3].took_ms >= 30 && log[2].took_ms < 30, "{log:?}");

    let state: PeerState = serde_json::from_str(&request(peer.endpoint(), "GET", "/_ctl/state", "").1).unwrap();
    assert_eq!((state.objects, state.bytes, state.unfinished), (1, 7, 0));
    assert_eq!(request(peer.endpoint(), "GET", "/_ctl/keys", "").1, r#"["x"]"#);
    assert_eq!(post("/_ctl/reset", "").0, 200);
    assert_eq!(peer.state().objects, 0);
    assert_eq!(peer.log(), []);
}

#[test]
fn the_binary_tells_its_endpoint_and_ends_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_s3-peer"))
        .args(["--port", "0", "--bucket", "one", "--bucket", "two", "--until-stdin-ends", "--data"])
        .arg(folder.path().join("bodies"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["buckets"], serde_json::json!(["one", "two"]));
    let endpoint = ready["endpoint"].as_str().unwrap();
    assert_eq!(request(endpoint, "GET", "/_ctl/keys", ""), (200, "[]".to_owned()));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
