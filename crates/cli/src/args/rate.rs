//! A limit of bytes per second, as typed.

use std::num::NonZeroU64;

/// Suffixes of a size and what they stand for, the longest first.
const UNITS: [(&str, u64); 10] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("B", 1),
];

/// Bytes per second; none is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) Option<NonZeroU64>);

/// Reads `10MiB`, `512K`, `2GB` or a number of bytes, with or without `/s`; 0 and nothing are no limit.
///
/// # Errors
/// What to write instead, for clap to print.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || "write a size per second, such as 10MiB or 512KiB; 0 is no limit".to_owned();
    let size = text.trim();
    let size = size.strip_suffix("/s").unwrap_or(size);
    if size.is_empty() && text.is_empty() {
        return Ok(Rate(None));
    }
    let unit = UNITS.iter().find_map(|(suffix, bytes)| Some((size.strip_suffix(suffix)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((size, 1));
    let number: u64 = number.trim().parse().map_err(|_| wrong())?;
    let rate = number.checked_mul(bytes).ok_or_else(wrong)?;
    Ok(Rate(NonZeroU64::new(rate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("10MiB", 10 << 20),
            ("512 KiB", 512 << 10),
            ("1GiB/s", 1 << 30),
            ("3M", 3 << 20),
            ("2MB", 2_000_000),
            ("64kB", 64_000),
            ("100B", 100),
            ("4096", 4_096),
            ("0", 0),
            ("", 0),
        ] {
            assert_eq!(rate(text).unwrap(), Rate(NonZeroU64::new(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["fast", "-1", "1.5MiB", "10Mbit", "MiB", "/s", "99999999999GiB", "1e9"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
