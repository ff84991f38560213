//! What runs on the host around a freeze.

use backup_core::failure::Remedy;
use std::time::Duration;

use super::error::FreezeError;

/// How long each hook may take unless something else is said: databases flush their caches within it.
pub const HOOK_LIMIT: Duration = Duration::from_secs(30);

/// The longest time for a hook: the watchdog waits as long before it counts the freeze itself.
pub const HOOK_LIMIT_MAX: Duration = Duration::from_secs(600);

/// Two commands for the host's `sh`. The second one runs whenever the first was started, also when it failed, the
/// freeze failed or the run died: by whoever thaws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooks {
    /// Before the first file system is frozen. If it fails nothing is frozen.
    pub before: Option<String>,
    /// After the last one was thawed.
    pub after: Option<String>,
    /// How long each may take, in whole seconds.
    pub limit: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { before: None, after: None, limit: HOOK_LIMIT }
    }
}

impl Hooks {
    /// Whether there is nothing to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.before.is_none() && self.after.is_none()
    }

    pub(super) fn check(&self) -> Result<(), FreezeError> {
        let seconds = self.limit.as_secs();
        if seconds == 0 || self.limit > HOOK_LIMIT_MAX {
            let max = HOOK_LIMIT_MAX.as_secs();
            return Err(FreezeError::Usage {
                what: format!("a hook may take 1 to {max} s, and not {seconds} s"),
                help: Remedy::default(),
            });
        }
        Ok(())
    }
}
