//! Databases on the server: what a reversible restore keeps, local copies, and restoring them.

mod copies;
mod drop;
pub(crate) mod duplicate;
mod list;
mod name;
mod prepare;
mod reserved;
mod restore;

pub use copies::{CopyChange, Effect};
pub(crate) use copies::{changes, collisions, half_dropped};
pub use drop::{DropPlan, DropReport, LocalDrop};
pub use list::{LocalDatabase, Role, list};
pub(crate) use name::NAME_BYTES_MAX;
pub use name::{CopyRole, LocalSource, copy_name};
pub use prepare::{LocalPlan, LocalRestore, Purpose, Way};
pub(crate) use reserved::reserved_name;
pub use restore::LocalReport;
pub(crate) use restore::void_copies;
