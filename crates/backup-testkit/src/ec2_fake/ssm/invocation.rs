//! What became of a command on one instance.

use backup_core::clock::Timestamp;

/// A command on one instance.
#[derive(Clone, Debug)]
pub(in crate::ec2_fake) struct Invocation {
    pub(super) instance: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) begun: Timestamp,
    pub(super) status: &'static str,
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}
