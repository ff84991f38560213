//! What a restore did.

use serde::Serialize;

use crate::hook::{HookFailure, HookReport};
use crate::live::local::CopyChange;
use crate::restore::carry::rows::CarriedRows;
use crate::restore::data_only::DataPlan;
use crate::restore::unrestored::Unrestored;

/// What a restore did.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The dump that was restored.
    pub key: String,
    /// The database that holds it now.
    pub database: String,
    /// Whether a live database was replaced.
    pub replaced: bool,
    /// Tables loaded.
    pub tables: u64,
    /// Rows loaded.
    pub rows: u64,
    /// Milliseconds during which the database could not be reached.
    pub outage_ms: u64,
    /// Sessions that were disconnected by the swap.
    pub disconnected: u64,
    /// Messages of `pg_restore` that are known to be harmless, and settings the role may not set.
    pub warnings: Vec<String>,
    /// What of the dump the server refuses to take, where it was restored all the same
    /// ([`RestoreOptions::allow_incomplete`](crate::restore::RestoreOptions::allow_incomplete)).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Unrestored>,
    /// Copies of the database that appeared, changed or vanished.
    pub copies: Vec<CopyChange>,
    /// Tables whose rows of the live database were carried over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carried_over: Vec<CarriedRows>,
    /// Seconds it took.
    pub seconds: f64,
    /// What ran on the copy and after the switch, in order.
    pub hooks: Vec<HookReport>,
    /// A hook that failed after the switch: the restore is complete all the same.
    pub hook_failure: Option<HookFailure>,
    /// What was done, if only rows were put into a live database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_only: Option<DataPlan>,
}
