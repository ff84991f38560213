//! A folder of immutable files in cold storage: archived once, retrieved with a plan and a price.
//!
//! # Dependencies
//!
//! This crate alone for plans, prices and hashes; a runtime of tokio for everything that talks to a store.
//!
//! ```toml
//! [dependencies]
//! # Not in a registry yet: by path, from a clone of the repository, or `git = "…"` with its address instead of `path`.
//! glacier-archive = { path = "../lastgood/crates/glacier-archive", default-features = false }
//! ```
//!
//! Without default features it compiles no SDK and no C. `s3`, `vault`, `queue` and `endpoint` talk to AWS, `sqlite` and `postgres` keep the
//! catalogue, `adopt` takes GlacierOnRails over, and `diagnostics` shows errors by miette.
//! What the API takes and returns of the core is here too: [`backup_core`], with [`backup_core::jiff`] for its times.
//! `examples/foreign/glacier-archive` in the repository is a project that has nothing else of ours.
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

/// The core that the crate stands on: stores, locations, manifests, retention, progress and errors are its types.
pub use backup_core;
pub use backup_core::run::{self, Run};
pub use error::{GlacierError, GlacierResult};

/// The example of the README, checked as a documentation test.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
