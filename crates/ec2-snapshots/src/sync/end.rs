//! One end of a copy between hosts.

use std::sync::Arc;

use crate::host::Shell;

/// One end of a copy.
#[derive(Clone, Debug)]
pub struct End {
    /// Runs programs there, as root.
    pub shell: Arc<dyn Shell>,
    /// How the other host reaches it. Only asked of a destination.
    pub address: String,
    /// Where its `sshd` listens.
    pub port: u16,
    /// The volume: an id, or a device.
    pub volume: String,
    /// Where it is mounted.
    pub mount: String,
}
