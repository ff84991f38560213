//! The plan of a retrieval: objects, bytes, and for each tier hours and price. Decides, and starts nothing.

#[cfg(test)]
mod tests;

use std::time::Duration;

use backup_core::key::Key;
use serde::Serialize;

use crate::class::{Class, Tier};
use crate::money::Usd;
use crate::price::{GB, PriceBook};

/// Days that a retrieved copy stays readable unless said otherwise: over a weekend, and some to spare.
pub const DAYS: u32 = 5;

/// Bytes of a request's own: S3 bills a month as so many days for copies.
const MONTH_DAYS: u64 = 30;

const MINUTE: u64 = 60;

/// An archive that must be retrieved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub key: Key,
    /// Its bytes: S3 makes all of it readable, whatever is needed of it.
    pub bytes: u64,
    /// Where it is kept.
    pub class: Class,
}

/// What the user allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Only by this tier.
    pub tier: Option<Tier>,
    /// Within this time.
    pub deadline: Option<Duration>,
    /// For no more than this.
    pub cost_max: Option<Usd>,
    /// No more bytes than these in an hour.
    pub bytes_per_hour: Option<u64>,
    /// Days that copies stay readable; [`DAYS`] if absent.
    pub days: Option<u32>,
}

/// What stands against a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objection {
    /// A class among those wanted does not have it.
    NoSuchTier,
    /// Another tier was asked for.
    NotAskedFor,
    /// It takes longer than allowed.
    TooSlow,
    /// It costs more than allowed.
    TooDear,
}

/// A tier and what it would take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The tier.
    pub tier: Tier,
    /// The longest it takes until all is readable, in minutes; absent if the tier does not exist.
    pub minutes: Option<u64>,
    /// Requests and bytes.
    pub retrieval: Usd,
    /// The copies, for as many days as they stay.
    pub copies: Usd,
    /// What stands against it.
    pub objections: Vec<Objection>,
}

/// What a retrieval would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RetrievalPlan {
    /// Archives to retrieve.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Days that copies stay readable.
    pub days: u32,
    /// All tiers, the slowest first.
    pub offers: Vec<Offer>,
    /// The tier it is: the cheapest without an objection, and of equally cheap ones the faster.
    pub chosen: Option<Tier>,
    /// The day of the prices.
    pub prices_as_of: String,
    /// The region of the prices.
    pub prices_region: String,
}

impl Offer {
    /// Everything it costs.
    #[must_use]
    pub fn total(&self) -> Usd {
        self.retrieval + self.copies
    }
}

impl RetrievalPlan {
    /// The offer that was chosen.
    #[must_use]
    pub fn choice(&self) -> Option<&Offer> {
        self.offers.iter().find(|offer| Some(offer.tier) == self.chosen)
    }
}

/// The plan of retrieving everything in `wanted`. Whatever is kept in a class that is read at once must not be in it.
#[must_use]
pub fn plan(wanted: &[Wanted], limits: &Limits, prices: &PriceBook) -> RetrievalPlan {
    let bytes = wanted.iter().map(|wanted| wanted.bytes).sum();
    // The output of a job stays for a day, whatever anybody asks for.
    let is_vault = !wanted.is_empty() && wanted.iter().all(|wanted| wanted.class == Class::Vault);
    let days = if is_vault { 1 } else { limits.days.unwrap_or(DAYS) };
    let offers: Vec<Offer> = Tier::ALL.iter().map(|tier| offer(*tier, wanted, bytes, limits, prices)).collect();
    let free = offers.iter().filter(|offer| offer.objections.is_empty());
    let chosen = free.min_by_key(|offer| (offer.total(), offer.minutes)).map(|offer| offer.tier);
    RetrievalPlan {
        objects: wanted.len() as u64,
        bytes,
        days,
        offers,
        chosen,
        prices_as_of: prices.as_of.clone(),
        prices_region: prices.region.clone(),
    }
}

/// How many of `wanted`, from the first, may be started now if `started` bytes were started within the last hour. One
/// that is larger than an hour's budget is started alone, or it never would be.
#[must_use]
pub fn within_budget(wanted: &[Wanted], bytes_per_hour: Option<u64>, started: u64) -> usize {
    let Some(budget) = bytes_per_hour else { return wanted.len() };
    let mut used = started;
    let fits = |wanted: &&Wanted| {
        let is_first = used == 0;
        used = used.saturating_add(wanted.bytes);
        used <= budget || is_first
    };
    wanted.iter().take_while(fits).count()
}

fn offer(tier: Tier, wanted: &[Wanted], bytes: u64, limits: &Limits, prices: &PriceBook) -> Offer {
    let rows = wanted.iter().map(|wanted| prices.tier(wanted.class, tier).map(|row| (wanted, row)));
    let rows: Option<Vec<_>> = rows.collect();
    let Some(rows) = rows else {
        let objections = vec![Objection::NoSuchTier];
        return Offer { tier, minutes: None, retrieval: Usd::ZERO, copies: Usd::ZERO, objections };
    };
    let retrieval = rows
        .iter()
        .map(|(wanted, row)| row.per_gb.for_each(wanted.bytes, GB) + row.per_1000_requests.for_each(1, 1000));
    let retrieval = retrieval.sum();
    let days = u64::from(limits.days.unwrap_or(DAYS));
    let in_s3: u64 = wanted.iter().filter(|wanted| wanted.class != Class::Vault).map(|wanted| wanted.bytes).sum();
    let copies = prices.standard_gb_month.for_each(in_s3, GB).for_each(days, MONTH_DAYS);
    let slowest = rows.iter().map(|(_, row)| u64::from(row.minutes)).max().unwrap_or_default();
    let minutes = slowest + pacing_minutes(bytes, limits.bytes_per_hour);
    let total = retrieval + copies;
    let objections = [
        (limits.tier.is_some_and(|asked| asked != tier), Objection::NotAskedFor),
        (limits.deadline.is_some_and(|deadline| minutes * MINUTE > deadline.as_secs()), Objection::TooSlow),
        (limits.cost_max.is_some_and(|most| total > most), Objection::TooDear),
    ];
    let objections = objections.into_iter().filter_map(|(holds, objection)| holds.then_some(objection)).collect();
    Offer { tier, minutes: Some(minutes), retrieval, copies, objections }
}

/// How much later the last hour's portion is started than the first.
fn pacing_minutes(bytes: u64, bytes_per_hour: Option<u64>) -> u64 {
    bytes_per_hour.map_or(0, |budget| bytes.div_ceil(budget.max(1)).saturating_sub(1).saturating_mul(60))
}
