//! The lifecycle of an archive, from cold to local and back: one table, and no I/O.
//!
//! # Promises
//! - An [`Event::Intended`] changes something only where nothing was asked for. Whoever persists it before the paid request
//!   and asks the service about it afterwards never pays twice.
//! - A retrieval that the service still has is never forgotten: not by a lost answer, a failed download, or a notification
//!   that comes twice or late.
//! - An archive is local only after [`Event::Verified`], and that counts only during a download.

mod phase;
mod table;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::phase::{Phase, Status};
use self::table::{Signal, after};
use crate::class::Tier;

/// Within this time of a request, that the service does not know of a retrieval proves nothing: its answer may have been
/// given before the request arrived.
pub const SETTLING: SignedDuration = SignedDuration::from_secs(60);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A retrieval will be requested now. To be persisted before it is.
    Intended {
        /// By which tier.
        tier: Tier,
        /// When it is expected to be readable at the latest.
        expected: Timestamp,
    },
    /// The service took the request.
    Accepted {
        /// What the service calls it, where it has a name.
        job: Option<String>,
    },
    /// The service surely did not take the request.
    Refused {
        /// Why.
        reason: String,
    },
    /// The service was asked, and works on a retrieval.
    Running {
        /// What the service calls it.
        job: Option<String>,
    },
    /// The archive can be read, as the service says, or a notification.
    Finished {
        /// What the service calls the retrieval.
        job: Option<String>,
        /// Until when; absent where it does not end.
        until: Option<Timestamp>,
    },
    /// A retrieval failed, as the service says, or a notification.
    Failed {
        /// What the service calls it.
        job: Option<String>,
        /// Why.
        reason: String,
    },
    /// The service was asked, and has neither a retrieval nor a copy.
    Absent,
    /// Reading begins.
    Opened,
    /// All that was wanted was read, and has the right digest.
    Verified,
    /// Reading failed, or what was read has the wrong digest.
    Broken {
        /// Why.
        reason: String,
    },
    /// Something that is wanted is not local any more.
    Lost,
}

/// What is known of the retrieval of one archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Where it is.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// What the service calls the retrieval.
    pub job: Option<String>,
    /// By which tier it was requested.
    pub tier: Option<Tier>,
    /// When it was requested.
    pub requested: Option<Timestamp>,
    /// When it is expected to be readable.
    pub expected: Option<Timestamp>,
    /// Until when it can be read; absent where it does not end, or is not readable.
    pub until: Option<Timestamp>,
    /// Why it went back, where it did.
    pub reason: Option<String>,
}

impl Retrieval {
    /// The same at `now`: what can no longer be read is available again.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        let is_over = self.until.is_some_and(|until| until <= now);
        match after(self.phase, Signal::Expired) {
            Some(phase) if is_over => {
                let reason = Some("the retrieved copy has expired".to_owned());
                Self { phase, since: now, reason, ..Self::default() }
            }
            _ => self.clone(),
        }
    }

    /// The same after `event`; `None` if that changes nothing.
    #[must_use]
    pub fn after(&self, event: &Event, now: Timestamp) -> Option<Self> {
        let before = self.at(now);
        let next = before.stepped(event, now).map(|next| next.at(now));
        next.or_else(|| (before != *self).then_some(before)).filter(|next| next != self)
    }

    fn stepped(&self, event: &Event, now: Timestamp) -> Option<Self> {
        if self.is_stale(event, now) {
            return None;
        }
        let phase = after(self.phase, signal(event))?;
        let since = if phase == self.phase { self.since } else { now };
        let mut next = Self { phase, since, ..self.clone() };
        match event {
            Event::Intended { tier, expected } => {
                let (requested, tier, expected) = (Some(now), Some(*tier), Some(*expected));
                next = Self { phase, since, tier, requested, expected, ..Self::default() };
            }
            Event::Accepted { job } | Event::Running { job } => next.job = job.clone().or(next.job),
            Event::Finished { job, until } => {
                next.job = job.clone().or(next.job);
                next.until = *until;
            }
            Event::Refused { reason } | Event::Failed { reason, .. } => {
                next = Self { phase, since, reason: Some(reason.clone()), ..Self::default() };
            }
            Event::Absent => {
                let reason = Some("the service has no retrieval of it and no copy".to_owned());
                next = Self { phase, since, reason, ..Self::default() };
            }
            Event::Broken { reason } => next.reason = Some(reason.clone()),
            Event::Opened | Event::Verified | Event::Lost => next.reason = None,
        }
        Some(next)
    }

    /// Whether the event is about an earlier retrieval, or too early to prove anything.
    fn is_stale(&self, event: &Event, now: Timestamp) -> bool {
        let is_other = |job: &Option<String>| job.is_some() && self.job.is_some() && *job != self.job;
        match event {
            Event::Finished { job, until } => is_other(job) || until.is_some_and(|until| until <= now),
            Event::Failed { job, .. } => is_other(job),
            Event::Absent => {
                matches!(self.phase, Phase::Requested | Phase::Pending) && now.duration_since(self.since) < SETTLING
            }
            _ => false,
        }
    }
}

fn signal(event: &Event) -> Signal {
    match event {
        Event::Intended { .. } => Signal::Intended,
        Event::Accepted { .. } => Signal::Accepted,
        Event::Refused { .. } => Signal::Refused,
        Event::Running { .. } => Signal::Running,
        Event::Finished { .. } => Signal::Finished,
        Event::Failed { .. } => Signal::Failed,
        Event::Absent => Signal::Absent,
        Event::Opened => Signal::Opened,
        Event::Verified => Signal::Verified,
        Event::Broken { .. } => Signal::Broken,
        Event::Lost => Signal::Lost,
    }
}
