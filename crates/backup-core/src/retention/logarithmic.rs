//! Gaps that grow with age: every gap between kept backups is at most `max(base, ratio × age of its newer edge)`.
//!
//! From the newest backup on, the farthest one within reach is kept, and where none is within reach, the next one: a hole
//! that was there before. Because age only grows, a gap once allowed stays allowed, so that the bound holds however often
//! and irregularly backups arrive and are trimmed. Whole seconds and a whole-number ratio: floating point would drift.

use std::fmt;

/// Millionths in one.
const MILLION: u32 = 1_000_000;

/// Greatest ratio of a policy; more keeps hardly anything but the two ends.
const RATIO_MAX: u32 = 10 * MILLION;

/// Greatest ratio tried to reach `max_count`: reaches from one second to more than any age.
const SOLVED_RATIO_MAX: u64 = 1 << 60;

/// The logarithmic rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logarithmic {
    /// Gaps up to this many seconds are always allowed.
    pub base_s: u64,
    /// Allowed gap as a share of the age, in millionths.
    pub ratio_millionths: u32,
    /// Older ones are not kept by this rule; in seconds.
    pub max_age_s: Option<u64>,
    /// Keeps at most so many by the smallest greater ratio that does. Holes and the two ends can make it more.
    pub max_count: Option<u32>,
}

impl Logarithmic {
    /// Gaps of up to `base_s` seconds, or half of the age where that is more.
    #[must_use]
    pub fn new(base_s: u64) -> Self {
        Self { base_s, ratio_millionths: MILLION / 2, max_age_s: None, max_count: None }
    }

    /// Longest gap in seconds that is allowed after a backup of this age in seconds.
    #[must_use]
    pub fn reach_s(&self, age_s: u64) -> u64 {
        reach_s(self.base_s, u64::from(self.ratio_millionths), age_s)
    }

    pub(super) fn fault(&self) -> Option<String> {
        if self.base_s == 0 {
            Some("the base must be at least one second".to_owned())
        } else if !(1..=RATIO_MAX).contains(&self.ratio_millionths) {
            Some("the ratio must be more than 0 and at most 10".to_owned())
        } else if self.max_count == Some(0) {
            Some("the greatest count must be at least one".to_owned())
        } else {
            None
        }
    }

    /// Which of the backups of these ages in seconds, youngest first, are kept.
    pub(super) fn keep(&self, ages_s: &[u64]) -> Vec<usize> {
        let wanted = match self.max_age_s {
            Some(max_age_s) => ages_s.partition_point(|age_s| *age_s <= max_age_s),
            None => ages_s.len(),
        };
        let ages_s = &ages_s[..wanted];
        let keep = |ratio| walk(ages_s, self.base_s, ratio);
        let asked = u64::from(self.ratio_millionths);
        let kept = keep(asked);
        let Some(max_count) = self.max_count.map(|count| count as usize).filter(|count| kept.len() > *count) else {
            return kept;
        };
        let (mut too_small, mut enough) = (asked, SOLVED_RATIO_MAX);
        while enough - too_small > 1 {
            let middle = too_small + (enough - too_small) / 2;
            if keep(middle).len() > max_count { too_small = middle } else { enough = middle }
        }
        keep(enough)
    }
}

fn reach_s(base_s: u64, ratio_millionths: u64, age_s: u64) -> u64 {
    let share = u128::from(ratio_millionths) * u128::from(age_s) / u128::from(MILLION);
    base_s.max(u64::try_from(share).unwrap_or(u64::MAX))
}

fn walk(ages_s: &[u64], base_s: u64, ratio_millionths: u64) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut next = 0;
    while let Some(&age_s) = ages_s.get(next) {
        kept.push(next);
        let limit = age_s.saturating_add(reach_s(base_s, ratio_millionths, age_s));
        let beyond = ages_s.partition_point(|age_s| *age_s <= limit);
        next = (next + 1).max(beyond - 1);
    }
    kept
}

impl fmt::Display for Logarithmic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = f64::from(self.ratio_millionths) / f64::from(MILLION);
        write!(f, "logarithmic (base {} s, ratio {ratio})", self.base_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: u64 = 3_600;

    #[test]
    fn a_year_of_hours_keeps_thirty_three_at_half() {
        let ages: Vec<u64> = (0..8_760).map(|hour| hour * HOUR_S).collect();
        let kept = Logarithmic::new(HOUR_S).keep(&ages);
        assert!((20..=40).contains(&kept.len()), "{}", kept.len());
        assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&8_759)));
    }

    #[test]
    fn a_greatest_count_is_reached_by_the_smallest_ratio_that_does() {
        let ages: Vec<u64> = (0..8_760).map(|hour| hour * HOUR_S).collect();
        let free = Logarithmic::new(HOUR_S);
        let limited = Logarithmic { max_count: Some(12), ..free };
        assert_eq!(limited.keep(&ages).len(), 12);
        assert_eq!(Logarithmic { max_count: Some(10_000), ..free }.keep(&ages), free.keep(&ages));
    }

    #[test]
    fn a_hole_is_crossed_and_the_oldest_wanted_stays() {
        let day = 24 * HOUR_S;
        let ages = [0, HOUR_S, 300 * day, 301 * day, 400 * day];
        assert_eq!(Logarithmic::new(HOUR_S).keep(&ages), [0, 1, 2, 4]);
        let young = Logarithmic { max_age_s: Some(301 * day), ..Logarithmic::new(HOUR_S) };
        assert_eq!(young.keep(&ages), [0, 1, 2, 3]);
        assert_eq!(young.keep(&[]), [0_usize; 0]);
    }
}
