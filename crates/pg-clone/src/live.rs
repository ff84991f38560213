//! Databases on a server: the swap to a new one, leftovers of killed runs, and local copies.

mod dropping;
pub mod local;
pub mod recover;
pub(crate) mod silence;
pub mod state;
pub mod swap;
pub mod target_lock;
pub mod temporary;
mod trust;

pub use crate::adapters::sql::database_settings;
