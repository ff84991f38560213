//! Placeholder.

pub mod dump_key;
pub mod error;
pub mod pattern;
pub mod row_hash;
