//! Sums of money as whole billionths of a dollar: prices have up to seven digits behind the point.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Billionths of a dollar.
const NANOS: u64 = 1_000_000_000;

/// Digits behind the point.
const DIGITS: usize = 9;

/// US dollars, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(u64);

/// Text that is no sum of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no sum in US dollars, such as `5usd` or `0.25`")]
pub struct NoSum(pub String);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// This price for each `per` of so many; a fraction of the smallest unit counts as a whole one.
    #[must_use]
    pub fn for_each(self, count: u64, per: u64) -> Self {
        let total = (u128::from(self.0) * u128::from(count)).div_ceil(u128::from(per.max(1)));
        Self(u64::try_from(total).unwrap_or(u64::MAX))
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::ZERO, Add::add)
    }
}

impl FromStr for Usd {
    type Err = NoSum;

    fn from_str(text: &str) -> Result<Self, NoSum> {
        let wrong = || NoSum(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let number = lower.strip_suffix("usd").or_else(|| lower.strip_prefix('$')).unwrap_or(&lower).trim_end();
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(rest) || rest.len() > DIGITS {
            return Err(wrong());
        }
        let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(NANOS));
        let rest = format!("{rest:0<DIGITS$}").parse::<u64>().ok();
        let sum = whole.zip(rest).and_then(|(whole, rest)| whole.checked_add(rest));
        sum.map(Self).ok_or_else(wrong)
    }
}

/// `$0.00`, `$12.35`; less than a cent with the digits that tell it from nothing: `$0.00042`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CENT: u64 = NANOS / 100;
        let (whole, rest) = (self.0 / NANOS, self.0 % NANOS);
        if self.0 == 0 || self.0 >= CENT {
            let cents = self.0.saturating_add(CENT / 2) / CENT;
            return write!(f, "${}.{:02}", cents / 100, cents % 100);
        }
        write!(f, "${whole}.{}", format!("{rest:09}").trim_end_matches('0'))
    }
}

/// All digits, as text: no program rounds it on the way.
impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{:09}", self.0 / NANOS, self.0 % NANOS))
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_and_shown() {
        for (text, shown) in [
            ("5usd", "$5.00"),
            ("5", "$5.00"),
            ("$0.25", "$0.25"),
            ("12.345 USD", "$12.35"),
            ("0", "$0.00"),
            ("0.00099", "$0.00099"),
            ("0.009999999", "$0.009999999"),
            ("0.000000001", "$0.000000001"),
        ] {
            assert_eq!(text.parse::<Usd>().unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "five", "-1", "1.", ".5", "1e3", "0.0000000001", "99999999999999"] {
            assert_eq!(text.parse::<Usd>(), Err(NoSum(text.to_owned())));
        }
    }

    #[test]
    fn a_price_for_many_is_exact_and_never_rounded_to_nothing() {
        let price: Usd = "0.0036".parse().unwrap();
        assert_eq!(price.for_each(1 << 40, 1 << 30), "3.6864".parse().unwrap());
        assert_eq!(price.for_each(1, 1 << 30), "0.000000001".parse().unwrap());
        assert_eq!(price.for_each(0, 1 << 30), Usd::ZERO);
        assert_eq!(price.for_each(u64::MAX, 1), Usd(u64::MAX));
        let json = serde_json::to_string(&price).unwrap();
        assert_eq!((json.as_str(), serde_json::from_str::<Usd>(&json).unwrap()), ("\"0.003600000\"", price));
    }
}
