//! An application's records into one deterministic tarball in a folder or in S3, and back.
//!
//! The tarball is the one gludb wrote: `Backup_UTC_<time>.tar.gz`, in it one file `<Type>--<table>.json` a type, one JSON
//! object a line. `tar xzf` opens it, and gludb's own are read.
//!
//! ```
//! use std::sync::Arc;
//!
//! use backup_core::location::Location;
//! use object_backup::{BackupOptions, BackupReport, NdjsonSource, NdjsonTarget, Registry, RestoreOptions, Run, Storable};
//!
//! struct User;
//! impl Storable for User {
//!     const TYPE: &'static str = "User";
//!     const TABLE: &'static str = "users";
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = |name: &str| folder.path().join(name);
//! # std::fs::create_dir(path("records"))?;
//! std::fs::write(path("records").join("User--users.json"), "{\"id\": \"1\", \"name\": \"Zoë\"}\n")?;
//! let mut types = Registry::new();
//! types.add::<User>()?;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let store = Location::File(path("backups")).open_or_create().await?;
//! let options = BackupOptions { types: types.wanted(), ..BackupOptions::new() };
//! let source = Arc::new(NdjsonSource::new(path("records")));
//! let BackupReport::Written(written) = object_backup::backup(store.clone(), source, &options, &Run::silent()).await? else {
//!     panic!("there is no younger backup")
//! };
//! assert_eq!(written.records, 1);
//!
//! let latest = object_backup::list::find(&*store, "latest", None).await?;
//! let target = Arc::new(NdjsonTarget::new(path("restored")));
//! object_backup::restore(&store, &latest, target, &RestoreOptions::default(), &Run::silent()).await?;
//! assert!(path("restored").join("User--users.json").exists());
//! # Ok::<(), object_backup::ObjectError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds
//! - A backup exists when its manifest exists, which is written last.
//! - The source is read within one view and is not changed; the same records give the same tarball.
//! - Nothing is written to a local disk on the way, and memory is bounded whatever the size.
//! - A restore reads and checks the whole tarball before it begins, and shows all of it or nothing.

pub mod adapters;
pub mod backup;
pub mod backup_key;
pub mod detail;
pub mod error;
pub mod list;
pub mod plan;
pub mod restore;
pub mod retain;
pub mod run;
pub mod source;
pub mod storable;
pub mod target;
pub mod type_key;
pub mod verify;

mod encode;
mod gzip;
mod json;
mod read;
mod tar;

pub use adapters::{CommandSource, NdjsonSource, NdjsonTarget};
#[cfg(feature = "sqlite")]
pub use adapters::{SqliteSource, SqliteTarget};
pub use backup::{BackupOptions, BackupPlan, BackupReport, Written, backup, plan_backup};
pub use backup_key::BackupKey;
pub use detail::TypeDetail;
pub use error::{ObjectError, ObjectResult};
pub use plan::Wanted;
pub use restore::{RestoreOptions, RestorePlan, Restored, restore};
pub use run::Run;
pub use source::{Source, View};
pub use storable::{Registry, Storable, StorableType};
pub use target::{OnConflict, Target};
pub use type_key::TypeKey;
