//! The price book: what storing and retrieving costs and how long it takes, as dated data that users can replace.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::class::{Class, Tier};
use crate::money::Usd;

/// The bytes that AWS bills as one GB.
pub const GB: u64 = 1 << 30;

/// The days that AWS bills as one month of an early deletion.
const MONTH_DAYS: u64 = 30;

const DAY: i64 = 86_400;

/// The prices that come with this version.
const BUILTIN: &str = include_str!("prices.toml");

/// Prices of one region on one day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceBook {
    /// The day on which they held.
    pub as_of: String,
    /// Where they hold.
    pub region: String,
    /// Where they are from.
    pub source: String,
    /// A GB-month of the copies that retrievals make.
    pub standard_gb_month: Usd,
    /// Bytes billed for each archived object at the price of its class, beside its own.
    pub overhead_cold_bytes: u64,
    /// Bytes billed for each archived object at the standard price.
    pub overhead_standard_bytes: u64,
    /// The classes.
    pub class: BTreeMap<Class, ClassPrices>,
}

/// Prices of one class.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassPrices {
    /// A GB-month.
    pub gb_month: Usd,
    /// A thousand objects written.
    pub put_per_1000: Usd,
    /// Days that are paid for even if the object is deleted earlier.
    pub minimum_days: u32,
    /// The tiers of a retrieval.
    #[serde(default)]
    pub tier: BTreeMap<Tier, TierPrices>,
}

/// Price and duration of one tier.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierPrices {
    /// A GB retrieved.
    pub per_gb: Usd,
    /// A thousand retrievals.
    pub per_1000_requests: Usd,
    /// The longest it takes, in minutes.
    pub minutes: u32,
}

/// A price book that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPrices(pub String);

impl PriceBook {
    /// Reads a price book.
    ///
    /// # Errors
    /// [`InvalidPrices`], with the line; also for a class that can be retrieved by a tier without a price.
    pub fn parse(text: &str) -> Result<Self, InvalidPrices> {
        let mut book: Self = toml::from_str(text).map_err(|error| InvalidPrices(error.to_string()))?;
        if !book.class.contains_key(&Class::Vault) {
            // Few have vaults, and files of others need not know of them.
            let builtin: Self = toml::from_str(BUILTIN).map_err(|error| InvalidPrices(error.to_string()))?;
            book.class.extend(builtin.class.into_iter().filter(|(class, _)| *class == Class::Vault));
        }
        for class in Class::ALL {
            let prices = book.class.get(&class).ok_or_else(|| InvalidPrices(format!("it has no class `{class}`")))?;
            if let Some(tier) = class.tiers().iter().find(|tier| !prices.tier.contains_key(tier)) {
                return Err(InvalidPrices(format!(
                    "the class `{class}` has no tier `{}`",
                    tier.as_str().to_lowercase()
                )));
            }
        }
        Ok(book)
    }

    /// The prices that come with this version.
    ///
    /// # Errors
    /// None: a test reads them.
    pub fn builtin() -> Result<Self, InvalidPrices> {
        Self::parse(BUILTIN)
    }

    /// Price and duration of a tier, where the class has it.
    #[must_use]
    pub fn tier(&self, class: Class, tier: Tier) -> Option<&TierPrices> {
        self.class.get(&class).and_then(|prices| prices.tier.get(&tier))
    }

    /// What writing `objects` objects costs.
    #[must_use]
    pub fn put(&self, class: Class, objects: u64) -> Usd {
        self.class.get(&class).map_or(Usd::ZERO, |prices| prices.put_per_1000.for_each(objects, 1000))
    }

    /// What an object of `bytes` bytes costs a month, with what is billed beside them.
    #[must_use]
    pub fn month(&self, class: Class, bytes: u64) -> Usd {
        let Some(prices) = self.class.get(&class) else { return Usd::ZERO };
        if class == Class::GlacierIr {
            return prices.gb_month.for_each(bytes, GB);
        }
        let cold = prices.gb_month.for_each(bytes + self.overhead_cold_bytes, GB);
        if class == Class::Vault {
            return cold;
        }
        cold + self.standard_gb_month.for_each(self.overhead_standard_bytes, GB)
    }

    /// What deleting an object of `bytes` bytes at `now` costs that was stored at `stored`: the days of the class's minimum
    /// that are left are paid as if they had passed (AWS, "Amazon S3 pricing", early deletion).
    #[must_use]
    pub fn early_deletion(&self, class: Class, bytes: u64, stored: Timestamp, now: Timestamp) -> Usd {
        let Some(prices) = self.class.get(&class) else { return Usd::ZERO };
        let minimum = SignedDuration::from_secs(i64::from(prices.minimum_days) * DAY);
        let left = (minimum - now.duration_since(stored)).as_secs().clamp(0, i64::from(prices.minimum_days) * DAY);
        // Between 0 and some months of seconds.
        let left_days = u64::try_from(left).unwrap_or_default().div_ceil(DAY.unsigned_abs());
        self.month(class, bytes).for_each(left_days, MONTH_DAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn the_prices_of_this_version_are_whole_and_dated() {
        let book = PriceBook::builtin().unwrap();
        assert!(book.as_of.parse::<jiff::civil::Date>().is_ok());
        assert_eq!(book.tier(Class::Glacier, Tier::Expedited).unwrap().per_1000_requests, usd("10"));
        assert_eq!(book.tier(Class::DeepArchive, Tier::Expedited), None, "there is no such tier");
    }

    #[test]
    fn a_book_with_a_gap_or_a_typing_error_is_refused() {
        for (from, to, expected) in [
            ("[class.GLACIER.tier.bulk]", "[class.GLACIER.tier.slow]", "slow"),
            ("as_of", "as_off", "as_off"),
            ("[class.GLACIER_IR]", "[class.OTHER]", "OTHER"),
            ("\"0.0036\"", "\"cheap\"", "cheap"),
        ] {
            let error = PriceBook::parse(&BUILTIN.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let cut = BUILTIN.split("[class.DEEP_ARCHIVE.tier.bulk]").next().unwrap();
        let error = PriceBook::parse(cut).unwrap_err();
        assert_eq!(error.to_string(), "the class `DEEP_ARCHIVE` has no tier `bulk`");
    }

    #[test]
    fn a_million_small_files_cost_more_for_requests_than_for_bytes() {
        let book = PriceBook::builtin().unwrap();
        assert_eq!(book.put(Class::Glacier, 1_000_000), usd("30"));
        assert_eq!(book.put(Class::Glacier, 160), usd("0.0048"));
    }

    #[test]
    fn deleting_early_costs_what_is_left_of_the_minimum() {
        let book = PriceBook::builtin().unwrap();
        let stored: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let fee =
            |class, days: i64| book.early_deletion(class, GB, stored, stored + SignedDuration::from_hours(24 * days));
        let month = book.month(Class::Glacier, GB);
        assert!(month > usd("0.0036") && month < usd("0.0038"), "{month}: with what is billed beside it");
        assert_eq!(fee(Class::Glacier, 0), month.for_each(90, 30));
        assert_eq!(fee(Class::Glacier, 60), month);
        assert_eq!(fee(Class::Glacier, 90), Usd::ZERO);
        assert_eq!(fee(Class::Glacier, 900), Usd::ZERO);
        assert_eq!(fee(Class::Glacier, -5), month.for_each(90, 30), "a clock that stepped back makes nothing dearer");
        assert!(fee(Class::DeepArchive, 90) > Usd::ZERO);
    }
}
