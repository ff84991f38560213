//! A fake that listens.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use backup_core::clock::Timestamp;
use tokio::sync::oneshot;

use super::clock::VirtualClock;
use super::front;
use super::log::Call;
use super::room::Room;
use super::service::Service;
use crate::faults::Rule;
use crate::iam::Policy;

/// How a fake is started.
#[derive(Clone, Debug, Default)]
pub struct FakeOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Added to every request.
    pub latency: Duration,
    /// What its clock shows at the start; absent: the machine's time. It runs on from there.
    pub now: Option<Timestamp>,
}

/// A running fake; dropping it stops it.
#[derive(Debug)]
pub struct FakeServer {
    endpoint: String,
    room: Arc<Room>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// Starts what `service` makes of the clock on threads of its own, so that it answers whatever the caller's thread does.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start<S: Service>(
        options: &FakeOptions,
        service: impl FnOnce(Arc<VirtualClock>) -> Arc<S>,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let clock = Arc::new(VirtualClock::at(options.now.unwrap_or_else(Timestamp::now)));
        let room = Arc::new(Room::new(service(clock.clone()), clock, options.latency));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = room.clone();
        let thread = std::thread::Builder::new().name("aws-fake".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = front::serve(listener, serving) => {}
                    _ = stopped => {}
                }
            });
            // Clients may hold connections open: they are not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { endpoint, room, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<VirtualClock> {
        &self.room.clock
    }

    /// Adds rules behind those in force. A rule's key is looked for in the region and the ids of a call.
    ///
    /// # Panics
    /// If a rule asks for what only an object store can be made to do.
    pub fn faults(&self, rules: impl IntoIterator<Item = Rule>) {
        if let Err(error) = self.room.add_faults(rules.into_iter().collect()) {
            panic!("{error}");
        }
    }

    /// From now on only actions that `policy` allows are carried out; all of them without one.
    pub fn policy(&self, policy: Option<Policy>) {
        self.room.set_policy(policy);
    }

    /// Forgets all rules.
    pub fn clear_faults(&self) {
        self.room.script.clear();
    }

    /// Adds `latency` to every request from now on.
    pub fn latency(&self, latency: Duration) {
        self.room.set_latency(latency);
    }

    /// Every call so far.
    #[must_use]
    pub fn log(&self) -> Vec<Call> {
        self.room.log.calls()
    }

    /// Forgets the calls so far.
    pub fn clear_log(&self) {
        self.room.log.clear();
    }

    /// Most calls that were being answered at once, since the log was cleared.
    #[must_use]
    pub fn peak_in_flight(&self) -> u64 {
        self.room.log.peak_in_flight()
    }

    /// Forgets everything but the time.
    pub fn reset(&self) {
        self.room.reset();
    }
}

impl Drop for FakeServer {
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
