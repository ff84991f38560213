//! Which copy is to replace which database.

use std::sync::Arc;

use jiff::Timestamp;

use crate::adapters::connection::Session;
use crate::live::state::{Found, State};
use crate::live::swap::moves::{Pristine, Replaced};
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
use crate::restore::carry::rows::CarryOver;
use crate::stored::database_settings::DatabaseSettings;

/// Which copy is to replace which database, and what becomes of others.
#[derive(Clone, Debug)]
pub struct SwapRequest {
    /// Holds the target's lock.
    pub(super) admin: Arc<Session>,
    /// The server's system identifier, if it says one.
    pub(super) system: Option<i64>,
    pub(super) target: String,
    pub(super) incoming: Incoming,
    pub(super) settings: Option<DatabaseSettings>,
    pub(super) force: bool,
    pub(super) may_replace: bool,
    pub(super) returning: Option<Returning>,
    pub(super) replaced: Replaced,
    pub(super) pristine: Option<Pristine>,
    pub(super) void: Vec<Found>,
    pub(super) mark: Option<State>,
    pub(super) comment: Option<String>,
    pub(super) carry: Option<CarryOver>,
}

/// The database that takes the target's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) oid: u32,
    /// Its name until then.
    pub(super) name: String,
}

impl SwapRequest {
    /// `temporary` is to become the lock's target, with the comment and connection limit of `settings`, and what it
    /// replaces is dropped.
    #[must_use]
    pub fn new(lock: &TargetLock, temporary: &Temporary, settings: Option<DatabaseSettings>) -> Self {
        let incoming = Incoming { oid: temporary.oid(), name: temporary.name().to_owned() };
        Self::of(lock, incoming, settings)
    }

    /// `previous`, which a swap of before replaced, is to get its name back, and the one that has it now becomes the
    /// `:previous` in its place.
    pub(crate) fn toggle(lock: &TargetLock, previous: &Found, settings: Option<DatabaseSettings>) -> Self {
        let returning = previous.state.as_ref().and_then(|state| Returning::of(state, previous.allow_connections));
        let incoming = Incoming { oid: previous.oid, name: previous.name.clone() };
        Self { replaced: Replaced::Kept(previous.name.clone()), returning, ..Self::of(lock, incoming, settings) }
    }

    fn of(lock: &TargetLock, incoming: Incoming, settings: Option<DatabaseSettings>) -> Self {
        Self {
            admin: lock.share(),
            system: lock.system(),
            target: lock.target().to_owned(),
            incoming,
            settings,
            force: false,
            may_replace: true,
            returning: None,
            replaced: Replaced::Dropped,
            pristine: None,
            void: Vec::new(),
            mark: None,
            comment: None,
            carry: None,
        }
    }

    /// Whether it swaps although replication slots or subscriptions are bound to the live database.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Whether it swaps although there is a live database of that name: not if nobody saw it when the swap was agreed to.
    #[must_use]
    pub fn may_replace(mut self, may_replace: bool) -> Self {
        self.may_replace = may_replace;
        self
    }

    /// Keeps what is replaced under the name `previous`, and `pristine`, which holds `dump`, under the name `current`.
    pub(crate) fn reversible(mut self, previous: String, pristine: &Temporary, current: String, dump: &str) -> Self {
        self.replaced = Replaced::Kept(previous);
        let (oid, name) = (pristine.oid(), pristine.name().to_owned());
        self.pristine = Some(Pristine { oid, name, to: current, dump: dump.to_owned() });
        self
    }

    /// Makes copies of before void in the same switch; they are dropped after it.
    pub(crate) fn discarding(mut self, void: impl IntoIterator<Item = Found>) -> Self {
        self.void.extend(void);
        self
    }

    /// Carries tables of the live database over once nobody uses it any more.
    pub(crate) fn carrying(mut self, carry: Option<CarryOver>) -> Self {
        self.carry = carry;
        self
    }

    /// Gives the database that takes the name this comment, and not the one of the settings.
    pub(crate) fn commented(mut self, comment: Option<String>) -> Self {
        self.comment = comment;
        self
    }

    /// Writes this on the database that takes the name, in place of its own comment.
    pub(crate) fn marked(mut self, mark: State) -> Self {
        self.mark = Some(mark);
        self
    }
}

/// What a `:previous` must be again should its return fail.
#[derive(Clone, Debug)]
pub(super) struct Returning {
    pub(super) comment: Option<String>,
    pub(super) replaced: Timestamp,
    pub(super) allow_connections: bool,
}

impl Returning {
    fn of(state: &State, allow_connections: bool) -> Option<Self> {
        match state {
            State::Previous { comment, since: replaced, .. } | State::Returning { comment, replaced, .. } => {
                Some(Self { comment: comment.clone(), replaced: *replaced, allow_connections })
            }
            _ => None,
        }
    }
}
