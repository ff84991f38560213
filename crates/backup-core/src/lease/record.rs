//! What the object of a lease says, and what follows from it: decisions by what was read and the store's time alone.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::document;
use crate::error::{FormatError, StoreError};
use crate::key::Key;
use crate::store::{CLOCK_BOUND, StoreResult};
use crate::units;

/// The newest form of the object this version reads and writes.
const FORMAT: u64 = 1;

/// Longest object of a lease in bytes: ours have less than 400, the rest is for a long name of the holder.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;

/// The shortest duration: with a shorter one a single slow answer would lose it.
pub const TTL_MIN: Duration = Duration::from_secs(1);

/// The longest duration: nobody could follow a holder that died for this long.
pub const TTL_MAX: Duration = Duration::from_hours(1);

/// A stopwatch gains or loses less than one part in so many. Clocks of machines are a hundred times better; a virtual
/// machine that makes up for lost time is not.
pub const DRIFT_PARTS: u32 = 100;

/// Numbers are below this one: JSON elsewhere has no greater whole numbers, and nobody counts so far.
pub(super) const NUMBER_MAX: u64 = 1 << 53;

/// The object of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: u64,
    /// Counts claims, and so only grows: whoever has a smaller number was overtaken.
    pub(super) generation: u64,
    pub(super) holder: String,
    /// The claim's own, by which it knows its record again.
    pub(super) id: Uuid,
    /// Counts renewals, so that no two records are the same, nor their versions where these follow from the content.
    renewal: u64,
    /// A time of the store's, asked for before the record was written.
    pub(super) renewed_at: Timestamp,
    ttl_ms: u64,
    /// Given back: nobody has it.
    #[serde(default)]
    pub(super) released: bool,
}

/// What a claim is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Create the record: there is none.
    Create(Record),
    /// Put it in the place of the one that was read.
    Replace(Record),
    /// Nothing: the record that was read is this claim's own.
    Ours,
    /// Give up: somebody has the lease.
    Held { by: String, until: Timestamp },
}

/// What the claim `wanted` is to do at the store's time `now`.
pub(super) fn claim(found: Option<&Record>, wanted: &Record, now: Timestamp) -> Claim {
    let next = |generation| Record { generation, renewed_at: now, ..wanted.clone() };
    match found {
        None => Claim::Create(next(1)),
        Some(found) if found.id == wanted.id => Claim::Ours,
        Some(found) if found.released || found.free_at() <= now => Claim::Replace(next(found.generation + 1)),
        Some(found) => Claim::Held { by: found.holder.clone(), until: found.free_at() },
    }
}

/// The same for whoever knows that an earlier holder of its own name has died.
pub(super) fn resume(found: Option<&Record>, wanted: &Record, now: Timestamp) -> Claim {
    match (found, claim(found, wanted, now)) {
        (Some(found), Claim::Held { .. }) if found.holder == wanted.holder => {
            Claim::Replace(Record { generation: found.generation + 1, renewed_at: now, ..wanted.clone() })
        }
        (_, decided) => decided,
    }
}

/// Refuses durations that are too short or too long.
pub(super) fn check_ttl(ttl: Duration) -> StoreResult<()> {
    if (TTL_MIN..=TTL_MAX).contains(&ttl) {
        return Ok(());
    }
    let [least, most, ttl] = [TTL_MIN, TTL_MAX, ttl].map(units::duration);
    let what = format!("a lease can last from {least} to {most}, and not for {ttl}");
    Err(StoreError::Invalid { what })
}

impl Record {
    /// A claim that was not made yet.
    pub(super) fn new(holder: &str, id: Uuid, ttl: Duration) -> Self {
        Self {
            format: FORMAT,
            generation: 0,
            holder: holder.to_owned(),
            id,
            renewal: 0,
            renewed_at: Timestamp::UNIX_EPOCH,
            // At most `TTL_MAX`.
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or_default(),
            released: false,
        }
    }

    /// The same, renewed at the store's time `now`.
    pub(super) fn renewed(&self, now: Timestamp) -> Self {
        Self { renewal: self.renewal + 1, renewed_at: now, ..self.clone() }
    }

    /// The same, given back.
    pub(super) fn released(&self) -> Self {
        Self { released: true, ..self.clone() }
    }

