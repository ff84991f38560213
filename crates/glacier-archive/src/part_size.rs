//! How large the parts of an upload to a vault are: a pure decision.

use crate::tree_hash::LEAF_BYTES;

/// Most parts of one upload to a vault (AWS, "Uploading large archives in parts").
pub const PARTS_MAX: u64 = 10_000;

/// The largest part: 1 MiB · 2¹² (AWS, "Uploading large archives in parts").
pub const PART_BYTES_MAX: u64 = 4096 * LEAF_BYTES as u64;

/// The part size unless said otherwise: a request takes a second at 4 MiB/s, and eight at once need 40 MiB.
pub const PART_BYTES: u64 = 4 * LEAF_BYTES as u64;

/// An archive larger than a vault takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are more than the {} that one archive can have", PARTS_MAX * PART_BYTES_MAX)]
pub struct TooLarge {
    /// The bytes.
    pub bytes: u64,
}

/// The smallest size of parts, 1 MiB · 2ⁿ and at least `least`, with which `bytes` bytes need no more than [`PARTS_MAX`].
///
/// # Errors
/// [`TooLarge`] for more than [`PARTS_MAX`] parts of [`PART_BYTES_MAX`].
pub fn part_bytes_for(bytes: u64, least: u64) -> Result<u64, TooLarge> {
    let needed = bytes.div_ceil(PARTS_MAX).max(least);
    let mebibytes = needed.div_ceil(LEAF_BYTES as u64).max(1).next_power_of_two();
    let part = mebibytes.saturating_mul(LEAF_BYTES as u64);
    if part <= PART_BYTES_MAX { Ok(part) } else { Err(TooLarge { bytes }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEBIBYTE: u64 = 1024 * 1024;

    #[test]
    fn parts_are_as_in_botos_table() {
        for (bytes, least, expected) in [
            (1, PART_BYTES, 4 * MEBIBYTE),
            (8 * MEBIBYTE, PART_BYTES, 4 * MEBIBYTE),
            (8 * MEBIBYTE * 10_000, PART_BYTES, 8 * MEBIBYTE),
            (4 << 40, PART_BYTES, 512 * MEBIBYTE),
            (8 * MEBIBYTE, 2 * MEBIBYTE, 2 * MEBIBYTE),
        ] {
            assert_eq!(part_bytes_for(bytes, least), Ok(expected), "{bytes}");
        }
        let too_large = 40_000 * 1024 * MEBIBYTE + 1;
        assert_eq!(part_bytes_for(too_large, PART_BYTES), Err(TooLarge { bytes: too_large }));
    }

    proptest! {
        #[test]
        fn parts_are_powers_of_two_few_and_no_larger_than_needed(
            bytes in 0..=PARTS_MAX * PART_BYTES_MAX, least in 1..=PART_BYTES_MAX,
        ) {
            let part = part_bytes_for(bytes, least).unwrap();
            prop_assert!((part / MEBIBYTE).is_power_of_two() && part.is_multiple_of(MEBIBYTE));
            prop_assert!(bytes.div_ceil(part) <= PARTS_MAX && part >= least);
            let half = part / 2;
            prop_assert!(half < MEBIBYTE || half < least || bytes.div_ceil(half) > PARTS_MAX, "half would do");
        }
    }
}
