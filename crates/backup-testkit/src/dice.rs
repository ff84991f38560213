//! Random numbers that can be had again: each round of a run has its own, from a seed, a name and a number.

/// A generator (splitmix64): the same numbers for the same beginning, on every machine and in every version.
#[derive(Clone, Debug)]
pub struct Dice(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Dice {
    /// Those of one round of what is called `name`.
    #[must_use]
    pub fn new(seed: u64, name: &str, round: u64) -> Self {
        let named = name.bytes().fold(scrambled(seed), |state, byte| scrambled(state ^ u64::from(byte)));
        Self(scrambled(named).wrapping_add(scrambled(round.wrapping_mul(GOLDEN))))
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        scrambled(self.0)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        // As many as 2^64 are divided by at most a few millions: nobody could see that the low ones come more often.
        if end == 0 { 0 } else { usize::try_from(self.roll() % end as u64).unwrap_or_default() }
    }

    /// A number from `first` to before `end`.
    pub fn between(&mut self, first: usize, end: usize) -> usize {
        first + self.below(end.saturating_sub(first))
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A share of one, less than one.
    pub fn share(&mut self) -> f64 {
        // 53 bits are what a float tells apart.
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of these.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.roll().to_le_bytes()[0]).collect()
    }
}

fn scrambled(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_numbers_of_its_own_and_the_same_again() {
        let roll = |seed, name: &str, round| Dice::new(seed, name, round).roll();
        assert_eq!(roll(1, "a", 0), roll(1, "a", 0));
        let others = [roll(1, "a", 0), roll(2, "a", 0), roll(1, "b", 0), roll(1, "a", 1), roll(1, "ab", 0)];
        let distinct: std::collections::BTreeSet<u64> = others.into();
        assert_eq!(distinct.len(), others.len());
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut dice = Dice::new(7, "bounds", 1);
        for _ in 0..1_000 {
            assert!(dice.below(3) < 3 && (5..9).contains(&dice.between(5, 9)) && (0.0..1.0).contains(&dice.share()));
        }
        assert_eq!(dice.below(0), 0);
    }
}
