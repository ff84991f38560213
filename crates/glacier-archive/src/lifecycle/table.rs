//! The table: which signal leads from which phase to which. Whatever is not in it changes nothing.

use super::phase::Phase::{self, Available, Downloading, Local, Pending, Ready, Requested};

/// An event without what it carries, and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Intended,
    Accepted,
    Refused,
    Running,
    Finished,
    Failed,
    Absent,
    Expired,
    Opened,
    Verified,
    Broken,
    Lost,
}

const TABLE: [(Phase, Signal, Phase); 25] = [
    (Available, Signal::Intended, Requested),
    // Somebody else asked for it, or a catalogue that was lost did.
    (Available, Signal::Running, Pending),
    (Available, Signal::Finished, Ready),
    (Requested, Signal::Accepted, Pending),
    (Requested, Signal::Refused, Available),
    (Requested, Signal::Running, Pending),
    (Requested, Signal::Finished, Ready),
    // A failure told now is of an earlier retrieval: this one has no name yet. Asked, the service says that there is none.
    (Requested, Signal::Absent, Available),
    (Pending, Signal::Running, Pending),
    (Pending, Signal::Finished, Ready),
    (Pending, Signal::Failed, Available),
    (Pending, Signal::Absent, Available),
    (Ready, Signal::Finished, Ready),
    (Ready, Signal::Absent, Available),
    (Ready, Signal::Expired, Available),
    (Ready, Signal::Opened, Downloading),
    // Whoever read it died.
    (Downloading, Signal::Opened, Downloading),
    (Downloading, Signal::Finished, Downloading),
    (Downloading, Signal::Verified, Local),
    (Downloading, Signal::Broken, Ready),
    (Downloading, Signal::Absent, Available),
    (Downloading, Signal::Expired, Available),
    (Local, Signal::Finished, Local),
    // What the service still has need not be paid for again; what has expired goes on by the clock.
    (Local, Signal::Lost, Ready),
    (Local, Signal::Verified, Local),
];

/// The next phase; `None` if the signal means nothing there.
pub(super) fn after(phase: Phase, signal: Signal) -> Option<Phase> {
    TABLE.iter().find(|(from, on, _)| (*from, *on) == (phase, signal)).map(|(_, _, to)| *to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_there_once_and_only_verified_leads_to_local() {
        for (at, (from, on, to)) in TABLE.iter().enumerate() {
            assert!(!TABLE[..at].iter().any(|(other, signal, _)| (other, signal) == (from, on)), "{from:?} {on:?}");
            assert!(*to != Local || *from == Local || (*from, *on) == (Downloading, Signal::Verified));
            assert!(*to != Requested || (*from, *on) == (Available, Signal::Intended), "only then something is paid");
        }
        for phase in Phase::ALL {
            assert!(phase == Available || TABLE.iter().any(|(from, _, _)| *from == phase), "{phase:?} has no way out");
        }
    }
}
