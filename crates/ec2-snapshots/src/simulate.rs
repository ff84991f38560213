//! What a policy keeps in the long run: a schedule of snapshots and trims, played through without any snapshot.

use backup_core::failure::Setting;
use backup_core::remedy;
use backup_core::retention::{self, Candidate, Policy};
use backup_core::units;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::error::{Ec2Error, Ec2Result};

/// Snapshots of one simulation at most: eleven years of hours. More would take minutes and show the same curve.
const SNAPSHOTS_MAX: i64 = 100_000;

/// Trims of one simulation at most; with more snapshots a trim follows several of them.
const TRIMS_MAX: i64 = 2_000;

/// A schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Time between two snapshots.
    pub cadence: SignedDuration,
    /// For how long.
    pub lasts: SignedDuration,
    /// When it ends.
    pub end: Timestamp,
}

/// How many there were at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// When, in seconds since the beginning.
    pub at_s: u64,
    /// Snapshots kept by the trim then.
    pub kept: u64,
    /// The longest gap between two of them, as thousandths of the age of its newer edge; gaps up to the cadence do not
    /// count.
    pub gap_per_age_thousandths: u64,
}

/// What a policy keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Simulation {
    /// How many snapshots were taken.
    pub taken: u64,
    /// How many there were, over time.
    pub samples: Vec<Sample>,
    /// Ages in seconds of those that are left at the end, youngest first.
    pub ages_s: Vec<u64>,
}

impl Simulation {
    /// Most there ever were after a trim.
    #[must_use]
    pub fn kept_max(&self) -> u64 {
        self.samples.iter().map(|sample| sample.kept).max().unwrap_or(0)
    }

    /// The worst gap there ever was, in thousandths of the age of its newer edge.
    #[must_use]
    pub fn worst_gap_thousandths(&self) -> u64 {
        self.samples.iter().map(|sample| sample.gap_per_age_thousandths).max().unwrap_or(0)
    }
}

/// Plays `schedule` through under `policy`.
///
/// # Errors
/// [`Ec2Error::Usage`] for a schedule without end; [`Ec2Error::Core`] for a policy that cannot be used.
pub fn simulate(policy: &Policy, schedule: Schedule) -> Ec2Result<Simulation> {
    let cadence_s = schedule.cadence.as_secs();
    let steps = if cadence_s > 0 { schedule.lasts.as_secs() / cadence_s } else { i64::MAX };
    let back = schedule.cadence.checked_mul(i32::try_from(steps).unwrap_or(i32::MAX));
    let start = back.and_then(|back| schedule.end.checked_sub(back).ok());
    let Some(start) = start.filter(|_| (1..=SNAPSHOTS_MAX).contains(&steps)) else {
        return Err(Ec2Error::usage(
            format!("a simulation takes between 1 and {} snapshots", units::count(SNAPSHOTS_MAX.unsigned_abs())),
            remedy!["give a shorter ", Setting::For, " or a longer ", Setting::Cadence],
        ));
    };
    let trim_every = steps.div_euclid(TRIMS_MAX) + 1;
    let (mut left, mut samples): (Vec<Candidate>, Vec<Sample>) = (Vec::new(), Vec::new());
    for step in 1..=steps {
        let now = start + SignedDuration::from_secs(cadence_s * step);
        let number = u64::try_from(step).unwrap_or(0);
        left.push(Candidate::new(format!("snap-{step}"), "vol", now, number));
        if step % trim_every != 0 && step != steps {
            continue;
        }
        let plan = retention::plan(&left, policy, now)?;
        let mut decisions = plan.decisions.iter();
        left.retain(|_| decisions.next().is_some_and(|decision| decision.action == retention::Action::Keep));
        samples.push(sample(&left, now, cadence_s, u64::try_from(cadence_s * step).unwrap_or(0)));
    }
    let ages_s = left.iter().rev().map(|candidate| age_s(candidate, schedule.end)).collect();
    Ok(Simulation { taken: u64::try_from(steps).unwrap_or(0), samples, ages_s })
}

fn sample(left: &[Candidate], now: Timestamp, cadence_s: i64, at_s: u64) -> Sample {
    let cadence_s = u64::try_from(cadence_s).unwrap_or(0);
    let gaps = left.windows(2).filter_map(|pair| {
        let (older, newer) = (age_s(&pair[0], now), age_s(&pair[1], now));
        let gap = older.saturating_sub(newer);
        (gap > cadence_s && newer > 0).then(|| gap * 1_000 / newer)
    });
    Sample { at_s, kept: left.len() as u64, gap_per_age_thousandths: gaps.max().unwrap_or(0) }
}

fn age_s(candidate: &Candidate, now: Timestamp) -> u64 {
    u64::try_from(now.as_second().saturating_sub(candidate.time.as_second())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use backup_core::retention::{Period, Rule};
    use jiff::tz::TimeZone;

    use super::*;
    use crate::trim::{Numbers, PolicyName, policy};

    fn schedule(cadence_h: i64, days: i64) -> Schedule {
        Schedule {
            cadence: SignedDuration::from_hours(cadence_h),
            lasts: SignedDuration::from_hours(24 * days),
            end: "2026-11-21T03:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_logarithmic_policy_keeps_few_and_its_gaps_bounded() {
        let policy = policy(PolicyName::Logarithmic, Numbers::default(), Vec::new(), &TimeZone::UTC);
        let simulation = simulate(&policy, schedule(1, 60)).unwrap();
        assert_eq!(simulation.taken, 1_440);
        assert!((10..=40).contains(&simulation.kept_max()), "{}", simulation.kept_max());
        assert!(simulation.worst_gap_thousandths() <= 500, "{}", simulation.worst_gap_thousandths());
        assert_eq!(simulation.ages_s.first(), Some(&0));
    }

    #[test]
    fn a_policy_that_keeps_all_keeps_all() {
        let policy = Policy::new(vec![Rule::Last(1_000)]);
        assert_eq!(simulate(&policy, schedule(24, 100)).unwrap().kept_max(), 100);
        let calendar = Policy::new(vec![Rule::Calendar(Period::Daily, 7)]);
        assert_eq!(simulate(&calendar, schedule(24, 100)).unwrap().ages_s.len(), 7);
    }

    #[test]
    fn a_schedule_without_end_is_refused() {
        let policy = Policy::new(vec![Rule::Last(1)]);
        for wrong in
            [schedule(0, 1), schedule(48, 1), Schedule { cadence: SignedDuration::from_secs(1), ..schedule(1, 365) }]
        {
            assert!(matches!(simulate(&policy, wrong), Err(Ec2Error::Usage { .. })), "{wrong:?}");
        }
    }
}
