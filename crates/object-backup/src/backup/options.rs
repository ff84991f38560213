//! What to back up, and how.

use jiff::SignedDuration;

use crate::backup_key::DEFAULT_NAME;
use crate::plan::Types;

/// What to back up, and how.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// What the backup is called: the folder it lies in, and what retention keeps apart.
    pub name: String,
    /// Which types.
    pub types: Types,
    /// Leaves out types that cannot be read. The backup is then partial and never counts as the last good one.
    pub allow_partial: bool,
    /// Publishes even if there is no record at all, or if types that had records have none any more.
    pub allow_empty: bool,
    /// Publishes nothing if records or bytes fell by more than so many percent since the last complete backup.
    pub max_shrink: Option<u8>,
    /// Does nothing if the newest complete backup of the same source is younger.
    pub min_age: Option<SignedDuration>,
    /// Labels; retention can keep by them.
    pub tags: Vec<String>,
}

impl BackupOptions {
    /// Everything, as [`DEFAULT_NAME`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            types: Types::All,
            allow_partial: false,
            allow_empty: false,
            max_shrink: None,
            min_age: None,
            tags: Vec::new(),
        }
    }
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self::new()
    }
}
