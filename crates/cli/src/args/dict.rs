//! Arguments of `lastgood dict`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dictstore_backup::Format;

use crate::args::DryRun;
use crate::args::retention::{Keep, Unfinished};

/// Commands about backups of in-memory stores.
#[derive(Debug, Subcommand)]
pub(crate) enum Dict {
    /// List the backups, newest last
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show what a backup holds
    Show(Show),
    /// Read every backup and say which can be restored
    Verify(Verify),
    /// Restore a backup, and the deltas that lead to it, into one file
    Restore(Restore),
    /// Write the newest state as one full backup
    Compact(Compact),
    /// Compare two states
    Diff(Diff),
    /// Turn a JSON file into a pickle file, or a pickle file into a JSON file
    Convert(Convert),
    /// Delete the backups that no rule keeps
    Prune(Prune),
    /// Run a program after each new backup
    Watch(Watch),
}

/// Where the backups are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Where {
    /// Folder or s3://bucket/prefix of the backups [default: that of `-r`]
    #[arg(value_name = "LOCATION")]
    pub(crate) location: Option<String>,
}

/// Which store's backups.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OfStore {
    /// Only backups of this store: its host, program or id as `dict ls` and `dict show` print them, what its service calls it,
    /// or `unknown` for those that do not say
    #[arg(long, value_name = "HOST|ID")]
    pub(crate) source: Option<String>,
}

/// Up to which backup.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Point {
    /// The newest backup of this time or before, such as 2026-11-21T03:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The backup in this file
    #[arg(long, value_name = "FILE", conflicts_with = "at")]
    pub(crate) up_to: Option<String>,
    /// The backup with this sequence number
    #[arg(long, value_name = "N", conflicts_with_all = ["at", "up_to"])]
    pub(crate) sequence: Option<u64>,
    /// Do what DictDB 1.11 does with its own files, defects included: merge fields, number null keys anew, leave counters
    #[arg(long)]
    pub(crate) dictdb_semantics: bool,
}

/// Arguments of `dict ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) of: OfStore,
}

/// Arguments of `dict show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The backup's file name
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// Arguments of `dict verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) of: OfStore,
}

/// Arguments of `dict restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) of: OfStore,
    /// File to write, replaced as one step
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    pub(crate) to: Option<PathBuf>,
    /// Format of that file: json or pickle [default: as its name ends, else json]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) point: Point,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `dict compact`.
#[derive(Debug, Args)]
pub(crate) struct Compact {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) of: OfStore,
    /// Format of the new backup: json or pickle
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Json)]
    pub(crate) format: Format,
    /// Read DictDB's own files as DictDB 1.11 does, defects included
    #[arg(long)]
    pub(crate) dictdb_semantics: bool,
    /// Write it even if the newest state has no record and backups before it have some
    #[arg(long)]
    pub(crate) allow_empty: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `dict diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A backup's file name in the location, or a .json or .pickle file
    pub(crate) first: String,
    /// Another
    pub(crate) second: String,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// Arguments of `dict convert`.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// A full backup file, .json or .pickle
    pub(crate) from: PathBuf,
    /// The file to write, .json or .pickle, replaced as one step
    pub(crate) to: PathBuf,
}

/// Arguments of `dict prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) of: OfStore,
    #[command(flatten)]
    pub(crate) unfinished: Unfinished,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

/// Arguments of `dict watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) of: OfStore,
    /// Program to run, without a shell; the new backup's file name is its last argument
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) exec: PathBuf,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) every: String,
    /// End after so many backups
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}
