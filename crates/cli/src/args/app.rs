//! Arguments of `lastgood app`.

use clap::{Args, Subcommand, ValueEnum};
use object_backup::OnConflict;

use crate::args::retention::{Keep, Unfinished};
use crate::args::{DryRun, Init};

/// Commands about an application's records.
#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Back up all records of a source into one tarball
    Backup(Backup),
    /// List the backups, newest last
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show what a backup holds
    Show(Which),
    /// Read backups to their last byte and say which are whole
    Verify(Verify),
    /// Print the records of one type, one JSON object a line
    Cat(Cat),
    /// Restore a backup: all of it or nothing
    Restore(Restore),
    /// Delete the backups that no rule keeps, and what interrupted runs left
    Prune(Prune),
    /// Let the bucket itself expire backups, or move them to Glacier
    Lifecycle(Lifecycle),
}

/// Arguments of `app backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Where the records are: sqlite:FILE, postgres:DATABASE, ndjson:DIR, or exec:'PROGRAM {type}', which prints them
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: String,
    /// Only this type, repeatable: its name, its table, or `Type--table`. Unless that is all there is, the backup is partial
    /// and never the last good one
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// What the backup is called
    #[arg(long, value_name = "NAME", default_value = object_backup::backup_key::DEFAULT_NAME)]
    pub(crate) name: String,
    /// Do nothing if the newest complete backup of this source is younger, such as 20h
    #[arg(long, value_name = "TIME")]
    pub(crate) min_age: Option<String>,
    /// Leave out types that cannot be read; such a backup is partial and never the last good one
    #[arg(long)]
    pub(crate) allow_partial: bool,
    /// Publish even if there is no record at all, or if types that had records have none any more
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Publish nothing if records or bytes fell by more than so many percent since the last complete backup; a fall by more
    /// than 50 % is told without it
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) max_shrink: Option<u8>,
    /// Label, repeatable; `app prune --keep-tag` keeps by it
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    #[command(flatten)]
    pub(crate) init: Init,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Which database, file or folder a backup is of.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OfSource {
    /// Only backups of this source: its host, path or id as `app ls` and `app show` print them, or `unknown` for those that
    /// do not say
    #[arg(long, value_name = "HOST|ID")]
    pub(crate) source: Option<String>,
}

/// Arguments of `app ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only backups called so
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
}

/// A backup.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// The backup's key as `app ls` shows it, or `latest`
    #[arg(value_name = "KEY", default_value = "latest")]
    pub(crate) key: String,
    /// With `latest`: the newest complete one called so [default: backup]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
}

/// Arguments of `app verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The backup's key as `app ls` shows it, or `latest` [default: every backup]
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Only backups called so
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
}

/// Arguments of `app cat`.
#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// The backup's key as `app ls` shows it, or `latest`
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// The type: its name, its table, or `Type--table`
    #[arg(value_name = "TYPE")]
    pub(crate) wanted: String,
    /// With `latest`: the newest complete one called so [default: backup]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
}

/// Arguments of `app restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Where to: sqlite:FILE, postgres:DATABASE or ndjson:DIR, new or existing (a database must exist)
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Only this type, repeatable: its name, its table, or `Type--table`
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// What becomes of records that are there already: fail, skip or replace. In a folder files count, not records
    #[arg(long, value_name = "RULE", default_value_t = OnConflict::Fail)]
    pub(crate) on_conflict: OnConflict,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `app prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Only backups called so
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
    #[command(flatten)]
    pub(crate) unfinished: Unfinished,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

/// Arguments of `app lifecycle`.
#[derive(Debug, Args)]
pub(crate) struct Lifecycle {
    /// The backups called so
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Delete them after so long, such as 30d
    #[arg(long, value_name = "TIME")]
    pub(crate) expire_after: Option<String>,
    /// Move them to a cold class after so long, such as 60d
    #[arg(long, value_name = "TIME")]
    pub(crate) glacier_after: Option<String>,
    /// The cold class
    #[arg(long, value_name = "CLASS", value_enum, default_value_t = Class::Glacier)]
    pub(crate) class: Class,
    #[command(flatten)]
    pub(crate) what: PrintOrApply,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Cold classes of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Class {
    /// Read after minutes to hours
    Glacier,
    /// Read after half a day or two
    DeepArchive,
}

/// What becomes of the rules.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PrintOrApply {
    /// Print them as `aws s3api put-bucket-lifecycle-configuration` takes them; asks nobody
    #[arg(long)]
    pub(crate) print: bool,
    /// Set them; rules of others stay
    #[arg(long)]
    pub(crate) apply: bool,
}
