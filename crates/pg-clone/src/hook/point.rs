//! When a hook runs.

use std::fmt;

use serde::Serialize;

/// When a hook runs, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// Before a dump takes its locks and its snapshot, on the source database: what it changes stays.
    PreDump,
    /// When a restore has created its temporary database, which is still empty.
    PostCreate,
    /// When the temporary database is complete and checked.
    PreSwap,
    /// After the switch, on the live database: a failure is reported and undoes nothing.
    PostSwap,
}

impl Point {
    /// Its name: `pre-dump`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PreDump => "pre-dump",
            Self::PostCreate => "post-create",
            Self::PreSwap => "pre-swap",
            Self::PostSwap => "post-swap",
        }
    }

    /// The step that progress events name.
    pub(super) fn step(self) -> &'static str {
        match self {
            Self::PreDump => "hook.pre_dump",
            Self::PostCreate => "hook.post_create",
            Self::PreSwap => "hook.pre_swap",
            Self::PostSwap => "hook.post_swap",
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
