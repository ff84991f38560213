//! Arguments of `ec2 replicate`.

use clap::{ArgAction, Args, ValueEnum};
use jiff::SignedDuration;
use lastgood_operator::settings::time;

use crate::args::common::DryRun;
use crate::args::ec2::common::{self, Tagged};
use crate::args::ec2::reach::Reaching;

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
    #[command(flatten)]
    pub(crate) through: Through,
}

/// How copies are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// By EC2 itself
    #[default]
    Copy,
    /// File by file, with `rsync` from instance to instance; leaves out what belongs to one machine, as `sync-mount` does
    Rsync,
    /// Block by block from instance to instance: for volumes whose file system an instance cannot read
    Blocks,
}

/// Copies from instance to instance.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Copying from instance to instance")]
pub(crate) struct Through {
    /// How to copy
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(crate) mode: Mode,
    /// Instance to attach snapshots to in the region to copy from [default: a temporary one]
    #[arg(long, value_name = "INSTANCE", conflicts_with = "all_regions")]
    pub(crate) from_instance: Option<String>,
    /// Instance to attach copies to in the region to copy to [default: a temporary one]
    #[arg(long, value_name = "INSTANCE", conflicts_with = "all_regions")]
    pub(crate) to_instance: Option<String>,
    /// Network that reaches temporary instances with `ssh`, such as 203.0.113.7/32: the address they see of this machine
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    pub(crate) ssh_from: Option<String>,
    /// Image of the temporary instance in the region to copy from [default: the latest Amazon Linux]
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["from_instance", "all_regions"])]
    pub(crate) from_image: Option<String>,
    /// Image of the temporary instance in the region to copy to [default: the latest Amazon Linux]
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["to_instance", "all_regions"])]
    pub(crate) to_image: Option<String>,
    /// Type of temporary instances
    #[arg(long, value_name = "TYPE", default_value = "t3.micro")]
    pub(crate) instance_type: String,
    /// User to log in as [default: root, and `ec2-user` on temporary instances, which becomes root with `sudo -n`]
    #[arg(long, value_name = "USER")]
    pub(crate) ssh_user: Option<String>,
    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

/// Reads an IPv4 network, or an address, which is a network of its own.
fn network(text: &str) -> Result<String, &'static str> {
    const HOW: &str = "use an IPv4 network, such as `203.0.113.7/32`";
    let (address, length) = text.split_once('/').unwrap_or((text, "32"));
    let address: std::net::Ipv4Addr = address.parse().map_err(|_| HOW)?;
    let length: u8 = length.parse().ok().filter(|length| *length <= 32).ok_or(HOW)?;
    Ok(format!("{address}/{length}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_of_ipv4() {
        assert_eq!(network("203.0.113.7").unwrap(), "203.0.113.7/32");
        assert_eq!(network("10.0.0.0/8").unwrap(), "10.0.0.0/8");
        for bad in ["", "10.0.0.0/33", "fd00::/8", "10.0.0/8", "10.0.0.0/x"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }
}
