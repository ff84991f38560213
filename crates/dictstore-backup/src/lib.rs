//! Full and incremental backups of in-memory tables, in the file format of Python's DictDB.
//!
//! ```
//! use std::time::Duration;
//!
//! use dictstore_backup::{Backups, DictStore, Record, RestoreTo, TableOptions, restore};
//!
//! # let temporary = tempfile::tempdir().unwrap();
//! # let folder = temporary.path().join("backups").display().to_string();
//! # let folder = folder.as_str();
//! let store = DictStore::new();
//! store.create_table("events", TableOptions::new().primary_key("event_id"))?;
//! let backups = Backups::builder(store.clone(), folder) // "./data/backups", or s3://bucket/prefix
//!     .init()
//!     .interval(Duration::from_secs(60))
//!     .incremental(true)
//!     .on_failure(|error, consecutive| eprintln!("{consecutive} failures: {error}"))
//!     .start()?;
//!
//! store.insert("events", Record::new().with("event_id", 1).with("type", "click"))?;
//! backups.backup_now()?; // a full one: there is none to build on
//! store.insert("events", Record::new().with("event_id", 2).with("type", "key"))?;
//! backups.notify_change();
//! backups.stop()?; // with a last backup, since something changed
//!
//! let restored = restore(folder, RestoreTo::Latest)?;
//! assert_eq!(restored.len("events")?, 2);
//! # Ok::<(), dictstore_backup::DictError>(())
//! ```
//!
//! Every operation on stored backups has one shape: `prepare` looks and refuses, `plan` shows what will happen, and `run` does
//! exactly that: [`Restore`], [`Compact`], [`Prune`].
//!
//! # Dependencies
//!
//! This crate alone: it brings its own threads.
//!
//! ```toml
//! [dependencies]
//! # Not in a registry yet: by path, from a clone of the repository, or `git = "…"` with its address instead of `path`.
//! dictstore-backup = { path = "../lastgood/crates/dictstore-backup", default-features = false }
//! ```
//!
//! Without default features it compiles fewer than 60 crates and no C; `s3` adds buckets, and `diagnostics` errors as miette shows them.
//! What the API takes and returns of the core is here too: [`backup_core`], with [`backup_core::jiff`] for its times.
//! `examples/foreign/dictstore-backup` in the repository is a project that has nothing else of ours.
//!
//! # Guarantees
//! - A backup exists when its manifest exists (`manifests/…`), which is written last. The files beside it are the ones
//!   that DictDB itself loads.
//! - A backup is a consistent snapshot of all tables; writers wait for it only microseconds.
//! - The store forgets a change only when the backup that contains it is durable.
//! - Backups of two stores in one location are never mixed.
//! - A restore reads exactly one chain and verifies every file first; if one is missing, it refuses and names the last
//!   restorable backup.

pub mod adapters;
pub mod compact;
pub mod detail;
pub mod diff;
pub mod engine;
pub mod error;
pub mod format;
pub mod key;
pub mod list;
pub mod options;
pub mod plan;
pub mod prune;
pub mod restore;
pub mod schema;
pub mod show;
pub mod source;
pub mod store;
pub mod value;
pub mod verify;

mod backup;
mod entry;
mod json;
mod load;
mod origin;
mod unclear;

pub use adapters::file;
pub use backup::Written;
/// The core that the crate stands on: stores, locations, manifests, retention, progress and errors are its types.
pub use backup_core;
pub use backup_core::run::Run;
pub use compact::{Compact, Compacted};
pub use detail::BackupKind;
pub use engine::{Backups, Builder};
pub use error::{DictError, DictResult};
pub use format::Format;
pub use load::{Note, Semantics};
pub use options::{CompactOptions, PruneOptions, RestoreOptions};
pub use plan::{RestorePlan, RestoreTo};
pub use prune::Prune;
pub use restore::{Restore, Restored, restore};
pub use schema::{FieldType, Schema};
pub use store::{DictStore, OnConflict, Row, Snapshot, TableOptions, Upsert, Upserted};
pub use value::{Key, Record, Text, Value};

/// The example of the README, checked as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
