//! A swap that was prepared: what it renames, in which order, and how its switch went.

use serde::Serialize;

use crate::adapters::connection::Server;
use crate::live::state::Live;
use crate::live::swap::moves::Move;
use crate::live::swap::request::SwapRequest;
use crate::restore::carry::rows::CarriedRows;
use crate::run::Run;

/// A swap that is planned and not yet run. It owns what it was planned with, the target's lock too, so that what runs is
/// what [`Swap::plan`] shows.
#[derive(Debug)]
pub struct Swap {
    pub(super) server: Server,
    pub(super) request: SwapRequest,
    pub(super) live: Option<Live>,
    pub(super) moves: Vec<Move>,
    pub(super) plan: SwapPlan,
    pub(super) run: Run,
}

/// What a swap would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SwapPlan {
    /// The database that is replaced or made.
    pub target: String,
    /// Whether there is a live database of that name.
    pub replaces: bool,
    /// Databases that get other names, in this order and in one transaction.
    pub renames: Vec<Renamed>,
}

/// A database that gets another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Renamed {
    /// Its name before.
    pub from: String,
    /// Its name after.
    pub to: String,
    /// Whether it is dropped after the swap.
    pub dropped: bool,
}

impl Swap {
    /// What it would do.
    #[must_use]
    pub fn plan(&self) -> &SwapPlan {
        &self.plan
    }
}

impl SwapPlan {
    pub(super) fn of(target: &str, replaces: bool, moves: &[Move]) -> Self {
        let renamed = |one: &Move| Renamed { from: one.from.clone(), to: one.to.clone(), dropped: one.doomed };
        Self { target: target.to_owned(), replaces, renames: moves.iter().map(renamed).collect() }
    }
}

/// How a switch went.
#[derive(Debug)]
pub(super) struct Switched {
    pub(super) terminated: u64,
    pub(super) attempts: u64,
    pub(super) carried_over: Vec<CarriedRows>,
}
