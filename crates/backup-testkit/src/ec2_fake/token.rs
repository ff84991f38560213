//! Opaque tokens that the fake can read again without remembering them: fields, when they end, and a seal.

use backup_core::clock::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

const SEPARATOR: char = '\u{1f}';
const SEAL_BYTES: usize = 6;

/// What a token is refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is none of the fake's, or about something else.
    Foreign,
    /// It has expired.
    Expired,
}

/// A token of these fields that is accepted until `end`. It consists of what the patterns of EBS allow, `A–Z a–z 0–9 + / =`.
pub(super) fn seal(fields: &[&str], end: Timestamp) -> String {
    let text = format!("{}{SEPARATOR}{}", fields.join(&SEPARATOR.to_string()), end.as_second());
    let mut bytes = digest(&text)[..SEAL_BYTES].to_vec();
    bytes.extend(text.into_bytes());
    STANDARD.encode(bytes)
}

/// The fields of a token that begins with `expected`.
pub(super) fn open(token: &str, expected: &[&str], now: Timestamp) -> Result<Vec<String>, Refusal> {
    let bytes = STANDARD.decode(token).map_err(|_| Refusal::Foreign)?;
    let (seal, text) = bytes.split_at_checked(SEAL_BYTES).ok_or(Refusal::Foreign)?;
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Foreign)?;
    if digest(text)[..SEAL_BYTES] != *seal {
        return Err(Refusal::Foreign);
    }
    let mut fields: Vec<String> = text.split(SEPARATOR).map(str::to_owned).collect();
    let end: i64 = fields.pop().and_then(|end| end.parse().ok()).ok_or(Refusal::Foreign)?;
    if fields.len() < expected.len() || fields.iter().zip(expected).any(|(own, wanted)| own != wanted) {
        return Err(Refusal::Foreign);
    }
    if now.as_second() >= end { Err(Refusal::Expired) } else { Ok(fields.split_off(expected.len())) }
}

/// A short name for any text, the same for the same text.
pub(super) fn fingerprint(text: &str) -> String {
    hex::encode(&digest(text)[..8])
}

fn digest(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_thing_and_for_a_while() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let token = seal(&["block", "snap-1", "7"], at(100));
        assert_eq!(open(&token, &["block", "snap-1"], at(99)), Ok(vec!["7".to_owned()]));
        assert_eq!(open(&token, &["block", "snap-2"], at(99)), Err(Refusal::Foreign));
        assert_eq!(open(&token, &["block"], at(100)), Err(Refusal::Expired));
        let mut damaged = token.into_bytes();
        damaged[9] ^= 1;
        assert_eq!(open(&String::from_utf8_lossy(&damaged), &["block"], at(99)), Err(Refusal::Foreign));
    }
}
