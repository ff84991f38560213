//! How replicas are made through instances.

use serde::Serialize;

use crate::host::adapters::SshOptions;
use crate::model::InstanceId;
use crate::replicate::copy::Options;

/// The image of temporary instances: Amazon Linux, which has `rsync` and prints its host keys on the console.
pub const IMAGE_DEFAULT: &str = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

/// The type of temporary instances. Its console can be read at once, which that of types before Nitro cannot.
pub const TYPE_DEFAULT: &str = "t3.micro";

/// What is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Files, with `rsync`.
    Rsync,
    /// Blocks, device to device.
    Blocks,
}

impl Mode {
    /// As it is typed and tagged.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsync => "rsync",
            Self::Blocks => "blocks",
        }
    }
}

/// One end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// This instance, which runs.
    Given(InstanceId),
    /// One that is started of this image, and ended.
    Temporary(String),
}

/// How instances are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// How `ssh` is called. Temporary instances get a key and known hosts beside it.
    pub ssh: SshOptions,
    /// The user on given instances.
    pub user: String,
    /// The user on temporary instances, who becomes root by `sudo -n` if it is another.
    pub temporary_user: String,
    /// The network that this program reaches temporary instances from, such as `203.0.113.7/32`.
    pub network: Option<String>,
}

/// How replicas are made through instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferOptions {
    /// What is copied.
    pub mode: Mode,
    /// Where it comes from.
    pub from: Ending,
    /// Where it goes.
    pub to: Ending,
    /// The type of temporary instances.
    pub instance_type: String,
    /// How they are reached.
    pub access: Access,
    /// Encryption of what is made.
    pub copy: Options,
}
