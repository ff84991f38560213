//! What talks to AWS and to SQLite.

#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "vault")]
pub mod vault;
