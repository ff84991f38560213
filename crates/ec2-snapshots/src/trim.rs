//! Deletes old snapshots by the retention of every backup: gathered, planned, and deleted one by one.

mod gather;
mod pairs;
mod plan;
mod policy;
mod prepare;
mod protect;
mod run;

pub use gather::{Gathered, Scope};
pub use plan::{Decided, TrimPlan, plan};
pub use policy::{Numbers, PolicyName, policy};
pub use prepare::{Prepared, Request, plan_of, prepare};
pub use protect::Standing;
pub use run::run;
