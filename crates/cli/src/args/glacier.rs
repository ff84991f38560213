//! Arguments of `lastgood glacier`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glacier_archive::class::{Class, Tier};
use glacier_archive::money::Usd;
use jiff::SignedDuration;
use lastgood_operator::settings::rate::{Rate, rate};
use lastgood_operator::settings::time;

use crate::args::common::{DryRun, Init};

/// Commands about immutable files in cold storage.
#[derive(Debug, Subcommand)]
pub(crate) enum Glacier {
    /// Archive the files of a folder, each once
    Backup(Backup),
    /// List backups, newest last
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show where each file of a backup is: exists, available, pending, ready or local
    Status(Seen),
    /// Show what retrieving a backup takes and costs, for each tier; nothing is requested
    Plan(Plan),
    /// Request what a backup needs from cold storage. This costs money
    Retrieve(Retrieve),
    /// Ask what became of requests, once or until everything is ready
    Watch(Watch),
    /// Download what is ready, and check it
    Fetch(Seen),
    /// Put fetched files into their folder; what is there already stays
    Restore(Restore),
    /// Manage what this machine knows of archives
    #[command(subcommand)]
    Catalogue(Catalogue),
}

/// Commands about the catalogue.
#[derive(Debug, Subcommand)]
pub(crate) enum Catalogue {
    /// Build the catalogue of this machine from the backups of the location
    Rebuild(Rebuild),
}

/// Where the machine keeps what it knows.
#[derive(Clone, Debug, Args)]
pub(crate) struct Kept {
    /// Folder of the catalogue and of fetched files [default: lastgood/glacier in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// Prices.
#[derive(Clone, Debug, Args)]
pub(crate) struct Prices {
    /// File with prices to use instead of the list prices of us-east-1 that lastgood contains
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
}

/// Arguments of `glacier backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Folder whose files are archived, with all folders in it [default: `files` of the configuration file]. Files must
    /// never change: a file of another content gets another name
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    /// Name of the backup [default: the name of the folder]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Storage class: GLACIER, DEEP_ARCHIVE or GLACIER_IR [default: GLACIER]
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<Class>,
    /// Make each file an archive of its own instead of bundling files of up to 4 MiB
    #[arg(long)]
    pub(crate) no_bundles: bool,
    /// Publish even if the folder has no files
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Tag the backup; repeatable
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    #[command(flatten)]
    pub(crate) kept: Kept,
    #[command(flatten)]
    pub(crate) prices: Prices,
    #[command(flatten)]
    pub(crate) init: Init,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `glacier ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only backups with this name
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// A backup, and which of its files are meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Seen {
    /// Name of the backup, which means the newest of that name, or its key as printed by `glacier ls`
    #[arg(value_name = "BACKUP")]
    pub(crate) backup: String,
    /// Folder of the files: what exists there is not retrieved
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    /// Only files whose path or name fits this pattern, such as 'a*.pdf'; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// Limits of a retrieval.
#[derive(Clone, Debug, Args)]
pub(crate) struct Limits {
    /// Only this tier: bulk, standard or expedited [default: the cheapest within the limits]
    #[arg(long, value_name = "TIER")]
    pub(crate) tier: Option<Tier>,
    /// Everything must be ready within this time, such as 12h
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    pub(crate) deadline: Option<SignedDuration>,
    /// The retrieval must not cost more than this, such as 5usd
    #[arg(long, value_name = "SUM")]
    pub(crate) max_cost: Option<Usd>,
    /// Request no more than this many bytes within an hour, such as 100GiB; run `glacier retrieve` each hour for the rest
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    pub(crate) per_hour: Option<Rate>,
    /// Days that retrieved copies stay readable
    #[arg(long, value_name = "DAYS", default_value_t = glacier_archive::plan::DAYS, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) prices: Prices,
}

/// Arguments of `glacier plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) seen: Seen,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// Arguments of `glacier retrieve`.
#[derive(Debug, Args)]
pub(crate) struct Retrieve {
    #[command(flatten)]
    pub(crate) seen: Seen,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `glacier watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) seen: Seen,
    /// Ask once and end with exit code 3 unless everything is ready; this is the default
    #[arg(long, conflicts_with = "until_ready")]
    pub(crate) once: bool,
    /// Ask again and again until nothing that was requested is outstanding
    #[arg(long)]
    pub(crate) until_ready: bool,
    #[command(flatten)]
    pub(crate) told: Told,
}

/// Who tells of finished retrievals.
#[derive(Debug, Args)]
pub(crate) struct Told {
    /// Address of a queue of SQS that hears of finished retrievals: events of S3, or messages of a topic. What it tells spares
    /// waiting for the next question
    #[arg(long, value_name = "URL")]
    pub(crate) queue: Option<String>,
    /// ARN of the topic of SNS whose messages the queue gets. Then only what SNS signed for this topic counts
    #[arg(long, value_name = "ARN")]
    pub(crate) topic: Option<String>,
}

/// Arguments of `glacier restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Name of the backup, which means the newest of that name, or its key as printed by `glacier ls`
    #[arg(value_name = "BACKUP")]
    pub(crate) backup: String,
    /// Folder to restore to, which must exist
    #[arg(long, value_name = "DIR")]
    pub(crate) files: PathBuf,
    /// Only files whose path or name fits this pattern, such as 'a*.pdf'; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    /// Rename files with the same name and another content, and put the archived ones in their place
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// Arguments of `glacier catalogue rebuild`.
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// Name of the backups
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) kept: Kept,
}
