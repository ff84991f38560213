//! Applies the rules group by group and collects the reasons.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::candidate::{Action, Candidate, Decision};
use super::fabfile::Snapshot;
use super::tag::tag_is_meant;
use super::{Logarithmic, PRESERVE_TAG, Period, Policy, Rule, closure};

/// One decision for each of `candidates`, which are in time order, oldest first.
pub(super) fn decide(candidates: &[&Candidate], policy: &Policy, now: Timestamp) -> Vec<Decision> {
    let sound = closure::sound(candidates);
    let mut reasons: Vec<Vec<String>> = candidates.iter().map(|candidate| standing(candidate, now)).collect();
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, candidate) in candidates.iter().enumerate() {
        groups.entry(&candidate.group).or_default().push(at);
    }
    for members in groups.values() {
        let counted = members.iter().copied().filter(|&at| sound[at] && candidates[at].time <= now).collect();
        let group = Group { candidates, counted, now, zone: &policy.time_zone };
        let last_good = group.newest_by_sequence().first().copied();
        for &at in members {
            // Compared by sequence and time: what happened after it may have replaced it.
            let newer_good = last_good.is_some_and(|good| candidates[good].order() > candidates[at].order());
            if !sound[at] && !newer_good {
                reasons[at].push("not good, but there is no newer good backup".to_owned());
            }
        }
        if let Some(last_good) = last_good {
            let why = if candidates[last_good].complete { "last good" } else { "last partial" };
            reasons[last_good].push(why.to_owned());
        }
        if let Some(&newest) = group.counted.last()
            && Some(newest) != last_good
        {
            reasons[newest].push("newest by time".to_owned());
        }
        for rule in &policy.rules {
            for (at, reason) in group.apply(rule) {
                reasons[at].push(reason);
            }
        }
    }
    closure::close(candidates, &mut reasons);
    let decided = candidates.iter().zip(sound).zip(reasons);
    decided.map(|((candidate, sound), reasons)| decision(candidate, sound, reasons, now)).collect()
}

/// Reasons that no rule and no other backup have to do with.
fn standing(candidate: &Candidate, now: Timestamp) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(why) = &candidate.protected {
        reasons.push(format!("protected: {why}"));
    }
    if candidate.time > now {
        reasons.push("dated in the future".to_owned());
    }
    reasons
}

fn decision(candidate: &Candidate, sound: bool, mut reasons: Vec<String>, now: Timestamp) -> Decision {
    let action = if reasons.is_empty() { Action::Delete } else { Action::Keep };
    if reasons.is_empty() {
        let why = if sound { "no rule keeps it" } else { "not good, and there is a newer good backup" };
        reasons.push(why.to_owned());
    }
    Decision { id: candidate.id.clone(), action, reasons, future: candidate.time > now }
}

/// What rules see of a group: its good backups up to now.
struct Group<'a> {
    candidates: &'a [&'a Candidate],
    /// In time order, oldest first.
    counted: Vec<usize>,
    now: Timestamp,
    zone: &'a TimeZone,
}

impl Group<'_> {
    fn newest_by_sequence(&self) -> Vec<usize> {
        let mut newest = self.counted.clone();
        newest.sort_by_key(|&at| std::cmp::Reverse(self.candidates[at].order()));
        newest
    }

    fn apply(&self, rule: &Rule) -> Vec<(usize, String)> {
        match rule {
            Rule::Last(count) => self.because(rule, self.newest_by_sequence().into_iter().take(*count as usize)),
            Rule::Calendar(period, count) => self.calendar(*period, *count),
            Rule::Within(span) => self.because(rule, self.within(*span).into_iter()),
            Rule::Tag(tag) => {
                let tagged = |at: &usize| self.candidates[*at].tags.iter().any(|has| tag_is_meant(has, tag));
                self.because(rule, self.counted.iter().copied().filter(tagged))
            }
            Rule::Logarithmic(logarithmic) => self.because(rule, self.logarithmic(logarithmic).into_iter()),
            Rule::FabfileCompatible(fabfile) => {
                let mut oldest_first = self.newest_by_sequence();
                oldest_first.reverse();
                let snapshots: Vec<Snapshot> = oldest_first.iter().map(|&at| self.snapshot(at)).collect();
                let kept = fabfile.keep(&snapshots, self.now);
                self.because(rule, kept.into_iter().map(|index| oldest_first[index]))
            }
        }
    }

    fn because(&self, rule: &Rule, kept: impl Iterator<Item = usize>) -> Vec<(usize, String)> {
        let reason = rule.to_string();
        kept.map(|at| (at, reason.clone())).collect()
    }

    fn calendar(&self, period: Period, count: u32) -> Vec<(usize, String)> {
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for &at in self.counted.iter().rev() {
            if seen.len() == count as usize {
                break;
            }
            let name = period.name(self.candidates[at].time, self.zone);
            if seen.insert(name.clone()) {
                kept.push((at, format!("{period} ({name})")));
            }
        }
        kept
    }

    fn within(&self, span: jiff::Span) -> Vec<usize> {
        let Some(&newest) = self.counted.last() else { return Vec::new() };
        let newest = self.candidates[newest].time.to_zoned(self.zone.clone());
        // A span that reaches past the first representable date keeps everything.
        let Ok(oldest) = newest.checked_sub(span) else { return self.counted.clone() };
        let young = |at: &usize| self.candidates[*at].time >= oldest.timestamp();
        self.counted.iter().copied().filter(young).collect()
    }

    fn logarithmic(&self, rule: &Logarithmic) -> Vec<usize> {
        let age_s = |at: usize| {
            let age_s = self.now.as_second().saturating_sub(self.candidates[at].time.as_second());
            u64::try_from(age_s).unwrap_or(0)
        };
        let youngest_first: Vec<usize> = self.counted.iter().rev().copied().collect();
        let ages_s: Vec<u64> = youngest_first.iter().map(|&at| age_s(at)).collect();
        rule.keep(&ages_s).into_iter().map(|index| youngest_first[index]).collect()
    }

    fn snapshot(&self, at: usize) -> Snapshot {
        let candidate = self.candidates[at];
        Snapshot { time: candidate.time, preserved: candidate.tags.iter().any(|tag| tag == PRESERVE_TAG) }
    }
}
