//! A swap with everything it needs, and how its switch went.

use std::sync::Arc;

use crate::adapters::connection::{Server, Session};
use crate::live::state::{Found, State};
use crate::live::swap::moves::{Pristine, Replaced};
use crate::live::swap::request::Returning;
use crate::run::Run;
use crate::stored::database_settings::DatabaseSettings;

/// A swap with everything it needs.
#[derive(Debug)]
pub(super) struct Swap {
    pub(super) server: Server,
    /// Holds the target's lock.
    pub(super) admin: Arc<Session>,
    pub(super) target: String,
    pub(super) copy: String,
    pub(super) copy_oid: u32,
    pub(super) settings: Option<DatabaseSettings>,
    pub(super) force: bool,
    pub(super) returning: Option<Returning>,
    pub(super) replaced: Replaced,
    pub(super) pristine: Option<Pristine>,
    pub(super) void: Vec<Found>,
    pub(super) mark: Option<State>,
    pub(super) run: Run,
}

/// How a switch went.
#[derive(Debug)]
pub(super) struct Switched {
    pub(super) terminated: u64,
    pub(super) attempts: u64,
}
