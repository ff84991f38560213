//! What talks to AWS and to SQLite.

#[cfg(feature = "sns")]
pub mod https;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "queue")]
pub mod sqs;
#[cfg(feature = "vault")]
pub mod vault;
