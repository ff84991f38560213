//! Arguments of `lastgood pg tag`.

use clap::{Args, Subcommand};

use crate::args::common::DryRun;
use crate::args::pg::of_cluster::OfCluster;

/// Commands about tags.
#[derive(Debug, Subcommand)]
pub(crate) enum Tag {
    /// Give tags to a dump
    Add(Retag),
    /// Take tags from a dump
    #[command(visible_alias = "rm")]
    Remove(Retag),
    /// List the tags in use, and how many dumps have each
    #[command(visible_alias = "list")]
    Ls(Ls),
}

/// Arguments of `pg tag add` and `pg tag remove`.
#[derive(Debug, Args)]
pub(crate) struct Retag {
    /// Key of a dump, a database name for its latest complete dump, DATABASE~1 for the one before, or DATABASE@TIME for the
    /// newest from that time or before, such as shop@2026-11-21T03:00:00Z
    pub(crate) key: String,
    /// Tags, such as `keep` or `release=1.4`
    #[arg(value_name = "TAG", required = true)]
    pub(crate) tags: Vec<String>,
    #[command(flatten)]
    pub(crate) of: OfCluster,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `pg tag ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only tags of dumps of this database
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfCluster,
}