    /// When somebody else may have it. Its holder counted from before it asked for `renewed_at`.
    fn free_at(&self) -> Timestamp {
        let ttl = Duration::from_millis(self.ttl_ms);
        let margin = CLOCK_BOUND + 2 * ttl / DRIFT_PARTS;
        let wait = SignedDuration::try_from(ttl + margin).unwrap_or(SignedDuration::MAX);
        self.renewed_at.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    /// Reads the object `key`.
    pub(super) fn parse(key: &Key, bytes: &[u8]) -> Result<Self, FormatError> {
        let invalid = |what: String| FormatError::Invalid { key: key.to_string(), what };
        let record: Self =
            serde_json::from_value(document::parse(key, bytes, FORMAT)?).map_err(|error| invalid(error.to_string()))?;
        // A number that cannot be counted on, or a duration for which nobody would wait.
        if record.generation == 0 || record.generation >= NUMBER_MAX || record.renewal >= NUMBER_MAX {
            return Err(invalid("its numbers are out of range".to_owned()));
        }
        check_ttl(Duration::from_millis(record.ttl_ms)).map_err(|error| invalid(error.to_string()))?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn held(renewed_ms: i64) -> Record {
        Record { generation: 7, ..Record::new("a", Uuid::from_u128(1), TTL).renewed(at(renewed_ms)) }
    }

    fn wanted() -> Record {
        Record::new("b", Uuid::from_u128(2), TTL)
    }

    #[test]
    fn nobody_has_what_is_not_there_or_was_given_back() {
        let Claim::Create(first) = claim(None, &wanted(), at(5)) else { panic!("it is created") };
        assert_eq!((first.generation, first.renewed_at), (1, at(5)));
        let Claim::Replace(next) = claim(Some(&held(0).released()), &wanted(), at(5)) else { panic!("it is free") };
        assert_eq!((next.generation, next.holder.as_str(), next.released), (8, "b", false));
        let ours = Record { id: wanted().id, ..held(0) };
        assert_eq!(claim(Some(&ours), &wanted(), at(i64::from(i32::MAX))), Claim::Ours);
    }

    #[test]
    fn only_whoever_has_the_same_name_takes_over_before_the_time() {
        let same = Record::new("a", Uuid::from_u128(2), TTL);
        assert!(matches!(claim(Some(&held(0)), &same, at(5)), Claim::Held { .. }));
        let Claim::Replace(next) = resume(Some(&held(0)), &same, at(5)) else { panic!("its holder has died") };
        assert_eq!((next.generation, next.id, next.renewed_at), (8, same.id, at(5)));
        assert!(matches!(resume(Some(&held(0)), &wanted(), at(5)), Claim::Held { .. }), "another name");
        assert!(matches!(resume(None, &same, at(5)), Claim::Create(_)));
        assert_eq!(resume(Some(&next), &same, at(9)), Claim::Ours);
    }

    #[test]
    fn a_record_reads_back_and_one_that_cannot_be_trusted_is_refused() {
        let key = Key::new("jobs/lease.json").unwrap();
        let record = held(1);
        assert_eq!(Record::parse(&key, &record.to_json()).unwrap(), record);
        for bad in [
            Record { generation: 0, ..held(1) },
            Record { generation: u64::MAX, ..held(1) },
            Record { ttl_ms: 86_400_000, ..held(1) },
            Record { format: 2, ..held(1) },
        ] {
            assert!(Record::parse(&key, &bad.to_json()).is_err(), "{bad:?}");
        }
        assert!(Record::parse(&key, b"{}").is_err());
    }

    #[test]
    fn no_lease_is_shorter_or_longer_than_can_be_kept() {
        for ttl in [Duration::ZERO, TTL_MIN - Duration::from_millis(1), TTL_MAX + Duration::from_millis(1)] {
            assert!(check_ttl(ttl).is_err(), "{ttl:?}");
        }
        assert!(check_ttl(TTL_MIN).is_ok() && check_ttl(TTL_MAX).is_ok());
    }

    proptest! {
        /// The holder asks for the time at `asked`, true time, and gives up after its duration by a stopwatch that drifts.
        /// Both answers of the store's clock are off by less than its bound.
        #[test]
        fn nobody_takes_over_before_the_holder_gave_up(
            asked in 0i64..1_000_000, late_ms in 0i64..200_000, drift in -9i64..=9,
            answer_ms in 0i64..2_000, answered_ms in 0i64..1_000, read_ms in 0i64..2_000,
        ) {
            let renewed_at = asked + answered_ms - answer_ms;
            let gives_up = asked + 60_000 * 1_000 / (1_000 + drift);
            let taken = asked + late_ms;
            // Two answers may differ by no more than the bound from the time between them.
            prop_assume!(answer_ms - read_ms < 2_000 && taken >= asked + answered_ms);
            match claim(Some(&held(renewed_at)), &wanted(), at(taken - read_ms)) {
                Claim::Replace(next) => {
                    prop_assert!(taken >= gives_up);
                    prop_assert_eq!(next.generation, 8);
                }
                Claim::Held { until, .. } => prop_assert!(at(taken - read_ms) < until),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
