//! What the HTTP layer and the control plane of one fake share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backup_core::clock::Clock as _;

use super::clock::VirtualClock;
use super::log::Log;
use super::service::Service;
use crate::faults::{Action, Rule, Script};
use crate::iam::Policy;

/// A fake without its listener.
pub(super) struct Room {
    pub(super) service: Arc<dyn Service>,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) script: Script,
    pub(super) log: Log,
    policy: Mutex<Option<Policy>>,
    latency_us: AtomicU64,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("clock", &self.clock).field("script", &self.script).finish_non_exhaustive()
    }
}

impl Room {
    pub(super) fn new(service: Arc<dyn Service>, clock: Arc<VirtualClock>, latency: Duration) -> Self {
        let room = Self {
            service,
            clock,
            script: Script::default(),
            log: Log::new(),
            policy: Mutex::default(),
            latency_us: AtomicU64::new(0),
        };
        room.set_latency(latency);
        room
    }

    pub(super) fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_us.load(Ordering::Relaxed))
    }

    pub(super) fn set_latency(&self, latency: Duration) {
        self.latency_us.store(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Adds rules, unless one asks for what only an object store can be made to do.
    pub(super) fn add_faults(&self, rules: Vec<Rule>) -> Result<(), String> {
        let odd = rules.iter().find(|rule| matches!(rule.action, Action::IgnoreConditions | Action::RivalPut { .. }));
        if let Some(rule) = odd {
            return Err(format!("no fake of this kind can be made to do {:?}", rule.action));
        }
        self.script.add(rules);
        Ok(())
    }

    /// From now on only what `policy` allows is allowed; everything without one.
    pub(super) fn set_policy(&self, policy: Option<Policy>) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// Whether the policy in force allows `action`.
    pub(super) fn allows(&self, action: &str) -> bool {
        let policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        policy.as_ref().is_none_or(|policy| policy.allows(action))
    }

    pub(super) fn reset(&self) {
        self.set_policy(None);
        self.service.reset(self.clock.now());
        self.script.clear();
        self.set_latency(Duration::ZERO);
        self.log.clear();
    }
}
