//! The ways to a host: as a child process, through `ssh`, and through Systems Manager.

mod process;
#[cfg(feature = "ec2")]
mod ssm;

pub use process::{Process, SshOptions};
#[cfg(feature = "ec2")]
pub use ssm::Ssm;
