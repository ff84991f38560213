//! Arguments of `ec2 replicate`.

use clap::{ArgAction, Args};
use jiff::SignedDuration;
use lastgood_operator::settings::time;

use crate::args::common::DryRun;
use crate::args::ec2::common::{self, Tagged};

/// Arguments of `ec2 replicate`.
#[derive(Debug, Args)]
pub(crate) struct Replicate {
    /// Region to copy from; repeatable
    #[arg(long, value_name = "REGION", required_unless_present = "all_regions", conflicts_with = "all_regions")]
    pub(crate) from: Vec<String>,
    /// Region to copy to
    #[arg(long, value_name = "REGION", required_unless_present = "all_regions", conflicts_with = "all_regions")]
    pub(crate) to: Option<String>,
    /// Copy all regions to the primary region, then everything in the primary region to the secondary region
    #[arg(long)]
    pub(crate) all_regions: bool,
    /// Region that keeps copies from all other regions [default: `ec2.primary` of the configuration file]
    #[arg(long, value_name = "REGION", requires = "all_regions")]
    pub(crate) primary: Option<String>,
    /// Region that keeps copies from the primary region [default: `ec2.secondary` of the configuration file]
    #[arg(long, value_name = "REGION", requires = "all_regions")]
    pub(crate) secondary: Option<String>,
    #[command(flatten)]
    pub(crate) tagged: Tagged,
    /// Copy only snapshots created in the region they are copied from
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
          action = ArgAction::Set, conflicts_with = "all_regions")]
    pub(crate) native_only: bool,
    /// Copy this snapshot instead of the newest of each volume
    #[arg(long, value_name = "SNAPSHOT", value_parser = common::snapshot, conflicts_with = "all_regions")]
    pub(crate) snapshot: Option<String>,
    /// Copy even if the region has a copy of a newer snapshot of the volume, or if two copies failed
    #[arg(long)]
    pub(crate) force: bool,
    /// Have EC2 complete each copy within this time, from 15m to 48h; AWS charges for it
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    pub(crate) within: Option<SignedDuration>,
    /// Encrypt copies of snapshots that are not encrypted
    #[arg(long)]
    pub(crate) encrypt: bool,
    /// KMS key to encrypt copies with: its ID, ARN or alias
    #[arg(long, value_name = "KEY")]
    pub(crate) kms_key: Option<String>,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}
