//! An instance and its devices.

use serde::Serialize;

use super::{InstanceId, Region, Tags, VolumeId};

/// Whether an instance runs (EC2 API reference, data type `InstanceState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// It is starting.
    Pending,
    /// It runs.
    Running,
    /// It is going for good.
    ShuttingDown,
    /// It is gone.
    Terminated,
    /// It is stopping.
    Stopping,
    /// It is stopped.
    Stopped,
    /// A state this version does not know.
    Unknown,
}

impl InstanceState {
    /// The state by EC2's name for it.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "shutting-down" => Self::ShuttingDown,
            "terminated" => Self::Terminated,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            _ => Self::Unknown,
        }
    }
}

/// A volume as an instance has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The name EC2 knows, such as `/dev/sda1`; the kernel's may be another.
    pub name: String,
    /// The volume.
    pub volume: VolumeId,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The region it is in.
    pub region: Region,
    /// The zone it is in.
    pub zone: String,
    /// Whether it runs.
    pub state: InstanceState,
    /// Its type, such as `t3.micro`.
    pub instance_type: String,
    /// Its architecture, such as `x86_64`.
    pub architecture: String,
    /// The device of its root volume, such as `/dev/sda1`.
    pub root_device: Option<String>,
    /// Its volumes, by device name.
    pub devices: Vec<Device>,
    /// An address that reaches it from outside.
    pub public_address: Option<String>,
    /// The same as a number.
    pub public_ip: Option<String>,
    /// Its address inside its network.
    pub private_address: Option<String>,
    /// Its tags.
    pub tags: Tags,
}
