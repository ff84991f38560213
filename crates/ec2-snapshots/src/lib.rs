//! EBS snapshots by tag: consistent, replicated across regions, trimmed logarithmically.
//!
//! # Dependencies
//!
//! This crate alone for plans; a runtime of tokio with the feature `ec2`.
//!
//! ```toml
//! [dependencies]
//! # Not in a registry yet: by path, from a clone of the repository, or `git = "…"` with its address instead of `path`.
//! ec2-snapshots = { path = "../lastgood/crates/ec2-snapshots", default-features = false }
//! ```
//!
//! Without default features there are plans, policies and everything that reads a file; `ec2` adds the SDKs of AWS, `blocks` reading and writing
//! snapshots block by block, and `diagnostics` errors as miette shows them.
//! What the API takes and returns of the core is here too: [`backup_core`], with [`backup_core::jiff`] for its times.
//! `examples/foreign/ec2-snapshots` in the repository is a project that has nothing else of ours.
//!
//! # Rooms
//! - [`model`]: what EC2 has, as far as backups need it; [`lineage`] and [`description`]: what we write on snapshots.
//! - [`ports`]: the traits through which verbs reach EC2. Plans and their tests know no SDK.
//! - One module per verb: a plan, which is pure, and a run, which does exactly that.
//! - [`blocks`]: snapshots read and written block by block: verified, exported, imported (feature `blocks`).
//! - `adapters`: EC2 itself, by the AWS SDK (feature `ec2`).
//!
//! # Guarantees
//! - A snapshot set is created once: after a lost answer its tag is looked for before anything is tried again.
//! - A plan changes nothing, and its run does no more than it says.
//! - The last good snapshot of a volume is never trimmed, nor is the last pair that two regions have in common.
//! - Snapshots of other tools are left alone unless asked for.
//! - A block that is read has the digest that EBS says it has, or is not used.

pub mod ask;
#[cfg(feature = "blocks")]
pub mod blocks;
pub mod clean;
pub mod delete;
pub mod description;
pub mod error;
pub mod freeze;
pub mod host;
pub mod image;
pub mod lineage;
pub mod list;
pub mod listing;
pub mod model;
pub mod offline;
pub mod origin;
pub mod plan_file;
pub mod ports;
pub mod regions;
pub mod replicate;
pub mod report;
pub mod select;
pub mod simulate;
pub mod snapshot;
pub mod sync;
pub mod tags;
pub mod temporary;
pub mod trim;

mod run_regions;
#[cfg(test)]
mod test_world;

#[cfg(feature = "ec2")]
pub mod adapters;

/// The core that the crate stands on: stores, locations, manifests, retention, progress and errors are its types.
pub use backup_core;
pub use backup_core::run::{self, Run};
pub use error::{Ec2Error, Ec2Result};
pub use run_regions::Failed;

/// The example of the README, checked as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
