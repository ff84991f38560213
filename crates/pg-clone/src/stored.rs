//! A dump as it lies in a location: its key, its manifest, its rows, and what is asked of it there.

pub(crate) mod completeness;
pub mod detail;
pub(crate) mod frame;
pub mod frame_digest;
pub mod frame_hash;
pub mod key;
pub mod legacy;
pub mod list;
pub(crate) mod pack;
pub mod prune;
pub mod row_hash;
pub mod show;
pub mod verify;
