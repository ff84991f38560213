//! Back up an application's records into one deterministic tarball in a folder or in S3, and restore them.
//!
//! The tarball has the format of Python's gludb: `Backup_UTC_<time>.tar.gz` contains one file `<Type>--<table>.json` per
//! type, with one JSON object per line. `tar xzf` opens it, and gludb's own tarballs can be restored.
//!
//! ```
//! use std::sync::Arc;
//!
//! use object_backup::list::{self, Sought};
//! use object_backup::{Application, BackupReport, NdjsonSource, NdjsonTarget, Restore, RestoreOptions, Run, Storable};
//!
//! #[derive(Storable)]
//! #[storable(table = "users")]
//! struct User {
//!     id: String,
//!     name: String,
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = |name: &str| folder.path().join(name).display().to_string();
//! # std::fs::create_dir(path("records"))?;
//! # std::fs::write(path("records/User--users.json"), "{\"id\": \"1\", \"name\": \"Zoë\"}\n")?;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let mut application = Application::builder("nightly").location(path("backups")).init().build()?; // or s3://bucket/prefix
//! application.add::<User>()?; // or all types of a module: application.add_module("myapp::model", Recurse::Yes)?
//! let source = Arc::new(NdjsonSource::new(path("records")));
//! let BackupReport::Written(written) = application.run(source).await? else { panic!("there is no younger backup") };
//! assert_eq!(written.records, 1);
//!
//! let store = application.open().await?;
//! let latest = list::find(&*store, Sought::latest("nightly")).await?;
//! let target = Arc::new(NdjsonTarget::new(path("restored")));
//! let restore = Restore::prepare(&store, &latest, target, RestoreOptions::default(), &Run::silent()).await?;
//! restore.run().await?;
//! # Ok::<(), object_backup::ObjectError>(())
//! # })?;
//! assert_eq!(std::fs::read(path("restored/User--users.json"))?, "{\"id\": \"1\", \"name\": \"Zoë\"}\n".as_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every operation has one shape: `prepare` looks and refuses, `plan` shows what will happen, and `run` does exactly that:
//! [`Backup`], [`Restore`], [`Prune`]. An [`Application`] is a backup of chosen types with one call.
//!
//! `examples/application.rs` is a complete program with SQLite and a module of types; in `examples/own_source.rs` an
//! application implements a source for its own database.
//!
//! # Dependencies
//!
//! This crate and a runtime of tokio.
//!
//! ```toml
//! [dependencies]
//! # Not in a registry yet: by path, from a clone of the repository, or `git = "…"` with its address instead of `path`.
//! object-backup = { path = "../lastgood/crates/object-backup", default-features = false, features = ["derive", "sqlite"] }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }   # the runtime that the program runs on
//! ```
//!
//! Without default features it compiles no SDK and no C: records come from files or programs. `sqlite` and `postgres` are sources and
//! targets, `derive` is `#[derive(Storable)]`, `s3` adds buckets, and `diagnostics` errors as miette shows them.
//! What the API takes and returns of the core is here too: [`backup_core`], with [`backup_core::jiff`] for its times.
//! `examples/foreign/object-backup` in the repository is a project that has nothing else of ours.
//!
//! # Guarantees
//! - A backup exists when its manifest exists, which is written last.
//! - Only a complete backup of the same source counts as the last good one: [`backup_core::source`].
//! - The source is read in one consistent view and is not changed; the same records give the same tarball.
//! - A backup needs bounded memory for any size, and local disk space only for what a source without unique ids or one that
//!   nobody can write to meanwhile makes it keep: digests of the ids, and compressed records until the store takes them.
//! - A restore reads and verifies the whole tarball before it begins, and makes visible all of it or nothing.

pub mod adapters;
mod apart;
pub mod application;
pub mod backup;
pub mod cat;
pub mod detail;
pub mod error;
pub mod key;
pub mod lifecycle;
pub mod list;
pub mod options;
pub mod plan;
#[cfg(feature = "postgres")]
pub mod ports;
pub mod prune;
pub mod registry;
pub mod restore;
pub mod show;
pub mod source;
pub mod storable;
pub mod tags;
pub mod target;
pub mod type_key;
pub mod verify;

mod encode;
mod gunzip;
mod gzip;
mod ids;
mod json;
mod names;
mod read;
mod tags_now;
mod tar;

pub use adapters::{CommandSource, NdjsonSource, NdjsonTarget};
#[cfg(feature = "postgres")]
pub use adapters::{PostgresSource, PostgresTarget};
#[cfg(feature = "sqlite")]
pub use adapters::{SqliteSource, SqliteTarget};
pub use application::{Application, ApplicationBuilder};
pub use backup::{Backup, BackupPlan, BackupReport, Written};
/// The core that the crate stands on: stores, locations, manifests, retention, progress and errors are its types.
pub use backup_core;
pub use backup_core::run::{self, Run};
pub use detail::TypeDetail;
pub use error::{ObjectError, ObjectResult};
pub use key::BackupKey;
#[cfg(feature = "derive")]
pub use object_backup_derive::Storable;
pub use options::{BackupOptions, PruneOptions, RestoreOptions};
pub use plan::{Recurse, Types, Wanted};
pub use prune::Prune;
pub use registry::Registry;
pub use restore::{Restore, RestorePlan, Restored};
pub use source::{Source, View};
pub use storable::{Storable, StorableType};
pub use target::{OnConflict, Target};
pub use type_key::TypeKey;

/// The example of the README, checked as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
