//! Asks what became of retrievals, and keeps what it hears.

use std::collections::BTreeMap;

use backup_core::key::Key;
use backup_core::run::Run;
use jiff::Timestamp;

use crate::class::Class;
use crate::cold::{ColdStore, Told};
use crate::copy_state::CopyState;
use crate::error::GlacierResult;
use crate::key;
use crate::lifecycle::{Event, Phase, Retrieval};
use crate::state::State;

/// What is known of the retrieval of each archive called `name` after asking the store: a listing a thousand archives, and
/// a request for each that was not expected to be cold. Keeps nothing.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn ask(cold: &dyn ColdStore, state: &State, name: &str, run: &Run) -> GlacierResult<Polled> {
    let before = state.catalogue().retrievals()?;
    let mut listed = BTreeMap::new();
    for folder in key::payloads(name) {
        listed.extend(run.or_cancelled(cold.list(&folder)).await?);
    }
    let (mut after, mut classes) = (BTreeMap::new(), BTreeMap::new());
    for (key, mut told) in listed {
        let known = before.get(&key).cloned().unwrap_or_default();
        let now = run.clock.now();
        classes.extend(told.class.map(|class| (key.clone(), class)));
        let is_surprise = !matches!(known.at(now).phase, Phase::Available | Phase::Local);
        if told.copy == CopyState::Cold && told.failed.is_none() && is_surprise {
            // Not every server tells it in listings.
            told = run.or_cancelled(cold.look(&key)).await?;
        }
        let next = known.after(&event(&told, &known), now).unwrap_or_else(|| known.at(now));
        after.insert(key, next);
    }
    Ok(Polled { before, after, classes })
}

/// What was known, and what is known now.
#[derive(Debug)]
pub struct Polled {
    before: BTreeMap<Key, Retrieval>,
    /// Each archive of the location.
    pub after: BTreeMap<Key, Retrieval>,
    /// The class that archives are kept in now, where the service says.
    classes: BTreeMap<Key, Class>,
}

impl Polled {
    /// The class that an archive is kept in now: as the service says, or else in which it was `written`.
    #[must_use]
    pub fn class(&self, key: &Key, written: Option<Class>) -> Option<Class> {
        self.classes.get(key).copied().or(written)
    }

    /// Keeps what has changed. Needs the lock.
    ///
    /// # Errors
    /// As of the catalogue.
    pub fn keep(&self, state: &State) -> GlacierResult<()> {
        let unseen = Retrieval::default();
        for (key, next) in &self.after {
            if next != self.before.get(key).unwrap_or(&unseen) {
                state.catalogue().keep(key, next)?;
            }
        }
        Ok(())
    }
}

/// Takes an event about one archive and keeps what it changes. This is where everything that happens to a retrieval goes
/// through, whoever tells it: whether it is told once or twice makes no difference.
///
/// # Errors
/// As of the catalogue.
pub fn observe(state: &State, key: &Key, known: &Retrieval, event: &Event, now: Timestamp) -> GlacierResult<Retrieval> {
    match known.after(event, now) {
        None => Ok(known.clone()),
        Some(next) => {
            state.catalogue().keep(key, &next)?;
            Ok(next)
        }
    }
}

/// What the service's answer means for a retrieval of which that much is known.
#[must_use]
pub fn event(told: &Told, known: &Retrieval) -> Event {
    let job = told.job.clone();
    match (told.copy, &told.failed) {
        (CopyState::Running, _) => Event::Running { job },
        (CopyState::Readable { until }, _) => Event::Finished { job, until },
        // One that failed before the present one was requested says nothing of it.
        (CopyState::Cold, Some(reason)) if known.job.is_some() && known.job == job => {
            Event::Failed { job, reason: reason.clone() }
        }
        (CopyState::Cold, _) => Event::Absent,
    }
}
