//! What stands behind the fake's instances and volumes where there is something: see [`crate::namespaces`].

use std::fmt;

use super::content::Content;

/// Machines and disks. Without them instances are names only, and what is on a volume never changes.
pub trait Hardware: fmt::Debug + Send + Sync {
    /// Starts the machine of `instance`, which lets `public_key` in, and says its address.
    ///
    /// # Errors
    /// Why it cannot be started.
    fn boot(&self, instance: &str, public_key: Option<&str>) -> Result<String, String>;

    /// What the machine has printed since it was started; none if there is no such machine.
    fn console(&self, instance: &str) -> Option<String>;

    /// Ends the machine.
    fn halt(&self, instance: &str);

    /// Shows the volume to the machine as `device`. What is on it at first is `content`.
    ///
    /// # Errors
    /// Why it cannot be.
    fn attach(&self, volume: &Disk<'_>, instance: &str, device: &str) -> Result<(), String>;

    /// Takes the volume away; says whether it is gone, which it is not while it is mounted.
    fn detach(&self, volume: &str) -> bool;

    /// What is on the volume, if it was ever attached.
    fn content(&self, volume: &str) -> Option<Content>;

    /// The volume is deleted.
    fn forget(&self, volume: &str);
}

/// A volume that is shown to a machine.
#[derive(Clone, Copy, Debug)]
pub struct Disk<'a> {
    /// `vol-…`.
    pub id: &'a str,
    /// GiB.
    pub size: u64,
    /// What is on it at first.
    pub content: &'a Content,
}
