//! Which source a backup is of, as several verbs ask.

use clap::Args;

/// Which database, file or folder a backup is of.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OfSource {
    /// Only backups of this source: its host, path or ID as printed by `app ls` and `app show`, or `unknown` for backups that
    /// do not record one
    #[arg(long, value_name = "HOST|ID")]
    pub(crate) source: Option<String>,
}
