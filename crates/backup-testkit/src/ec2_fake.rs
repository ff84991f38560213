//! A strict fake of EC2 (what snapshots need of it), EBS direct and Systems Manager.
//!
//! It holds regions, accounts, instances with volumes, snapshots that are pending before they are complete or fail, and
//! blocks of 512 KiB; it refuses what AWS refuses, each rule with the page it is from, as far as that is known. Time,
//! quotas and failures are set by [`Ec2Fake`]'s methods or, from other processes, by JSON over HTTP: [`control`], and
//! [`crate::aws_fake::control`] for clock, faults and the log of calls.
//!
//! As a program it is `ec2-fake`. Clients find it by `AWS_ENDPOINT_URL_EC2`, `_EBS` and `_SSM` ([`Ec2Fake::environment`]).

mod actions;
pub mod content;
pub mod control;
mod ebs;
mod filter;
mod form;
pub mod hardware;
pub mod model;
mod page;
mod rules;
pub mod seed;
mod service;
mod settings;
mod ssm;
pub mod state;
mod tags;
#[cfg(test)]
mod tests;
mod token;
mod xml;

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use self::hardware::Hardware;
use self::seed::Seed;
use self::service::Services;
pub use self::settings::{Ending, Settings};
use self::state::State;
pub use self::tags::Tags;
use crate::aws_fake::{FakeOptions, FakeServer, environment};

/// The services that the fake answers for, as in the variables that name their endpoints.
pub const SERVICES: [&str; 3] = ["EC2", "EBS", "SSM"];

/// A running fake; dropping it stops it. Clock, faults, latency and the log are those of [`FakeServer`].
#[derive(Debug)]
pub struct Ec2Fake {
    server: FakeServer,
    services: Arc<Services>,
}

impl Ec2Fake {
    /// Starts a fake whose world begins with `seed`.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start(options: &FakeOptions, seed: Seed) -> io::Result<Self> {
        let mut made = None;
        let server = FakeServer::start(options, |clock| {
            let services = Arc::new(Services::new(seed, &clock));
            made.insert(services).clone()
        })?;
        let services = made.ok_or_else(|| io::Error::other("the fake was not made"))?;
        Ok(Self { server, services })
    }

    /// A fake on a free port, with the world of [`Seed::small`].
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn small() -> io::Result<Self> {
        Self::start(&FakeOptions::default(), Seed::small())
    }

    /// The environment in which an AWS client of this account finds the fake, and nothing of the machine's own.
    #[must_use]
    pub fn environment(&self, account: &str, region: &str) -> Vec<(String, String)> {
        environment(self.endpoint(), &SERVICES, account, region)
    }

    /// Looks at the world, or changes it behind everybody's back.
    pub fn world<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.services.with(change)
    }

    /// Changes how the world behaves.
    pub fn settings(&self, change: impl FnOnce(&mut Settings)) {
        self.world(|state| change(&mut state.settings));
    }

    /// Gives instances that are started from now on a machine, and volumes that are attached a disk.
    pub fn wire(&self, hardware: Arc<dyn Hardware>) {
        self.world(|state| state.hardware = Some(hardware));
    }

    /// Snapshots end badly: see [`Ending`].
    pub fn endings(&self, endings: impl IntoIterator<Item = Ending>) {
        self.world(|state| control::add(state, endings.into_iter().collect()));
    }
}

impl Drop for Ec2Fake {
    /// Machines end with the fake, and not with whichever of its tasks ends last, or with none if the program ends before.
    fn drop(&mut self) {
        self.services.with(|state| state.hardware = None);
    }
}

impl Deref for Ec2Fake {
    type Target = FakeServer;

    fn deref(&self) -> &FakeServer {
        &self.server
    }
}
