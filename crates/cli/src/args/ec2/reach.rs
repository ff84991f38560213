//! Options that say how a host is reached.

use clap::Args;

/// How a host is reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reaching hosts")]
pub(crate) struct Reaching {
    /// Command to use instead of `ssh`, such as `ssh -F FILE`; host keys must be known
    #[arg(long, value_name = "COMMAND", default_value = "ssh")]
    pub(crate) ssh_command: String,
    /// Become root on the host with `sudo -n`
    #[arg(long)]
    pub(crate) sudo: bool,
}
