//! Arguments of `lastgood ec2`.

pub(crate) mod blocks;
pub(crate) mod common;
pub(crate) mod freeze;
pub(crate) mod reach;
pub(crate) mod replicate;
pub(crate) mod sync_mount;
pub(crate) mod trim;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use lastgood_operator::settings::time;

use crate::args::common::DryRun;
use crate::args::ec2::common::{Any, InRegions, Tag, Tagged};

/// Commands about EBS snapshots.
#[derive(Debug, Subcommand)]
pub(crate) enum Ec2 {
    /// Create snapshots of instances: one set per instance, all its volumes at one moment
    Snapshot(Snapshot),
    /// List snapshots, newest last
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show a snapshot with its copies, or a set of snapshots
    Show(Show),
    /// Delete snapshots not kept by any retention rule
    Trim(Box<trim::Trim>),
    /// Apply a plan written by `ec2 trim --out`, unless the snapshots have changed since
    Apply(Apply),
    /// Delete failed snapshots, sets created twice, and what replications that died left behind
    CleanBroken(CleanBroken),
    /// Create a machine image from a set, or from the snapshots of an instance within 10 minutes
    Image(Image),
    /// Show how old the newest complete snapshot of each volume is
    Report(Report),
    /// Compare a snapshot with a replica of it, all blocks or a sample
    Verify(blocks::Verify),
    /// Export a snapshot to a location, block by block
    Export(blocks::Export),
    /// Import an exported snapshot as a new one
    Import(blocks::Import),
    /// Copy snapshots to other regions
    Replicate(Box<replicate::Replicate>),
    /// Copy a mounted file system or a volume from one instance to another
    SyncMount(Box<sync_mount::SyncMount>),
    /// Thaw file systems left frozen by a run that died
    Thaw(Box<freeze::Thaw>),
}

/// Arguments of `ec2 snapshot`.
#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// IDs of instances [default: the instances with the tag]
    #[arg(value_name = "INSTANCE", value_parser = common::instance)]
    pub(crate) instances: Vec<String>,
    #[command(flatten)]
    pub(crate) tagged: Tagged,
    #[command(flatten)]
    pub(crate) regions: InRegions,
    /// Wait until the snapshots are complete, at most this long [default without a value: 1h]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "1h", value_parser = time::duration)]
    pub(crate) wait: Option<SignedDuration>,
    /// Leave out root volumes
    #[arg(long)]
    pub(crate) exclude_root: bool,
    /// Description of the snapshots [default: JSON that names their source]
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Additional tag of the snapshots; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = common::tag)]
    pub(crate) add_tag: Vec<Tag>,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    #[command(flatten)]
    pub(crate) consistent: freeze::Consistent,
}

/// Arguments of `ec2 ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) tagged: Tagged,
    #[command(flatten)]
    pub(crate) regions: InRegions,
    #[command(flatten)]
    pub(crate) any: Any,
}

/// Arguments of `ec2 show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// ID of a snapshot or a set
    #[arg(value_name = "SNAPSHOT|SET")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) regions: InRegions,
}

/// Arguments of `ec2 apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// Plan written by `ec2 trim --out`
    #[arg(value_name = "FILE")]
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `ec2 clean-broken`.
#[derive(Debug, Args)]
pub(crate) struct CleanBroken {
    #[command(flatten)]
    pub(crate) regions: InRegions,
    #[command(flatten)]
    pub(crate) any: Any,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `ec2 image`.
#[derive(Debug, Args)]
pub(crate) struct Image {
    /// ID of a set, or of one snapshot of an instance
    #[arg(value_name = "SET|SNAPSHOT")]
    pub(crate) name: String,
    /// Region of the snapshots; a unique beginning of its name is enough
    #[arg(long, value_name = "REGION")]
    pub(crate) region: String,
    /// Name of the image [default: instance and time of the snapshots]
    #[arg(long, value_name = "NAME")]
    pub(crate) image_name: Option<String>,
    /// Root device, if the snapshots do not name it [default: /dev/sda1]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) root_device: Option<String>,
    /// Architecture, if the snapshots do not name it [default: x86_64]
    #[arg(long, value_name = "ARCH")]
    pub(crate) architecture: Option<String>,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `ec2 report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) tagged: Tagged,
    #[command(flatten)]
    pub(crate) regions: InRegions,
    /// Maximum age of the newest complete snapshot of each volume; exit with 20 if one is older
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    pub(crate) rpo: Option<SignedDuration>,
    /// Region that must have a complete copy of each volume too; repeatable
    #[arg(long, value_name = "REGION")]
    pub(crate) copies_in: Vec<String>,
    /// Form of the report
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table
    #[default]
    Text,
    /// Metrics in Prometheus's text format
    Prometheus,
}
