//! Integers of any size, as decimal digits: stored and compared, never calculated with.

use std::fmt;

/// Most digits of an integer: what Python itself reads from text (`sys.set_int_max_str_digits`, CPython 3.11).
pub const BIG_INT_DIGITS_MAX: usize = 4_300;

/// An integer as decimal digits, with `-` in front if negative and no leading zeros.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BigInt(Box<str>);

impl BigInt {
    /// Takes decimal digits, `-` in front or not.
    ///
    /// `None` if there are none, or more than [`BIG_INT_DIGITS_MAX`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        if digits.is_empty() || digits.len() > BIG_INT_DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        Some(Self(if digits.is_empty() { "0".into() } else { format!("{sign}{digits}").into() }))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The integer of two's complement bytes, the least significant first; `None` if it has too many digits.
    #[must_use]
    pub fn from_le_bytes(bytes: &[u8]) -> Option<Self> {
        // 4,300 digits are 1,786 bytes.
        if bytes.len() > BIG_INT_DIGITS_MAX / 2 {
            return None;
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut magnitude = bytes.to_vec();
        if negative {
            negate(&mut magnitude);
        }
        // Nine decimal digits at a time, the least significant first.
        let mut groups: Vec<u32> = Vec::new();
        for byte in magnitude.iter().rev() {
            let mut carry = u64::from(*byte);
            for group in &mut groups {
                let value = u64::from(*group) * 256 + carry;
                *group = (value % 1_000_000_000) as u32;
                carry = value / 1_000_000_000;
            }
            if carry > 0 {
                groups.push(carry as u32);
            }
        }
        let mut text = if negative { "-".to_owned() } else { String::new() };
        for (position, group) in groups.iter().rev().enumerate() {
            text.push_str(&if position == 0 { group.to_string() } else { format!("{group:09}") });
        }
        Self::parse(if groups.is_empty() { "0" } else { &text })
    }

    /// Two's complement bytes, the least significant first, as few as possible.
    #[must_use]
    pub fn to_le_bytes(&self) -> Vec<u8> {
        let (negative, digits) = self.0.strip_prefix('-').map_or((false, &*self.0), |digits| (true, digits));
        let mut bytes: Vec<u8> = Vec::new();
        for digit in digits.bytes() {
            let mut carry = u32::from(digit - b'0');
            for byte in &mut bytes {
                let value = u32::from(*byte) * 10 + carry;
                *byte = value as u8;
                carry = value >> 8;
            }
            if carry > 0 {
                bytes.push(carry as u8);
            }
        }
        if bytes.last().is_none_or(|byte| byte & 0x80 != 0) {
            bytes.push(0);
        }
        if negative {
            negate(&mut bytes);
            while let [.., before, last] = bytes[..]
                && last == 0xFF
                && before & 0x80 != 0
            {
                bytes.pop();
            }
        }
        bytes
    }
}

/// The two's complement.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes {
        let (value, over) = (!*byte).overflowing_add(u8::from(carry));
        *byte = value;
        carry = over;
    }
}

impl fmt::Debug for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_and_digits_say_the_same(value: i128) {
            let big = BigInt::parse(&value.to_string()).unwrap();
            let bytes = big.to_le_bytes();
            prop_assert_eq!(BigInt::from_le_bytes(&bytes).unwrap(), big.clone());
            prop_assert_eq!(BigInt::from_le_bytes(&value.to_le_bytes()).unwrap(), big);
            // As few bytes as possible: dropping the last would change the value.
            if bytes.len() > 1 {
                prop_assert_ne!(BigInt::from_le_bytes(&bytes[..bytes.len() - 1]).unwrap().to_string(), value.to_string());
            }
        }
    }

    #[test]
    fn the_longest_integer_survives_and_a_longer_one_is_refused() {
        let longest = BigInt::parse(&"9".repeat(BIG_INT_DIGITS_MAX)).unwrap();
        assert_eq!(BigInt::from_le_bytes(&longest.to_le_bytes()), Some(longest));
        for wrong in ["", "-", "1x", &"9".repeat(BIG_INT_DIGITS_MAX + 1)] {
            assert_eq!(BigInt::parse(wrong), None);
        }
    }
}
