//! An S3 peer: strict, with atomic conditional writes, in memory or a folder, and with faults on demand.
//!
//! It listens on this machine only, takes requests signed with [`ACCESS_KEY_ID`] and [`SECRET_ACCESS_KEY`], and is
//! controlled by methods of [`S3Peer`] or, from other processes, by JSON over HTTP: see [`control`].

mod api;
mod backend;
mod body;
mod cold;
pub mod control;
mod front;
mod log;
mod route;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use self::backend::Backend;
pub use self::control::{Damage, PeerState};
use self::front::Front;
pub use self::log::Call;
use crate::faults::Rule;

/// The key id that requests must be signed with.
pub const ACCESS_KEY_ID: &str = "LASTGOODTESTKIT00000";

/// The secret that requests must be signed with. Not a secret: the peer holds nothing but test data.
pub const SECRET_ACCESS_KEY: &str = "testkit+testkit+testkit+testkit+testkit0";

/// The region the peer is in.
pub const REGION: &str = "us-east-1";

/// The bucket there is unless said otherwise.
pub const BUCKET: &str = "backups";

/// How a peer is started.
#[derive(Clone, Debug)]
pub struct PeerOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Buckets there are from the start.
    pub buckets: Vec<String>,
    /// Folder for the objects' bodies, so that large ones take no memory; absent: in memory.
    pub data: Option<PathBuf>,
    /// Added to every request.
    pub latency: Duration,
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self { port: 0, buckets: vec![BUCKET.to_owned()], data: None, latency: Duration::ZERO }
    }
}

/// A running peer; dropping it stops it and forgets its objects.
#[derive(Debug)]
pub struct S3Peer {
    endpoint: String,
    front: Arc<Front>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Peer {
    /// Starts a peer on threads of its own, so that it answers whatever the caller's thread does.
    ///
    /// # Errors
    /// If the port is taken or the folder cannot be made.
    pub fn start(options: PeerOptions) -> io::Result<Self> {
        if let Some(folder) = &options.data {
            std::fs::create_dir_all(folder)?;
        }
        let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let front = Arc::new(Front::new(Backend::new(options.buckets, options.data), options.latency));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = front.clone();
        let thread = std::thread::Builder::new().name("s3-peer".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = front::serve(listener, serving) => {}
                    _ = stopped => {}
                }
            });
            // Clients may hold connections open: they are not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { endpoint, front, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The environment in which an AWS client finds the peer and nothing of the machine's own configuration.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(&self.endpoint)
    }

    /// Adds rules behind those in force.
    pub fn faults(&self, rules: impl IntoIterator<Item = Rule>) {
        self.front.script.add(rules);
    }

    /// Forgets all rules.
    pub fn clear_faults(&self) {
        self.front.script.clear();
    }

    /// Adds `latency` to every request from now on.
    pub fn latency(&self, latency: Duration) {
        self.front.set_latency(latency);
    }

    /// Every call so far.
    #[must_use]
    pub fn log(&self) -> Vec<Call> {
        self.front.log.calls()
    }

    /// Forgets the calls so far.
    pub fn clear_log(&self) {
        self.front.log.clear();
    }

    /// What there is now.
    #[must_use]
    pub fn state(&self) -> PeerState {
        control::state(&self.front)
    }

    /// The keys of all objects of the first bucket, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.front.backend.keys()
    }

    /// An object's body, as it is stored.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.front.backend.read(key)
    }

    /// Stores an object behind everybody's back.
    pub fn store(&self, key: &str, body: impl Into<Bytes>) {
        self.front.backend.store(key, body.into());
    }

    /// Harms an object behind everybody's back; its ETag stays. False if there is none.
    pub fn damage(&self, key: &str, damage: &Damage) -> bool {
        control::damage(&self.front, key, damage)
    }

    /// Locks an object as an object lock does, so that deleting it is denied, or unlocks it. False if there is none.
    pub fn lock(&self, key: &str, locked: bool) -> bool {
        self.front.backend.lock_object(key, locked)
    }

    /// Moves the virtual clock on, by which retrievals from cold storage end and their copies expire.
    pub fn advance(&self, by: Duration) {
        self.front.backend.advance(by);
    }

    /// Has listings say nothing of retrievals, as those of some other servers, or tell of them again.
    pub fn hide_restore_status(&self, hidden: bool) {
        self.front.backend.hides_restores.store(hidden, std::sync::atomic::Ordering::Relaxed);
    }

    /// Forgets objects, uploads, rules, latency and calls.
    pub fn reset(&self) {
        control::reset(&self.front);
    }
}

impl Drop for S3Peer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It fails if the thread has ended already.
            let _ended = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// As [`S3Peer::environment`], for a peer in another process.
#[must_use]
pub fn environment(endpoint: &str) -> Vec<(&'static str, String)> {
    let settings = [
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    settings.map(|(name, value)| (name, value.to_owned())).into()
}
