//! How far copies were behind the volumes they are of: pure.

use serde::Serialize;

use crate::model::Region;

/// The copies in one region: from the time at which a volume was as its copy has it to the beginning of the copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// The region they are in.
    pub region: Region,
    /// How many complete ones there are.
    pub copies: u64,
    /// Half of them were begun within so many seconds.
    pub p50_s: i64,
    /// 95 % of them were begun within so many seconds.
    pub p95_s: i64,
    /// All of them were begun within so many seconds.
    pub max_s: i64,
    /// The seconds of all of them together.
    pub total_s: i64,
}

impl Lag {
    /// Of copies in `region` with these lags in seconds; `None` if there are none.
    #[must_use]
    pub fn of(region: &Region, mut lags_s: Vec<i64>) -> Option<Self> {
        lags_s.sort_unstable();
        let max_s = *lags_s.last()?;
        Some(Self {
            region: region.clone(),
            copies: lags_s.len() as u64,
            p50_s: within(&lags_s, 50),
            p95_s: within(&lags_s, 95),
            max_s,
            total_s: lags_s.iter().sum(),
        })
    }
}

/// The least of `sorted` that `percent` of them do not exceed (nearest rank): always one that there is.
fn within(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_lags_that_there_are() {
        let region: Region = "us-east-1".parse().unwrap();
        assert_eq!(Lag::of(&region, Vec::new()), None);
        let one = Lag::of(&region, vec![7]).unwrap();
        assert_eq!((one.copies, one.p50_s, one.p95_s, one.max_s, one.total_s), (1, 7, 7, 7, 7));
        let hundred = Lag::of(&region, (1..=100).rev().collect()).unwrap();
        assert_eq!((hundred.p50_s, hundred.p95_s, hundred.max_s, hundred.total_s), (50, 95, 100, 5_050));
        let few = Lag::of(&region, vec![30, 10, 20]).unwrap();
        assert_eq!((few.p50_s, few.p95_s, few.max_s), (20, 30, 30));
    }
}
