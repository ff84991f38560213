//! A strict fake of the vaults of Amazon Glacier: uploads in parts, jobs that take hours, tree hashes on everything.
//!
//! It refuses what AWS refuses, as far as that is known: a part, an archive and a completed upload whose tree hash is not that
//! of its bytes, part sizes that are no power of two of mebibytes, a gap between parts, descriptions of other characters, a
//! vault that is deleted with archives in it. Jobs end by the clock of [`crate::aws_fake`], their output stays for a day, and
//! the inventory lags behind by a day. Of finished jobs a vault tells the topics of SNS ([`SnsFake`]) that it was given, when a
//! test says so ([`GlacierFake::tell`]): nothing happens by itself while one stands still.
//!
//! As a program it is `glacier-fake`. Clients find it by `AWS_ENDPOINT_URL_GLACIER` ([`GlacierFake::environment`]).
//! `POST /_ctl/glacier/damage` changes every archive behind everybody's back, and `POST /_ctl/glacier/tell` sends messages
//! about jobs that have finished.

mod body;
mod hash;
mod jobs;
mod notices;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod uploads;

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use backup_core::clock::Clock as _;

use self::service::Vaults;
pub use self::state::Settings;
use crate::aws_fake::{FakeOptions, FakeServer, environment};
use crate::sns_fake::SnsFake;

/// The service that the fake answers for, as in the variable that names its endpoint.
pub const SERVICES: [&str; 1] = ["GLACIER"];

/// A running fake; dropping it stops it. Clock, faults, latency and the log are those of [`FakeServer`].
#[derive(Debug)]
pub struct GlacierFake {
    server: FakeServer,
    vaults: Arc<Vaults>,
}

impl GlacierFake {
    /// Starts a fake without vaults.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start(options: &FakeOptions) -> io::Result<Self> {
        let vaults = Arc::new(Vaults::default());
        let server = FakeServer::start(options, |_| vaults.clone())?;
        Ok(Self { server, vaults })
    }

    /// The environment in which an AWS client of this account finds the fake, and nothing of the machine's own.
    #[must_use]
    pub fn environment(&self, account: &str, region: &str) -> Vec<(String, String)> {
        environment(self.endpoint(), &SERVICES, account, region)
    }

    /// Changes how the service behaves.
    pub fn settings(&self, change: impl FnOnce(&mut Settings)) {
        self.vaults.with(|state| change(&mut state.settings));
    }

    /// Archives in all vaults.
    #[must_use]
    pub fn archives(&self) -> usize {
        self.vaults.with(|state| state.vaults.values().map(|vault| vault.archives.len()).sum())
    }

    /// Retrievals that were started, and so are paid for.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.vaults.with(|state| state.vaults.values().map(|vault| vault.jobs.len()).sum())
    }

    /// Makes a vault, as somebody did years ago.
    pub fn make_vault(&self, account: &str, region: &str, name: &str) {
        let name = (account.to_owned(), region.to_owned(), name.to_owned());
        let now = self.clock().now();
        self.vaults.with(|state| {
            state.vaults.entry(name).or_insert_with(|| state::Vault::new(now));
        });
    }

    /// From now on it looks at the bytes of parts as ever, and does not keep them: for measurements of a client, which would
    /// wait for memory. What is archived so cannot be retrieved.
    pub fn forget(&self) {
        self.vaults.with(|state| state.forgets = true);
    }

    /// Messages about finished jobs go to this topic, as far as a vault or a job names it.
    pub fn connect(&self, topic: Arc<SnsFake>) {
        self.vaults.connect(topic);
    }

    /// Tells topics of every job that has finished by now and of which they were not told. Returns how many messages their
    /// subscribers took.
    ///
    /// # Errors
    /// If a message cannot be signed.
    pub fn tell(&self) -> io::Result<usize> {
        self.vaults.tell(self.clock().now())
    }

    /// Lets a vault tell the topic with this ARN of every finished job, as somebody set it up years ago.
    pub fn notify(&self, account: &str, region: &str, vault: &str, topic: &str) {
        let name = (account.to_owned(), region.to_owned(), vault.to_owned());
        let events = notices::EVENTS.map(str::to_owned).to_vec();
        let topic = topic.to_owned();
        self.vaults.with(|state| {
            if let Some(vault) = state.vaults.get_mut(&name) {
                vault.notifications = Some(state::Notifications { topic, events });
            }
        });
    }

    /// Archives something as another program did: returns what the service calls it and its tree hash; nothing if there is no
    /// such vault.
    pub fn archive(
        &self,
        (account, region, vault): (&str, &str, &str),
        description: &str,
        body: impl Into<bytes::Bytes>,
    ) -> Option<(String, String)> {
        let (name, body) = ((account.to_owned(), region.to_owned(), vault.to_owned()), body.into());
        let (tree_hash, created) = (hash::tree_hash(&body), self.clock().now());
        let (body, description) = (body::Body::of(vec![body]), description.to_owned());
        let archive = state::Archive { body, tree_hash: tree_hash.clone(), description, created };
        self.vaults.with(|state| {
            let id = state.id(138);
            state.vaults.get_mut(&name)?.archives.insert(id.clone(), archive);
            Some((id, tree_hash))
        })
    }

    /// Loses an archive of a vault: the one whose description has this text. Whether there was one.
    pub fn lose_archive(&self, text: &str) -> bool {
        self.vaults.with(|state| {
            state.vaults.values_mut().any(|vault| {
                let lost = vault.archives.iter().find(|(_, archive)| archive.description.contains(text));
                let lost = lost.map(|(id, _)| id.clone());
                lost.is_some_and(|id| vault.archives.remove(&id).is_some())
            })
        })
    }

    /// Changes the first byte of every archive behind everybody's back.
    pub fn damage_archives(&self) {
        self.vaults.with(|state| state.vaults.values_mut().for_each(state::Vault::damage));
    }
}

impl Deref for GlacierFake {
    type Target = FakeServer;

    fn deref(&self) -> &FakeServer {
        &self.server
    }
}
