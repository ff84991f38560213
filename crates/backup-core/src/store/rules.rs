//! Decisions that all stores share: which ranges, parts and options are valid.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{PARTS_MAX, PutOptions, StoreResult};
use crate::error::StoreError;
use crate::key::Key;
use crate::units::exact_bytes;

/// The bytes to read of an object of `bytes` bytes.
pub(super) fn span(key: &Key, range: Option<Range<u64>>, bytes: u64) -> StoreResult<Range<u64>> {
    let Some(range) = range else { return Ok(0..bytes) };
    check_order(key, &range)?;
    if range.end > bytes {
        return Err(StoreError::Damaged {
            key: key.to_string(),
            what: format!(
                "bytes {}..{} were requested, but it has only {}",
                range.start,
                range.end,
                exact_bytes(bytes)
            ),
        });
    }
    Ok(range)
}

/// Refuses a range that ends before it starts.
pub(super) fn check_order(key: &Key, range: &Range<u64>) -> StoreResult<()> {
    if range.start <= range.end {
        return Ok(());
    }
    Err(StoreError::Invalid {
        what: format!("the range {}..{} of `{key}` ends before it starts", range.start, range.end),
    })
}

/// Refuses an object lock for a store that has none.
pub(super) fn refuse_lock(options: &PutOptions, store: &str) -> StoreResult<()> {
    if options.lock_until.is_none() {
        return Ok(());
    }
    Err(StoreError::Unsuitable {
        what: format!("`{store}` cannot protect objects from deletion"),
        help: "omit the lock, or use a bucket with object lock".into(),
    })
}

/// Checks the options of an upload in parts.
pub(super) fn check_part_bytes(key: &Key, options: &PutOptions) -> StoreResult<()> {
    if options.part_bytes > 0 {
        return Ok(());
    }
    Err(StoreError::Invalid { what: format!("parts of `{key}` must have at least one byte") })
}

/// Checks one part before it is stored; returns where it begins in the object.
pub(super) fn part_offset(key: &Key, number: u32, bytes: usize, part_bytes: usize) -> StoreResult<u64> {
    if number == 0 || number > PARTS_MAX {
        return Err(StoreError::Invalid {
            what: format!("invalid part number {number} of `{key}`: parts are numbered 1 to {PARTS_MAX}"),
        });
    }
    if bytes > part_bytes {
        return Err(StoreError::Invalid {
            what: format!(
                "part {number} of `{key}` has {}, more than the agreed {}",
                exact_bytes(bytes as u64),
                exact_bytes(part_bytes as u64)
            ),
        });
    }
    Ok(u64::from(number - 1) * part_bytes as u64)
}

/// Checks that parts 1 to `parts` are there, that all but the last are full, and that they have `bytes` bytes together.
pub(super) fn check_complete(
    key: &Key,
    sizes: &BTreeMap<u32, usize>,
    part_bytes: usize,
    parts: u32,
    bytes: u64,
) -> StoreResult<()> {
    let invalid = |what: String| Err(StoreError::Invalid { what: format!("the upload of `{key}` {what}") });
    if parts == 0 {
        return invalid("has no parts".to_owned());
    }
    let mut total = 0;
    for number in 1..=parts {
        match sizes.get(&number) {
            None => return invalid(format!("lacks part {number} of {parts}")),
            Some(size) if number < parts && *size != part_bytes => {
                return invalid(format!(
                    "has {} in part {number}; all parts but the last must have {}",
                    exact_bytes(*size as u64),
                    exact_bytes(part_bytes as u64)
                ));
            }
            Some(size) => total += *size as u64,
        }
    }
    if total == bytes {
        Ok(())
    } else {
        invalid(format!("has {} instead of the announced {}", exact_bytes(total), exact_bytes(bytes)))
    }
}

/// The first segment of `key` below `prefix`, with a `/` if there is more below it.
pub(super) fn child<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    let below = key.strip_prefix(prefix)?;
    Some(below.find('/').map_or(below, |slash| &below[..=slash]))
}

/// Refuses a prefix for [`super::StoreRead::list_children`] that neither is empty nor ends in `/`.
pub(super) fn check_folder(prefix: &str) -> StoreResult<()> {
    if prefix.is_empty() || prefix.ends_with('/') {
        return Ok(());
    }
    Err(StoreError::Invalid { what: format!("the folder `{prefix}` must end in `/`") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        Key::new("a/b").unwrap()
    }

    #[test]
    fn a_gap_a_short_part_and_a_wrong_total_are_refused() {
        let sizes = BTreeMap::from([(1, 4), (2, 4), (3, 1)]);
        assert!(check_complete(&key(), &sizes, 4, 3, 9).is_ok());
        assert!(check_complete(&key(), &sizes, 4, 3, 10).is_err());
        assert!(check_complete(&key(), &sizes, 4, 4, 9).is_err());
        assert!(check_complete(&key(), &BTreeMap::from([(1, 3), (2, 4)]), 4, 2, 7).is_err());
        assert!(check_complete(&key(), &sizes, 4, 0, 0).is_err());
    }

    proptest! {
        #[test]
        fn a_span_lies_within_the_object_or_is_refused(start in 0u64..50, end in 0u64..50, bytes in 0u64..40) {
            match span(&key(), Some(start..end), bytes) {
                Ok(span) => prop_assert!(span == (start..end) && start <= end && end <= bytes),
                Err(_) => prop_assert!(start > end || end > bytes),
            }
        }

        #[test]
        fn a_child_leads_to_its_key(prefix in "([a-c]{1,2}/){0,2}", rest in "[a-c]{1,2}(/[a-c]{1,2}){0,2}") {
            let key = format!("{prefix}{rest}");
            let child = child(&key, &prefix).unwrap();
            prop_assert_eq!(child.ends_with('/'), rest.contains('/'));
            let joined = format!("{prefix}{child}");
            prop_assert!(key.starts_with(&joined));
        }
    }
}
