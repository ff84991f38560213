//! Arguments of the commands that read and write snapshots block by block.

use std::path::PathBuf;

use clap::Args;
use ec2_snapshots::blocks::Sample;
use jiff::SignedDuration;
use lastgood_operator::settings::time;

use crate::args::Init;
use crate::args::common::DryRun;
use crate::args::ec2::common;

/// Arguments of `ec2 verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// ID of the snapshot
    #[arg(value_name = "SNAPSHOT", value_parser = common::snapshot)]
    pub(crate) snapshot: String,
    /// ID of the replica to compare it with
    #[arg(long, value_name = "REPLICA", value_parser = common::snapshot)]
    pub(crate) against: String,
    /// Region of the snapshot; a unique beginning of its name is enough
    #[arg(long, value_name = "REGION")]
    pub(crate) region: String,
    /// Region of the replica [default: the same]
    #[arg(long, value_name = "REGION")]
    pub(crate) replica_region: Option<String>,
    /// How many blocks to compare: a share, at least 100 blocks, or `all`
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = sample)]
    pub(crate) sample: Sample,
    /// Number that the sample is drawn by; the same number draws the same blocks [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

/// Arguments of `ec2 export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// ID of the snapshot
    #[arg(value_name = "SNAPSHOT", value_parser = common::snapshot)]
    pub(crate) snapshot: String,
    /// Region of the snapshot; a unique beginning of its name is enough
    #[arg(long, value_name = "REGION")]
    pub(crate) region: String,
    /// Location to export to [default: that of `-r`]
    #[arg(long, value_name = "LOCATION")]
    pub(crate) to: Option<String>,
    /// Also write the volume to this file, as a raw image with holes
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
    /// Build on the export of this snapshot [default: the newest export of an earlier snapshot of the volume]
    #[arg(long, value_name = "SNAPSHOT", value_parser = common::snapshot)]
    pub(crate) parent: Option<String>,
    /// Read every block, even if an earlier snapshot of the volume was exported
    #[arg(long, conflicts_with = "parent")]
    pub(crate) no_parent: bool,
    #[command(flatten)]
    pub(crate) init: Init,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `ec2 import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The export: the ID of its snapshot, or REGION/SNAPSHOT
    #[arg(value_name = "EXPORT")]
    pub(crate) export: String,
    /// Location to import from [default: that of `-r`]
    #[arg(long, value_name = "LOCATION")]
    pub(crate) from: Option<String>,
    /// Region of the new snapshot; a unique beginning of its name is enough
    #[arg(long, value_name = "REGION")]
    pub(crate) region: String,
    /// Write only what differs from this snapshot of the region, which was exported to the location or imported from it
    #[arg(long, value_name = "SNAPSHOT", value_parser = common::snapshot)]
    pub(crate) parent: Option<String>,
    /// Encrypt the new snapshot; without it, it is encrypted if its parent is or if the account encrypts by default
    #[arg(long)]
    pub(crate) encrypted: bool,
    /// ARN of the key to encrypt it with [default: that of the account]
    #[arg(long, value_name = "ARN")]
    pub(crate) kms_key: Option<String>,
    /// Description of the new snapshot [default: that of the exported one]
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Time without a block after which EBS gives the new snapshot up: 10m to 72h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time::duration)]
    pub(crate) timeout: SignedDuration,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

fn sample(text: &str) -> Result<Sample, String> {
    text.parse().map_err(|_| "write `all`, or a share such as `1%`".to_owned())
}
