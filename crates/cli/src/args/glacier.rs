//! Arguments of `lastgood glacier`.

pub(crate) mod adopt;
mod common;
pub(crate) mod database;
mod upkeep;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glacier_archive::class::Class;

pub(crate) use self::common::{Kept, Limits, Prices};
pub(crate) use self::upkeep::{Audit, Catalogue, Delete, Inventory, Named, Prune, Rebuild};
use crate::args::common::{DryRun, Init};
use crate::args::glacier::database::{Database, Dumped, OfParts, Orphans, OrphansPlace};

/// Commands about immutable files in cold storage.
#[derive(Debug, Subcommand)]
pub(crate) enum Glacier {
    /// Archive the files of a folder, each once, and a database
    Backup(Box<Backup>),
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
    /// Restore the fetched database, and put fetched files into their folder; files that are there already stay
    Restore(Box<Restore>),
    /// List files that a restored backup did not know, or move them back
    #[command(subcommand)]
    Orphans(Orphans),
    /// List retrievals that were requested, and what became of them
    Jobs(Named),
    /// Delete a backup, and the archives that no other backup has
    Delete(Delete),
    /// Delete backups that no rule keeps, and the archives that no other backup has
    Prune(Prune),
    /// Count the archives that the bucket or vault has
    Inventory(Inventory),
    /// Find archives that are paid for but unknown, and archives that are known but gone
    Reconcile(Inventory),
    /// Read a sample of archives back, and check it
    Audit(Box<Audit>),
    /// Take over what GlacierOnRails archived
    Adopt(Box<adopt::Adopt>),
    /// Manage what this machine knows of archives
    #[command(subcommand)]
    Catalogue(Catalogue),
}

/// Arguments of `glacier backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Folder whose files are archived, with all folders in it [default: `files` of the configuration file, or else the
    /// folder that the newest backup of this name has the files of]. Files must never change: a file of another content gets
    /// another name
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) dumped: Dumped,
    /// Back up the database alone, although earlier backups of this name have files
    #[arg(long, conflicts_with = "files")]
    pub(crate) database_only: bool,
    /// Name of the backup [default: the name of the database, or else of the folder]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Storage class: GLACIER, DEEP_ARCHIVE or GLACIER_IR [default: GLACIER]
    #[arg(long, value_name = "CLASS", conflicts_with = "vault")]
    pub(crate) class: Option<Class>,
    /// Archive to this vault of the Glacier service; lists and manifests stay in the location [default: the vault that the
    /// newest backup is in, if any]
    #[arg(long, value_name = "VAULT")]
    pub(crate) vault: Option<String>,
    /// Leave out what this pattern fits, by its path or its name, such as '*.tmp', and all that is in a folder which it fits;
    /// repeatable; with those of `exclude` of the configuration file. Earlier backups keep what they have of it
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
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
    /// Folder of the files: what exists there is not retrieved [default: `files` of the configuration file, or else the folder
    /// that was backed up, if it is there]
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    /// Only files whose path or name fits this pattern, such as 'a*.pdf'; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    /// If newer backups of the name cannot be read now, take the newest that can, and say which were skipped
    #[arg(long)]
    pub(crate) allow_older: bool,
    #[command(flatten)]
    pub(crate) parts: OfParts,
    #[command(flatten)]
    pub(crate) kept: Kept,
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
    /// Folder to restore files to, which must exist [default: `files` of the configuration file, or else the folder that was
    /// backed up, if it is there]
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    /// Only files whose path or name fits this pattern, such as 'a*.pdf'; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    /// Rename files with the same name and another content, and put the archived ones in their place
    #[arg(long)]
    pub(crate) repair: bool,
    /// If newer backups of the name cannot be read now, take the newest that can, and say which were skipped
    #[arg(long)]
    pub(crate) allow_older: bool,
    #[command(flatten)]
    pub(crate) parts: OfParts,
    #[command(flatten)]
    pub(crate) place: OrphansPlace,
    #[command(flatten)]
    pub(crate) kept: Kept,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    #[command(flatten)]
    pub(crate) database: Database,
}
