//! Copies of snapshots in other regions.
//!
//! What has to be copied follows from what two regions have ([`plan`](plan::plan), pure), and with it what an earlier run
//! left to do: copies bear the id of their original in a tag, so that the queue is as lasting as the snapshots are. In
//! which order, and how many at a time, decides [`Queue`](queue::Queue), which knows no clock.

pub mod copy;
mod found;
pub mod plan;
pub mod prepare;
pub mod queue;
pub mod transfer;
pub mod within;

#[cfg(test)]
mod tests;

pub use copy::{Options, Outcome, Replicated, replicate};
pub use plan::{Passed, Pending, Plan, Reason, Wish, plan};
pub use prepare::{Legs, all_regions, prepare, stages};
pub use within::Within;
