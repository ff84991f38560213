//! What the programs on the host say, line by line.

use super::error::FreezeError;
use crate::host::HostError;

/// A line of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Everything is frozen.
    Frozen,
    /// Nothing is frozen any more, for this reason.
    Failed {
        /// A word for the reason.
        why: String,
        /// What it is about.
        what: String,
    },
    /// Everything is thawed, by whom ever.
    Thawed,
    /// A file system was no longer frozen when it was thawed.
    Late,
    /// A file system could not be thawed.
    Stuck(String),
    /// The hook after the freeze failed.
    HookAfter,
    /// The program ended.
    Done,
}

impl Said {
    /// None for what is not of our programs, such as login messages.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.strip_prefix("lastgood ")?;
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "frozen" => Self::Frozen,
            "failed" => {
                let (why, what) = rest.split_once(' ').unwrap_or((rest, ""));
                Self::Failed { why: why.to_owned(), what: what.to_owned() }
            }
            "thawed" => Self::Thawed,
            "late" => Self::Late,
            "stuck" => Self::Stuck(rest.to_owned()),
            "hook-after" => Self::HookAfter,
            "done" => Self::Done,
            _ => return None,
        })
    }
}

/// The error that a program's reason is.
pub(super) fn failure(host: &str, why: &str, what: &str, complaint: impl FnOnce() -> String) -> FreezeError {
    let host = host.to_owned();
    match why {
        "root" => HostError::NotRoot { host }.into(),
        "tool" => HostError::Tool { host, tool: what.to_owned() }.into(),
        "watchdog" => FreezeError::Watchdog { host },
        "busy" => FreezeError::Busy { host, mount: what.to_owned() },
        "hook" => FreezeError::Hook { host, said: complaint() },
        "changed" => FreezeError::Failed { host, said: format!("`{what}` is another file system than a moment ago") },
        "slow" => FreezeError::Failed {
            host,
            said: "the kernel needed longer than the deadline to write what was dirty".to_owned(),
        },
        "open" => FreezeError::Failed { host, said: format!("`{what}` cannot be opened: {}", complaint()) },
        "record" => {
            FreezeError::Failed { host, said: format!("no record can be written to `{what}`: {}", complaint()) }
        }
        _ => FreezeError::Failed { host, said: what.to_owned() },
    }
}
