//! Arguments of `lastgood app tag`.

use clap::{Args, Subcommand};

use crate::args::app::of_source::OfSource;
use crate::args::common::DryRun;

/// Commands about tags.
#[derive(Debug, Subcommand)]
pub(crate) enum Tag {
    /// Give tags to a backup
    Add(Retag),
    /// Take tags from a backup
    #[command(visible_alias = "rm")]
    Remove(Retag),
    /// List the tags in use, and how many backups have each
    #[command(visible_alias = "list")]
    Ls(Ls),
}

/// Arguments of `app tag add` and `app tag remove`.
#[derive(Debug, Args)]
pub(crate) struct Retag {
    /// Key of the backup as printed by `app ls`, or `latest`
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// Tags, such as `keep` or `release=1.4`
    #[arg(value_name = "TAG", required = true)]
    pub(crate) tags: Vec<String>,
    /// With `latest`: the newest complete backup with this name [default: backup]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `app tag ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only tags of backups with this name
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
}
