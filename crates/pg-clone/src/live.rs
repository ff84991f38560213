//! Databases of a server that are in use: the switch to a new one, what a killed run left, and the copies kept beside them.

pub mod local;
pub mod recover;
pub mod state;
pub mod swap;
pub mod target_lock;
pub mod temporary;
