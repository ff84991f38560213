//! Placeholder.

pub mod error;
pub mod pattern;
pub mod row_hash;
