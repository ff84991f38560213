//! Errors of copying between hosts; callers decide by the variant.

use backup_core::failure::{Failure, Remedy};
use backup_core::run::Cancelled;

use crate::freeze::FreezeError;
use crate::freeze::plan::Refusal;
use crate::host::HostError;

/// A copy between hosts that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// A host does not do what is asked of it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A host cannot be looked at.
    #[error(transparent)]
    Survey(#[from] FreezeError),
    /// The destination must not be written over.
    #[error("{}; nothing was copied", listed(.refusals))]
    Refused {
        /// Every reason.
        refusals: Vec<Refusal>,
    },
    /// There is no such volume or mount on a host.
    #[error("{host} has no device for `{what}`; nothing was copied")]
    Missing {
        /// The host.
        host: String,
        /// The volume or mount point.
        what: String,
    },
    /// The label of the source does not fit the file system of the destination.
    #[error("the label `{label}` has {bytes} bytes, and {kind} has room for {room}; nothing was copied")]
    Label {
        /// The label.
        label: String,
        /// Its length.
        bytes: usize,
        /// The kind of file system at the destination.
        kind: String,
        /// How long a label may be there.
        room: usize,
    },
    /// The label could not be set.
    #[error("the files were copied, but {host} did not set the label `{label}`: {said}")]
    LabelNotSet {
        /// The destination.
        host: String,
        /// The label.
        label: String,
        /// What was said.
        said: String,
    },
    /// The destination does not open its door.
    #[error("{host} could not be made ready: {said}; nothing was copied")]
    Door {
        /// The destination.
        host: String,
        /// What was said.
        said: String,
    },
    /// The copy failed on the way.
    #[error("the copy from {host} failed with code {code}: {said}; the destination has a part of it")]
    Send {
        /// The source.
        host: String,
        /// The exit code of `rsync` or `ssh`.
        code: i32,
        /// What was said last.
        said: String,
    },
    /// What arrived is not what was sent.
    #[error("{host} stored other blocks than were sent: SHA-256 {stored} instead of {sent}")]
    Digest {
        /// The destination.
        host: String,
        /// Of what was sent.
        sent: String,
        /// Of what was read back.
        stored: String,
    },
    /// The caller asked to stop.
    #[error("interrupted; the destination may have a part of the copy")]
    Interrupted,
}

fn listed(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<Cancelled> for SyncError {
    fn from(_: Cancelled) -> Self {
        Self::Interrupted
    }
}

impl Failure for SyncError {
    backup_core::failure_kinds! {
        [Host(HostError), Survey(FreezeError)]
        Refused: "sync::refused", Failed, permanent, "the destination is no mount point of its own, or the host needs it",
            "name the mount point of a whole data file system as destination";
        Missing: "sync::missing", Failed, permanent, "a host has no such volume or mount",
            "run `lsblk -o NAME,SERIAL,MOUNTPOINT` on the host";
        Label: "sync::label", Failed, permanent, "the label does not fit the file system of the destination",
            "shorten the label of the source, or format the destination as the source is";
        LabelNotSet: "sync::label_not_set", Failed, permanent, "the files were copied and the label was not",
            "set it on the destination by hand";
        Door: "sync::door", Failed, permanent, "the destination could not be made ready";
        Send: "sync::send", Failed, passing, "the copy failed on the way",
            "run the same command again: what is equal already is not sent again";
        Digest: "sync::digest", Integrity, permanent, "what arrived is not what was sent",
            "run the same command again, and do not use the destination";
        Interrupted: "sync::interrupted", Interrupted, permanent, "the caller asked to stop";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Host(error) => error.remedy(),
            Self::Survey(error) => error.remedy(),
            _ => self.kind().remedy(),
        }
    }
}
