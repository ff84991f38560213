//! A folder of immutable files in cold storage: archived once, retrieved with a plan and a price.
//!
//! # Promises
//! - A backup exists only when its manifest exists, which is written last.
//! - A file is archived once: what is known is neither read nor stored again, and equal contents are stored once.
//! - No retrieval is requested twice, and none is forgotten: see [`lifecycle`].
//! - Nothing is restored whose digest was not checked, and no file of the folder is overwritten.
//! - A plan requests nothing.

pub mod adapters;
#[cfg(feature = "adopt")]
pub mod adopt;
pub mod audit;
pub mod backup;
pub mod bundle;
pub mod catalogue;
pub mod class;
pub mod cold;
pub mod copy_state;
pub mod database;
pub mod detail;
#[cfg(feature = "endpoint")]
pub mod endpoint;
pub mod entry;
pub mod error;
pub mod expiry;
pub mod fetch;
pub mod find;
pub mod gone;
pub mod inventory;
pub mod jobs;
pub mod key;
pub mod lifecycle;
#[cfg(feature = "sns")]
pub mod listener;
pub mod listing;
pub mod money;
pub mod notice;
pub mod orphans;
pub mod part_size;
pub mod pattern;
pub mod plan;
pub mod poll;
pub mod price;
pub mod prune;
#[cfg(feature = "sns")]
pub mod queue;
pub mod rebuild;
pub mod reconcile;
pub mod recover;
pub mod restore;
pub mod retrieve;
pub mod scan;
#[cfg(feature = "sns")]
pub mod sns;
pub mod standing;
pub mod state;
pub mod stored;
pub mod tree_hash;
pub mod turn;
pub mod vaulted;
pub mod watch;

pub use error::{GlacierError, GlacierResult};

/// The example of the README, checked as a documentation test.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
