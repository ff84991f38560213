//! Arguments of `ec2 sync-mount`.

use std::str::FromStr;

use clap::Args;

use crate::args::ec2::reach::Reaching;

/// Arguments of `ec2 sync-mount`.
#[derive(Debug, Args)]
pub(crate) struct SyncMount {
    /// What to copy, as INSTANCE:VOLUME:DIR. INSTANCE is an ID, or `user@host` as `ssh` takes it; VOLUME is an ID or a device
    #[arg(long, value_name = "END")]
    pub(crate) from: End,
    /// Where to copy it. The directory must be a mount point
    #[arg(long, value_name = "END")]
    pub(crate) to: End,
    /// Copy the volume block by block, and compare digests: for volumes whose file system the instance cannot read. No port
    /// but that of `ssh` has to be open
    #[arg(long)]
    pub(crate) encrypted: bool,
    /// Keep files that the source does not have
    #[arg(long)]
    pub(crate) update: bool,
    /// Leave out files that match this pattern of `rsync`; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Address at which the source reaches the destination [default: its private address in the same region, else its public
    /// one, or the host named in --to]
    #[arg(long, value_name = "HOST")]
    pub(crate) address: Option<String>,
    /// Port of `ssh` at that address
    #[arg(long, value_name = "PORT", default_value_t = 22)]
    pub(crate) port: u16,
    /// User to log in as on instances given by ID
    #[arg(long, value_name = "USER", default_value = "root")]
    pub(crate) ssh_user: String,
    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

/// One end of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) instance: String,
    pub(crate) volume: String,
    pub(crate) mount: String,
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // From the end: an instance may be an IPv6 address.
        let mut parts = text.rsplitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(mount), Some(volume), Some(instance)) if mount.starts_with('/') && !instance.is_empty() => {
                Ok(Self { instance: instance.to_owned(), volume: volume.to_owned(), mount: mount.to_owned() })
            }
            _ => {
                Err("use INSTANCE:VOLUME:DIR, such as `i-0123456789abcdef0:vol-0123456789abcdef0:/mnt/data`".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_three_parts_and_an_absolute_mount_point() {
        let end: End = "i-1:vol-1:/mnt".parse().unwrap();
        assert_eq!((end.instance.as_str(), end.volume.as_str(), end.mount.as_str()), ("i-1", "vol-1", "/mnt"));
        let end: End = "root@fd00::1:/dev/xvdf:/mnt".parse().unwrap();
        assert_eq!((end.instance.as_str(), end.volume.as_str()), ("root@fd00::1", "/dev/xvdf"));
        for bad in ["i-1:/mnt", "i-1:vol-1:mnt", ":vol-1:/mnt"] {
            assert!(bad.parse::<End>().is_err(), "{bad}");
        }
    }
}
