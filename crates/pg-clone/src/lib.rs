//! Dump and restore PostgreSQL databases: parallel, streamed, verified, and swapped in with one transaction.
//!
//! # Promises
//!
//! A dump exists only when its manifest exists, and the manifest is written last. A restore verifies every stored byte
//! before it creates anything, fills a temporary database, compares it with the dump, and swaps it in with one
//! transaction. Whatever fails, the live database stays as it was.
//!
//! # Dependencies
//!
//! This crate and a runtime of tokio.
//!
//! ```toml
//! [dependencies]
//! # Not in a registry yet: by path, from a clone of the repository, or `git = "…"` with its address instead of `path`.
//! pg-clone = { path = "../lastgood/crates/pg-clone", default-features = false }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }   # the runtime that the program runs on
//! ```
//!
//! Without default features it keeps dumps in folders and compiles no AWS client; `s3` adds buckets, and `diagnostics` errors as miette shows
//! them.
//! What the API takes and returns of the core is here too: [`backup_core`], with [`backup_core::jiff`] for its times.
//! `examples/foreign/pg-clone` in the repository is a project that has nothing else of ours.
//!
//! # Dump and restore
//!
//! ```no_run
//! use pg_clone::backup_core::location::{Init, Location};
//! use pg_clone::dump::{Dump, DumpOptions};
//! use pg_clone::stored::key::LAYOUTS;
//! use pg_clone::restore::{Restore, RestoreOptions};
//! use pg_clone::{Environment, Origin, Run, Server};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::resolve(None, Origin::Environment, &Environment::current())?.server;
//! let store = "./backups".parse::<Location>()?.init(&Init::new(&LAYOUTS)).await?.store;
//! let run = Run::silent();
//!
//! let report = Dump::prepare(&server, &store, DumpOptions::new("shop"), &run)?.run().await?;
//!
//! let options = RestoreOptions::new(report.key).into_database("shop_copy");
//! let restore = Restore::prepare(&server, &store, options, &run).await?;
//! println!("{} rows", restore.plan().rows);
//! restore.run().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/dump.rs` and `examples/restore.rs` are complete programs.

mod adapters;
pub mod dump;
pub mod error;
pub mod guard;
pub mod hook;
pub mod ident;
pub mod inspect;
pub mod live;
pub mod options;
pub mod pattern;
pub mod restore;
mod setters;
mod standing;
pub mod stored;
#[cfg(test)]
mod test_dump;

/// The core that the crate stands on: stores, locations, manifests, retention, progress and errors are its types.
pub use backup_core;
pub use backup_core::run::{self, Run};

pub use adapters::connection::{
    ChildEnvironment, Environment, Origin, Resolved, Server, Session, SslMode, is_plain_name, libpq, passfile_passwords,
};
pub use error::{Obstacle, PgError, PgResult, Problem};

/// The example of the README, checked as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
