//! Options that several commands have.

use clap::Args;

/// `-n`, of everything that writes or deletes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DryRun {
    /// Show what would be done, without changing anything
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// `--init`, of what writes the first backup.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Init {
    /// Create the location if it does not exist yet, as `lastgood init` does
    #[arg(long)]
    pub(crate) init: bool,
}
