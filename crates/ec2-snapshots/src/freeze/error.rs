//! Errors of freezing and thawing; callers decide by the variant.

use backup_core::failure::{Failure, Operation, Remedy, Setting};
use backup_core::remedy;
use backup_core::run::Cancelled;

use super::plan::Refusal;
use crate::host::HostError;

/// A freeze or thaw that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FreezeError {
    /// The host does not do what is asked of it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Something that was asked for cannot be.
    #[error("{what}")]
    Usage {
        /// What and why.
        what: String,
        /// What to do instead.
        help: Remedy,
    },
    /// A mount point that must not be frozen. Nothing was.
    #[error("{}; nothing was frozen", listed(.refusals))]
    Refused {
        /// Every reason.
        refusals: Vec<Refusal>,
    },
    /// No file system of the host is on the volumes.
    #[error("no file system of {host} that could be frozen is on {volumes}")]
    Nothing {
        /// The host.
        host: String,
        /// The volumes.
        volumes: String,
    },
    /// Another program froze it.
    #[error("`{mount}` on {host} is frozen by another program, which has to thaw it; the freeze was given up")]
    Busy {
        /// The host.
        host: String,
        /// The mount point.
        mount: String,
    },
    /// What would thaw after a lost connection could not be started.
    #[error("the watchdog on {host} could not be started; nothing was frozen")]
    Watchdog {
        /// The host.
        host: String,
    },
    /// The hook before the freeze failed or took too long.
    #[error("the hook before the freeze failed on {host}: {said}; nothing was frozen")]
    Hook {
        /// The host.
        host: String,
        /// Its last words.
        said: String,
    },
    /// The kernel did not freeze a file system.
    #[error("{host} could not freeze: {said}; what was frozen is thawed")]
    Failed {
        /// The host.
        host: String,
        /// The mount point, and what was said.
        said: String,
    },
    /// The connection broke while something was frozen.
    #[error(
        "the connection to {host} was lost while file systems were frozen; they thaw by themselves within {seconds} s"
    )]
    Lost {
        /// The host.
        host: String,
        /// The rest of the deadline at most, in seconds.
        seconds: u64,
    },
    /// It stayed frozen.
    #[error("{what} on {host} is still frozen: {said}")]
    Stuck {
        /// The host.
        host: String,
        /// Device and mount point.
        what: String,
        /// Why.
        said: String,
    },
    /// The caller asked to stop. Nothing is frozen.
    #[error("interrupted; nothing is frozen")]
    Cancelled,
}

fn listed(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<Cancelled> for FreezeError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl Failure for FreezeError {
    backup_core::failure_kinds! {
        [Host(HostError)]
        Usage: "freeze::usage", Usage, permanent, "an option of the freeze cannot be used";
        Refused: "freeze::refused", Failed, permanent, "a mount point must not be frozen",
            ["name mount points of whole data file systems with ", Setting::Freeze, ", or use ", Setting::Consistent.with("crash".to_owned())];
        Nothing: "freeze::nothing", Failed, permanent, "none of the volumes has a file system that can be frozen",
            ["mount them, name mount points with ", Setting::Freeze, ", or use ", Setting::Consistent.with("crash".to_owned())];
        Busy: "freeze::busy", Held, passing, "another program froze the file system";
        Watchdog: "freeze::watchdog", Failed, permanent, "the watchdog could not be started on the host",
            "run `systemd-run true` on the host and see what it says";
        Hook: "freeze::hook", Tool, permanent, "the hook before the freeze failed",
            "run the hook on the host by hand";
        Failed: "freeze::failed", Failed, permanent, "a file system could not be frozen";
        Lost: "freeze::lost", Unreachable, passing, "the connection broke while file systems were frozen";
        Stuck: "freeze::stuck", Failed, permanent, "a file system stayed frozen";
        Cancelled: "freeze::interrupted", Interrupted, permanent, "the caller asked to stop";
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Host(error) => return error.remedy(),
            Self::Usage { help, .. } if !help.is_empty() => help.clone(),
            Self::Lost { host, .. } => {
                let thaw = Operation::Thaw.on(host.clone());
                remedy!["no snapshot of this run is counted as consistent. Then run ", thaw]
            }
            Self::Stuck { host, .. } => {
                let thaw = Operation::Thaw.on(host.clone());
                remedy!["run ", thaw, " again, or restart the machine: nothing on it can be written"]
            }
            Self::Busy { host, mount } => {
                format!("find out who froze it; if nobody did on purpose, run `fsfreeze -u {mount}` on {host}").into()
            }
            _ => return self.kind().remedy(),
        })
    }
}
