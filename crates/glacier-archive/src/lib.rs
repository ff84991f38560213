//! A database and its immutable files in Glacier: archived once, retrieved with a plan and a price.

#[cfg(any(feature = "s3", feature = "vault"))]
mod adapters;
