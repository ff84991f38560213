//! What does I/O beside a location.

pub mod file;
