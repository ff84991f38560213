//! The S3 peer of a benchmark: strict, on this machine, its objects in a folder so that they take no memory.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use backup_testkit::s3_server::{BUCKET, PeerOptions, S3Peer};

use crate::Outcome;

/// A running peer, empty at first.
#[derive(Debug)]
pub(crate) struct S3 {
    peer: S3Peer,
    latency: Duration,
}

impl S3 {
    /// Starts a peer that keeps its objects in the folder `data` and adds `delay_ms` to every request.
    pub(crate) fn start(data: PathBuf, delay_ms: u64) -> Outcome<Self> {
        let latency = Duration::from_millis(delay_ms);
        Ok(Self { peer: S3Peer::start(PeerOptions { data: Some(data), latency, ..PeerOptions::default() })?, latency })
    }

    /// Location of a folder in its bucket.
    pub(crate) fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// Points `command` at it, and away from this machine's own configuration.
    pub(crate) fn point(&self, command: &mut Command) {
        for name in
            ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"]
        {
            command.env_remove(name);
        }
        command.envs(self.peer.environment());
    }

    /// Bytes of all objects.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.peer.state().bytes
    }

    /// How many requests there were, counted anew from now on.
    pub(crate) fn take_requests(&self) -> usize {
        let requests = self.peer.log().len();
        self.peer.clear_log();
        requests
    }

    /// Forgets all objects.
    pub(crate) fn clear(&self) {
        self.peer.reset();
        self.peer.latency(self.latency);
    }
}
