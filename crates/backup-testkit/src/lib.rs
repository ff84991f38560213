//! Placeholder.
pub mod postgres;
pub mod faults;
pub mod s3_server;
