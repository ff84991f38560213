//! Which cluster a dump is of, as several verbs ask.

use clap::Args;

/// Which cluster a dump was taken from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OfCluster {
    /// Only dumps of this cluster: its host or ID as printed by `pg ls` and `pg show`, or `unknown` for dumps that do not
    /// record one
    #[arg(long, value_name = "HOST|ID")]
    pub(crate) cluster: Option<String>,
}
