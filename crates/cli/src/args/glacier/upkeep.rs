//! Arguments of the commands that look after archives: jobs, deletion, inventory, comparison, audit.

use clap::{Args, Subcommand};
use glacier_archive::audit::Share;
use glacier_archive::class::Class;

use super::common::{Kept, Limits, Prices};
use crate::args::common::DryRun;
use crate::args::retention::{Keep, Unfinished};

/// Commands about the catalogue.
#[derive(Debug, Subcommand)]
pub(crate) enum Catalogue {
    /// Build the catalogue of this machine from the backups of the location
    Rebuild(Rebuild),
}

/// Backups of one name.
#[derive(Clone, Debug, Args)]
pub(crate) struct Named {
    /// Name of the backups
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Vault of the archives [default: the one that the newest backup is in]
    #[arg(long, value_name = "VAULT")]
    pub(crate) vault: Option<String>,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// Arguments of `glacier delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Key of the backup, as printed by `glacier ls`
    #[arg(value_name = "BACKUP")]
    pub(crate) backup: String,
    #[command(flatten)]
    pub(crate) kept: Kept,
    #[command(flatten)]
    pub(crate) prices: Prices,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `glacier prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Name of the backups
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) kept: Kept,
    #[command(flatten)]
    pub(crate) prices: Prices,
    #[command(flatten)]
    pub(crate) unfinished: Unfinished,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

/// Arguments of `glacier inventory` and `glacier reconcile`.
#[derive(Debug, Args)]
pub(crate) struct Inventory {
    #[command(flatten)]
    pub(crate) of: Named,
    /// Request a new inventory of the vault even if there is one
    #[arg(long)]
    pub(crate) fresh: bool,
}

/// Arguments of `glacier audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) of: Named,
    /// Share of the archives to read back, such as 1%
    #[arg(long, value_name = "SHARE", default_value = "1%")]
    pub(crate) sample: Share,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `glacier catalogue rebuild`.
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    pub(crate) of: Named,
    /// Also read archives that no backup has, and publish what they contain: for a location that was lost. Bundles must be
    /// retrieved for it, which costs money
    #[arg(long)]
    pub(crate) from_archives: bool,
    /// Storage class that such archives are in [default: GLACIER]
    #[arg(long, value_name = "CLASS", requires = "from_archives")]
    pub(crate) class: Option<Class>,
    #[command(flatten)]
    pub(crate) limits: Limits,
}
