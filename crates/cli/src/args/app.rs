//! Arguments of `lastgood app`.

pub(crate) mod of_source;
pub(crate) mod tags;

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use lastgood_operator::settings::time;
use object_backup::OnConflict;

use crate::args::app::of_source::OfSource;
use crate::args::common::{DryRun, Init};
use crate::args::retention::{Keep, Unfinished};

/// Commands about an application's records.
#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Back up all records of a source into one tarball
    Backup(Backup),
    /// List backups, newest last
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show details of a backup
    Show(Which),
    /// Read backups in full and report damaged ones
    Verify(Verify),
    /// Print the records of one type, one JSON object per line
    Cat(Cat),
    /// Restore a backup, in full or not at all
    Restore(Restore),
    /// Delete backups not kept by any retention rule, and leftovers of interrupted runs
    Prune(Prune),
    /// Tag backups, take tags from them, or list tags
    #[command(subcommand)]
    Tag(tags::Tag),
    /// Configure the bucket to expire backups, or to move them to Glacier
    Lifecycle(Lifecycle),
}

/// Arguments of `app backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Where to read records: sqlite:FILE, postgres:DATABASE, ndjson:DIR, or exec:'PROGRAM {type}' for a program that prints
    /// them
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: String,
    /// Back up only this type: its name, its table, or `Type--table`; repeatable. If the source has other types, the backup is
    /// partial and never the last good one
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Name of the backup
    #[arg(long, value_name = "NAME", default_value = object_backup::key::DEFAULT_NAME)]
    pub(crate) name: String,
    /// Skip the backup if the newest complete one of this source is younger than this, such as 20h
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    pub(crate) min_age: Option<SignedDuration>,
    /// Leave out types that cannot be read; the backup is then partial and never the last good one
    #[arg(long)]
    pub(crate) allow_partial: bool,
    /// Publish even if there are no records, or if types that had records now have none
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Refuse to publish if records or bytes fell by more than this many percent since the last complete backup; by default a
    /// fall of more than 50 % only causes a warning
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) max_shrink: Option<u8>,
    /// Tag the backup, such as `keep` or `release=1.4`, for `app ls --tag` and `app prune --keep-tag`; repeatable. `app tag add`
    /// tags it later
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    #[command(flatten)]
    pub(crate) init: Init,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `app ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only backups with this name
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only backups with this tag, or with any value of this key; repeatable: backups that have all of them
    #[arg(long = "tag", value_name = "KEY[=VALUE]")]
    pub(crate) tags: Vec<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
}

/// A backup.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// Key of the backup as printed by `app ls`, or `latest`
    #[arg(value_name = "KEY", default_value = "latest")]
    pub(crate) key: String,
    /// With `latest`: the newest complete backup with this name [default: backup]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
}

/// Arguments of `app verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Keys of backups as printed by `app ls`, or `latest` [default: every backup]
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Every backup, as without a key
    #[arg(long, conflicts_with = "keys")]
    pub(crate) all: bool,
    /// Only backups with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfSource,
}

/// Arguments of `app cat`.
#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// Key of the backup as printed by `app ls`, or `latest`
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// Type to print: its name, its table, or `Type--table`
    #[arg(value_name = "TYPE")]
    pub(crate) wanted: String,
    /// With `latest`: the newest complete backup with this name [default: backup]
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
    /// Where to restore to: sqlite:FILE, postgres:DATABASE or ndjson:DIR, new or existing; a PostgreSQL database must exist
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Restore only this type: its name, its table, or `Type--table`; repeatable
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// What to do with records that already exist: fail, skip or replace. For ndjson:DIR this applies to whole files
    #[arg(long, value_name = "RULE", default_value_t = OnConflict::Fail)]
    pub(crate) on_conflict: OnConflict,
    /// If newer backups cannot be read now, restore the newest that can, and say which were skipped
    #[arg(long)]
    pub(crate) allow_older: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `app prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Only backups with this name
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
    /// Name of the backups
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Delete backups after this time, such as 30d
    #[arg(long, value_name = "TIME", value_parser = whole_days)]
    pub(crate) expire_after: Option<u32>,
    /// Move backups to a cold storage class after this time, such as 60d
    #[arg(long, value_name = "TIME", value_parser = whole_days)]
    pub(crate) glacier_after: Option<u32>,
    /// Cold storage class
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
    /// Retrieval takes minutes to hours
    Glacier,
    /// Retrieval takes 12 to 48 hours
    DeepArchive,
}

/// What becomes of the rules.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PrintOrApply {
    /// Print the rules for `aws s3api put-bucket-lifecycle-configuration`, without contacting the bucket
    #[arg(long)]
    pub(crate) print: bool,
    /// Apply the rules to the bucket; its other rules stay
    #[arg(long)]
    pub(crate) apply: bool,
}

/// S3 counts whole days.
fn whole_days(text: &str) -> Result<u32, &'static str> {
    const DAY_S: u64 = 86_400;
    let seconds = time::duration(text).map_err(|_| "use whole days, such as `30d`")?.unsigned_abs().as_secs();
    let days = u32::try_from(seconds / DAY_S).ok().filter(|_| seconds % DAY_S == 0);
    days.ok_or("use whole days, such as `30d`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycles_count_whole_days() {
        assert_eq!((whole_days("30d"), whole_days("48h")), (Ok(30), Ok(2)));
        for wrong in ["30", "36h", "1mo", "-1d"] {
            assert!(whole_days(wrong).is_err(), "{wrong}");
        }
    }
}
