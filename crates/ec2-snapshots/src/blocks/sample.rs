//! Which blocks of a replica are compared, and what that says about the rest: pure decisions.

use std::collections::BinaryHeap;
use std::str::FromStr;

use crate::error::Ec2Error;

/// Blocks compared at least, where there are as many: a share of a small volume is hardly any.
pub(super) const SAMPLE_MIN: usize = 100;

/// How much is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Every block.
    All,
    /// So many of a million, and 100 blocks at least.
    PerMillion(u32),
}

impl FromStr for Sample {
    type Err = Ec2Error;

    /// `all`, or a share such as `1%` or `0.25%`.
    fn from_str(text: &str) -> Result<Self, Ec2Error> {
        let fault =
            || Ec2Error::usage(format!("`{text}` is no share of the blocks"), "write `all`, or a share such as `1%`");
        if text == "all" {
            return Ok(Self::All);
        }
        let percent = text.strip_suffix('%').ok_or_else(fault)?;
        let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
        if whole.is_empty() || fraction.len() > 4 || !(whole.to_owned() + fraction).bytes().all(|b| b.is_ascii_digit())
        {
            return Err(fault());
        }
        let per_million: u32 = format!("{whole}{fraction:0<4}").parse().map_err(|_| fault())?;
        match per_million {
            1..1_000_000 => Ok(Self::PerMillion(per_million)),
            1_000_000 => Ok(Self::All),
            _ => Err(fault()),
        }
    }
}

/// A number for each block that looks random and is the same for the same seed (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", `mix64`).
fn lot(seed: u64, index: u32) -> u64 {
    let mut z = seed.wrapping_add(u64::from(index).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Draws blocks one after the other, without knowing how many there are.
#[derive(Debug)]
pub(super) struct Draw<T> {
    sample: Sample,
    seed: u64,
    drawn: usize,
    /// The passed blocks with the smallest lots, should too few be drawn.
    reserve: BinaryHeap<Passed<T>>,
}

#[derive(Debug)]
struct Passed<T> {
    lot: u64,
    block: T,
}

impl<T> PartialEq for Passed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.lot == other.lot
    }
}

impl<T> Eq for Passed<T> {}

impl<T> PartialOrd for Passed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Passed<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.lot.cmp(&other.lot)
    }
}

impl<T> Draw<T> {
    pub(super) fn new(sample: Sample, seed: u64) -> Self {
        Self { sample, seed, drawn: 0, reserve: BinaryHeap::new() }
    }

    /// The block, if it is drawn.
    pub(super) fn offer(&mut self, index: u32, block: T) -> Option<T> {
        let Sample::PerMillion(share) = self.sample else {
            self.drawn += 1;
            return Some(block);
        };
        let lot = lot(self.seed, index);
        if lot % 1_000_000 < u64::from(share) {
            self.drawn += 1;
            return Some(block);
        }
        self.reserve.push(Passed { lot, block });
        if self.reserve.len() > SAMPLE_MIN {
            self.reserve.pop();
        }
        None
    }

    /// What is drawn in addition, because too few were.
    pub(super) fn rest(self) -> Vec<T> {
        let missing = SAMPLE_MIN.saturating_sub(self.drawn);
        self.reserve.into_sorted_vec().into_iter().take(missing).map(|passed| passed.block).collect()
    }
}

/// How probable it is that `compared` of `blocks` blocks, drawn at random, would have shown a difference if `share` of all
/// blocks differed: one minus the probability that none of those is drawn (hypergeometric distribution, which is never
/// less than with replacement: a lower bound).
#[must_use]
pub fn confidence(blocks: u64, compared: u64, share: f64) -> f64 {
    if blocks > 0 && compared >= blocks {
        return 1.0;
    }
    // Numbers of blocks are far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let compared = compared as f64;
    1.0 - (1.0 - share).powf(compared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_exactly() {
        for (text, expected) in [
            ("1%", Some(Sample::PerMillion(10_000))),
            ("0.25%", Some(Sample::PerMillion(2_500))),
            ("0.0001%", Some(Sample::PerMillion(1))),
            ("100%", Some(Sample::All)),
            ("all", Some(Sample::All)),
            ("0%", None),
            ("101%", None),
            ("1", None),
            ("-1%", None),
            ("1.00001%", None),
            ("%", None),
        ] {
            assert_eq!(text.parse::<Sample>().ok(), expected, "{text}");
        }
    }

    fn drawn(blocks: u32, sample: Sample, seed: u64) -> Vec<u32> {
        let mut draw = Draw::new(sample, seed);
        let mut drawn: Vec<u32> = (0..blocks).filter_map(|index| draw.offer(index, index)).collect();
        drawn.extend(draw.rest());
        drawn.sort_unstable();
        drawn
    }

    #[test]
    fn a_seed_draws_the_same_and_another_does_not() {
        let one = Sample::PerMillion(10_000);
        assert_eq!(drawn(50_000, one, 7), drawn(50_000, one, 7));
        assert_ne!(drawn(50_000, one, 7), drawn(50_000, one, 8));
        assert!((400..600).contains(&drawn(50_000, one, 7).len()));
    }

    #[test]
    fn of_few_blocks_a_hundred_or_all_are_drawn() {
        let one = Sample::PerMillion(10_000);
        assert_eq!(drawn(34, one, 7).len(), 34);
        assert_eq!(drawn(1000, one, 7).len(), SAMPLE_MIN);
        assert_eq!(drawn(1000, Sample::All, 7).len(), 1000);
        let mut twice = drawn(1000, one, 7);
        twice.dedup();
        assert_eq!(twice.len(), SAMPLE_MIN);
    }

    #[test]
    fn confidence_is_what_probability_says() {
        assert!((confidence(1_000_000, 6905, 0.001) - 0.999).abs() < 0.0001);
        assert!((confidence(100, 100, 0.001) - 1.0).abs() < f64::EPSILON);
        assert!(confidence(1000, 0, 0.001).abs() < f64::EPSILON);
    }
}
