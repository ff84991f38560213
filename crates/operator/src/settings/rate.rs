//! A limit of bytes per second, as typed and as written.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

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
pub struct Rate(pub Option<NonZeroU64>);

/// Text that is not a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRate {
    /// It is a number alone. Other programs take it for KiB, and a limit of so few bytes would look like a run that hangs.
    #[error("`{0}` has no unit: write {0}KiB or {0}MiB")]
    NoUnit(String),
    /// It cannot be read.
    #[error("write a size per second, such as 10MiB or 512KiB; 0 is no limit")]
    Unreadable,
}

/// In the largest unit of which it is a whole number.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.map_or(0, NonZeroU64::get);
        let binary = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match binary.into_iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit)) {
            Some((suffix, unit)) => write!(f, "{}{suffix}", bytes / unit),
            None if bytes == 0 => f.write_str("0"),
            None => write!(f, "{bytes}B"),
        }
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        rate(text)
    }
}

/// Reads `10MiB`, `512K`, `2GB` or `4096B`, with or without `/s`; 0 and nothing are no limit.
///
/// # Errors
/// [`InvalidRate`], which says what to write instead.
pub fn rate(text: &str) -> Result<Rate, InvalidRate> {
    let size = text.trim();
    let size = size.strip_suffix("/s").unwrap_or(size);
    if size.is_empty() && text.is_empty() {
        return Ok(Rate(None));
    }
    let unit = UNITS.iter().find_map(|(suffix, bytes)| Some((size.strip_suffix(suffix)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((size, 1));
    let number: u64 = number.trim().parse().map_err(|_| InvalidRate::Unreadable)?;
    if unit.is_none() && number > 0 {
        return Err(InvalidRate::NoUnit(size.to_owned()));
    }
    let rate = number.checked_mul(bytes).ok_or(InvalidRate::Unreadable)?;
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
            ("4096B", 4_096),
            ("0", 0),
            ("", 0),
        ] {
            assert_eq!(rate(text).unwrap(), Rate(NonZeroU64::new(bytes)), "{text}");
        }
    }

    #[test]
    fn a_limit_is_read_back_as_it_is_shown() {
        for (text, shown) in [("10MiB", "10MiB"), ("2048K/s", "2MiB"), ("1000B", "1000B"), ("0", "0"), ("3GiB", "3GiB")]
        {
            let rate = rate(text).unwrap();
            assert_eq!(rate.to_string(), shown);
            assert_eq!(shown.parse(), Ok(rate));
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        let unit = rate("1024").unwrap_err();
        assert_eq!(unit.to_string(), "`1024` has no unit: write 1024KiB or 1024MiB");
        assert!(matches!(rate("5/s"), Err(InvalidRate::NoUnit(_))));
        for text in ["fast", "-1", "1.5MiB", "10Mbit", "MiB", "/s", "99999999999GiB", "1e9"] {
            assert_eq!(rate(text), Err(InvalidRate::Unreadable), "{text}");
        }
    }
}
