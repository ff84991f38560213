//! Options of consistent snapshots, and the arguments of `ec2 thaw`.

use std::str::FromStr;

use clap::Args;
use ec2_snapshots::host::Host;
use ec2_snapshots::ports::Consistency;
use jiff::SignedDuration;
use lastgood_operator::settings::time;

use crate::args::ec2::reach::Reaching;

/// How consistent snapshots must be.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Consistency")]
pub(crate) struct Consistent {
    /// crash: all volumes at one moment, as after a power cut; fs: with the file systems of data volumes frozen; app: with
    /// hooks around the freeze. Fails if the level is not reached. Root volumes are always `crash`
    #[arg(long = "consistent", value_name = "LEVEL", default_value_t = Consistency::Crash, value_parser = level)]
    pub(crate) level: Consistency,
    /// How to reach the instance: local, ssh, `ssh:[USER@][HOST]`, or ssm (Systems Manager)
    #[arg(long, value_name = "WAY", default_value = "ssh")]
    pub(crate) via: Via,
    /// Mount point to freeze; repeatable [default: all mount points on the instance's data volumes]
    #[arg(long, value_name = "DIR")]
    pub(crate) freeze: Vec<String>,
    /// Thaw after this time in any case, at most 120s
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time::duration)]
    pub(crate) freeze_deadline: SignedDuration,
    /// Command to run on the instance before the freeze, with `--consistent app`
    #[arg(long, value_name = "COMMAND")]
    pub(crate) hook_before: Option<String>,
    /// Command to run on the instance after the freeze, even if the run fails or dies
    #[arg(long, value_name = "COMMAND")]
    pub(crate) hook_after: Option<String>,
    /// Maximum duration of each hook
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time::duration)]
    pub(crate) hook_timeout: SignedDuration,
    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

fn level(text: &str) -> Result<Consistency, &'static str> {
    text.parse().map_err(|_| "use `crash`, `fs` or `app`")
}

/// How the instance is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// The instance is this machine.
    Local,
    /// By `ssh`.
    Ssh {
        /// Who logs in, where it is given.
        user: Option<String>,
        /// Where, instead of the instance's address.
        host: Option<String>,
    },
    /// By Systems Manager.
    Ssm,
}

impl FromStr for Via {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unclear = || "use `local`, `ssh`, `ssh:HOST`, `ssh:USER@`, `ssh:USER@HOST` or `ssm`".to_owned();
        match text {
            "local" => return Ok(Self::Local),
            "ssm" => return Ok(Self::Ssm),
            "ssh" => return Ok(Self::Ssh { user: None, host: None }),
            _ => {}
        }
        let destination = text.strip_prefix("ssh:").ok_or_else(unclear)?;
        let (user, host) = match destination.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, destination),
        };
        // What begins with a hyphen would be an option of `ssh`.
        if destination.starts_with('-') || user == Some("") || (user.is_none() && host.is_empty()) {
            return Err(unclear());
        }
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Ok(Self::Ssh { user: user.map(str::to_owned), host: filled(host) })
    }
}

/// Arguments of `ec2 thaw`.
#[derive(Debug, Args)]
pub(crate) struct Thaw {
    /// Host to thaw: `local`, a destination of `ssh`, or the ID of an instance for Systems Manager
    #[arg(value_name = "HOST")]
    pub(crate) host: String,
    /// Region of the instance [default: that of the AWS environment]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

impl Thaw {
    /// The host.
    pub(crate) fn host(&self) -> Result<Host, ec2_snapshots::Ec2Error> {
        Ok(self.host.parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_read_and_none_is_an_option_of_ssh() {
        let ssh = |user: Option<&str>, host: Option<&str>| Via::Ssh {
            user: user.map(str::to_owned),
            host: host.map(str::to_owned),
        };
        for (text, expected) in [
            ("local", Via::Local),
            ("ssm", Via::Ssm),
            ("ssh", ssh(None, None)),
            ("ssh:db1", ssh(None, Some("db1"))),
            ("ssh:ubuntu@", ssh(Some("ubuntu"), None)),
            ("ssh:root@db1", ssh(Some("root"), Some("db1"))),
        ] {
            assert_eq!(text.parse::<Via>().unwrap(), expected);
        }
        for bad in ["", "ssh:", "ssh:-oProxyCommand=x", "ssh:@db1", "telnet"] {
            assert!(bad.parse::<Via>().is_err(), "{bad}");
        }
    }
}
