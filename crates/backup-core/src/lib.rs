//! What all lastgood crates share: stores, manifests, the catalogue and retention.

pub mod aws;
pub mod catalogue;
pub mod clock;
#[cfg(feature = "diagnostics")]
#[doc(hidden)]
pub mod diagnostic;
pub mod digest;
pub mod document;
pub mod error;
pub mod failure;
pub mod key;
pub mod lease;
pub mod lifecycle;
pub mod local_file;
pub mod location;
pub mod lock_holder;
pub mod manifest;
pub mod pipeline;
pub mod probe;
pub mod progress;
pub mod prune;
pub mod retention;
#[cfg(feature = "retry")]
pub mod retry;
pub mod run;
pub mod secret;
pub mod source;
pub mod store;
pub mod tags;
pub mod units;

/// What stores are written with: an implementation of [`store::StoreRead`] needs it.
pub use async_trait::async_trait;
/// Bytes of objects, as stores take and give them.
pub use bytes;
pub use error::{CoreError, FormatError, StoreError};
pub use failure::{Class, Failure};
/// The times of manifests and retention. With it nobody has to name the same version.
pub use jiff;

/// The example of the README, checked as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
