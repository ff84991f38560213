//! What talks to AWS, to SQLite and to PostgreSQL.

#[cfg(test)]
mod contract;
#[cfg(feature = "sns")]
pub mod https;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "queue")]
pub mod sqs;
#[cfg(feature = "vault")]
pub mod vault;
