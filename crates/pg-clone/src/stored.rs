//! Stored dumps: keys, manifests, rows, and the commands on them.

pub mod base;
pub(crate) mod completeness;
pub mod database_settings;
pub mod detail;
pub(crate) mod frame;
mod frame_comparison;
pub(crate) mod frame_content;
pub(crate) mod frame_cut;
pub mod frame_digest;
pub mod frame_hash;
mod frame_window;
pub mod frames;
pub mod key;
pub(crate) mod known_frames;
pub mod legacy;
pub mod list;
pub(crate) mod lists;
pub(crate) mod pack;
pub mod prune;
pub mod row_hash;
pub mod show;
pub(crate) mod sizes;
pub mod tags;
pub(crate) mod tags_now;
pub mod verify;
