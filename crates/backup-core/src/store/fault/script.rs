//! Which operation is harmed: the nth, those of a key, or at random with a fixed seed.

use std::sync::{Mutex, PoisonError};

use super::Harm;
use crate::store::Verb;

/// Which of the operations that fit a rule it harms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance {
    /// All but the first `skip`, `times` times.
    Nth {
        /// Operations that pass unharmed first.
        skip: u64,
        /// Operations harmed after that.
        times: u64,
    },
    /// So many of a thousand, by dice.
    PerMille(u64),
}

/// One harm and when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    verb: Option<Verb>,
    key_contains: String,
    chance: Chance,
    harm: Harm,
}

impl Rule {
    /// `harm` to every operation it can be done to.
    #[must_use]
    pub fn new(harm: Harm) -> Self {
        Self { verb: None, key_contains: String::new(), chance: Chance::Nth { skip: 0, times: u64::MAX }, harm }
    }

    /// Only to `verb`.
    #[must_use]
    pub fn on(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// Only where the key or prefix contains `text`.
    #[must_use]
    pub fn where_key_contains(mut self, text: &str) -> Self {
        text.clone_into(&mut self.key_contains);
        self
    }

    /// Only to the `n`-th such operation, counted from 1.
    #[must_use]
    pub fn at(self, n: u64) -> Self {
        self.with(Chance::Nth { skip: n.saturating_sub(1), times: 1 })
    }

    /// Only to the first `times` such operations.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        self.with(Chance::Nth { skip: 0, times })
    }

    /// As `chance` says.
    #[must_use]
    pub fn with(mut self, chance: Chance) -> Self {
        self.chance = chance;
        self
    }

    fn fits(&self, verb: Verb, key: &str) -> bool {
        self.verb.is_none_or(|own| own == verb) && key.contains(&self.key_contains) && fits_harm(&self.harm, verb)
    }
}

/// Whether the harm can be done to the operation at all.
fn fits_harm(harm: &Harm, verb: Verb) -> bool {
    match harm {
        Harm::LastByteFlip | Harm::TruncatedRead(_) | Harm::SilentlyShortRead(_) => verb == Verb::Get,
        Harm::ListOmitsNewest(_) => verb == Verb::List,
        Harm::DeleteFails => verb == Verb::Delete,
        Harm::PutInterrupted | Harm::NoSpace => matches!(verb, Verb::Put | Verb::Part),
        _ => true,
    }
}

#[derive(Debug)]
pub(super) struct Script(Mutex<State>);

#[derive(Debug)]
struct State {
    rules: Vec<(Rule, u64)>,
    dice: u64,
    harmed: u64,
}

impl Script {
    pub(super) fn new(rules: Vec<Rule>, seed: u64) -> Self {
        let rules = rules.into_iter().map(|rule| (rule, 0)).collect();
        Self(Mutex::new(State { rules, dice: seed, harmed: 0 }))
    }

    /// The harm to this operation; it counts for every rule it fits, up to the one that acts.
    pub(super) fn harm(&self, verb: Verb, key: &str) -> Option<Harm> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { rules, dice, harmed } = &mut *state;
        for (rule, seen) in rules.iter_mut().filter(|(rule, _)| rule.fits(verb, key)) {
            *seen += 1;
            let acts = match rule.chance {
                Chance::Nth { skip, times } => *seen > skip && *seen - skip <= times,
                Chance::PerMille(chance) => next(dice) % 1_000 < chance,
            };
            if acts {
                *harmed += 1;
                return Some(rule.harm.clone());
            }
        }
        None
    }

    pub(super) fn harmed(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).harmed
    }
}

/// The next number of the SplitMix64 sequence (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_fitting_operation_is_harmed_and_no_other() {
        let script = Script::new(vec![Rule::new(Harm::Busy).on(Verb::Put).where_key_contains("x").at(2)], 0);
        let harms = [(Verb::Put, "x"), (Verb::Get, "x"), (Verb::Put, "y"), (Verb::Put, "ax"), (Verb::Put, "x")]
            .map(|(verb, key)| script.harm(verb, key).is_some());
        assert_eq!(harms, [false, false, false, true, false]);
    }

    #[test]
    fn the_same_seed_falls_the_same() {
        let fall = |seed| {
            let script = Script::new(vec![Rule::new(Harm::Busy).with(Chance::PerMille(300))], seed);
            (0..1_000).map(|_| script.harm(Verb::Put, "x").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(fall(1), fall(1));
        assert_ne!(fall(1), fall(2));
        let hits = fall(3).into_iter().filter(|hit| *hit).count();
        assert!((250..350).contains(&hits), "{hits}");
    }
}
