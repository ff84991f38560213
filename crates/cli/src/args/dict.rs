//! Arguments of `lastgood dict`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use dictstore_backup::Format;
use jiff::Timestamp;
use lastgood_operator::settings::time;

use crate::args::common::DryRun;
use crate::args::retention::{Keep, Unfinished};

/// Commands about backups of in-memory stores.
#[derive(Debug, Subcommand)]
pub(crate) enum Dict {
    /// List backups, newest last
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show details of a backup
    Show(Show),
    /// Read every backup and report which can be restored
    Verify(Verify),
    /// Restore the state at a backup into one file
    Restore(Restore),
    /// Write the newest state as one full backup
    Compact(Compact),
    /// Compare two backups or files
    Diff(Diff),
    /// Convert a full backup file between JSON and pickle
    Convert(Convert),
    /// Delete backups not kept by any retention rule, and leftovers of interrupted runs
    Prune(Prune),
    /// Run a program after each new backup
    Watch(Watch),
}

/// Where the backups are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Where {
    /// Folder or s3://bucket/prefix of the backups, as for -r [default: the location given by -r]
    #[arg(value_name = "LOCATION")]
    pub(crate) location: Option<String>,
}

/// Which store's backups.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OfStore {
    /// Only backups of this store: its host, program or ID as printed by `dict ls` and `dict show`, its name in the service, or
    /// `unknown` for backups that do not record one
    #[arg(long, value_name = "HOST|ID")]
    pub(crate) source: Option<String>,
}

/// A lock that a program beside this one takes too.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Lock {
    /// Hold a lock (`flock`) on this file meanwhile, which is created if it does not exist, and wait up to 60 s for it: a DictDB
    /// program that takes the same lock while it writes is then never seen, or disturbed, in the middle of a backup
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
}

/// Up to which backup.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Point {
    /// Use the newest backup at or before this time, such as 2026-11-21T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Timestamp>,
    /// Use the backup in this file
    #[arg(long, value_name = "FILE", conflicts_with = "at")]
    pub(crate) up_to: Option<String>,
    /// Use the backup with this sequence number
    #[arg(long, value_name = "N", conflicts_with_all = ["at", "up_to"])]
    pub(crate) sequence: Option<u64>,
    /// Treat DictDB's own files exactly as DictDB 1.11 does, including its defects: merge fields, renumber null keys, keep
    /// counters unchanged
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
    /// File name of the backup
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// Arguments of `dict verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// File names of backups as printed by `dict ls` [default: every backup]; a folder or s3://bucket/prefix stands for -r
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// Every backup, as without a file name
    #[arg(long, conflicts_with = "files")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) of: OfStore,
    #[command(flatten)]
    pub(crate) lock: Lock,
}

/// Arguments of `dict restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) of: OfStore,
    #[command(flatten)]
    pub(crate) lock: Lock,
    /// File to write, or `-` for standard output
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    pub(crate) to: Option<PathBuf>,
    /// If newer backups cannot be read now, restore the newest that can, and say which were skipped
    #[arg(long)]
    pub(crate) allow_older: bool,
    /// Replace the file if it exists, atomically
    #[arg(long)]
    pub(crate) force: bool,
    /// Format of the file: json or pickle [default: by its extension, otherwise json]
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
    #[command(flatten)]
    pub(crate) lock: Lock,
    /// Format of the new backup: json or pickle
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Json)]
    pub(crate) format: Format,
    /// Treat DictDB's own files exactly as DictDB 1.11 does, including its defects
    #[arg(long)]
    pub(crate) dictdb_semantics: bool,
    /// Write the backup even if the newest state has no records and earlier backups have some
    #[arg(long)]
    pub(crate) allow_empty: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `dict diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// File name of a backup in the location, or a .json or .pickle file
    pub(crate) first: String,
    /// Backup or file to compare it with
    pub(crate) second: String,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// Arguments of `dict convert`.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// Full backup file to read, .json or .pickle
    pub(crate) from: PathBuf,
    /// File to write, .json or .pickle
    pub(crate) to: PathBuf,
    /// Replace the file if it exists, atomically
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `dict prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) of: OfStore,
    #[command(flatten)]
    pub(crate) lock: Lock,
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
    #[command(flatten)]
    pub(crate) lock: Lock,
    /// Program to run, without a shell; gets the file name of the new backup as its last argument
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) exec: PathBuf,
    /// How often to look for new backups
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = interval)]
    pub(crate) every: Duration,
    /// Exit after this many backups
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "use a time with its time zone, such as `2026-11-21T03:00:00Z`")
}

fn interval(text: &str) -> Result<Duration, &'static str> {
    let interval = time::duration(text).ok().map(|interval| interval.unsigned_abs());
    interval.filter(|interval| !interval.is_zero()).ok_or("use a duration above zero, such as `5s`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_above_zero_and_a_moment_has_a_zone() {
        assert_eq!(interval("5s"), Ok(Duration::from_secs(5)));
        for wrong in ["0s", "-5s", "5", "soon"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
        assert!(moment("2026-11-21T03:00:00Z").is_ok());
        assert!(moment("2026-11-21T03:00:00").is_err());
    }
}
