//! Dump and restore PostgreSQL databases: parallel, streamed, verified, and swapped in with one transaction.
//!
//! # Promises
//!
//! A dump exists only when its manifest exists, and the manifest is written last. A restore verifies every stored byte
//! before it creates anything, fills a temporary database, compares it with the dump, and swaps it in with one
//! transaction. Whatever fails, the live database stays as it was.
//!
//! # Dump and restore
//!
//! ```no_run
//! use backup_core::location::{Init, Location};
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
