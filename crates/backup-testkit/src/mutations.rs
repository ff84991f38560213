//! Stored bytes changed as a failing disk or an intruder would: bit by bit, piece by piece, or field by field under a digest
//! that is right again.

use backup_core::digest::Sha256Digest;
use serde_json::{Value, json};

use crate::dice::Dice;

/// Longest result: more would test the machine's memory only.
const BYTES_MAX: usize = 256 * 1024;

/// The field of a manifest that has the digest of all others.
const DIGEST_FIELD: &str = "manifest_sha256";

/// Numbers at which lengths and counts go wrong.
const NUMBERS: [u64; 14] = [
    0,
    1,
    7,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 53,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// Texts that lead elsewhere, steer a terminal, or are no name at all.
pub const TEXTS: [&str; 18] = [
    "",
    ".",
    "..",
    "../../outside/precious",
    "/dev/zero",
    "a/../../b",
    "a\\b",
    "a%2fb",
    "\u{1b}]0;owned\u{7}",
    "\r\u{9b}31m",
    "\u{202e}evil",
    "line\nline",
    "nul\u{0}",
    "--help",
    "'; DROP DATABASE postgres; --",
    "s3://elsewhere/x",
    "2999-01-01T00:00:00Z",
    "\u{feff}\u{200b}",
];

/// Changes one to eight places; `others` are inputs to take pieces from, `words` what stands in such inputs.
pub fn bytes(dice: &mut Dice, input: &[u8], others: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 << dice.below(4) {
        change(dice, &mut bytes, others, words);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(dice: &mut Dice, bytes: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str]) {
    if bytes.is_empty() {
        *bytes = dice.bytes(8);
    }
    let at = dice.below(bytes.len());
    let piece = at..(at + dice.between(1, 33)).min(bytes.len());
    match dice.below(12) {
        0 | 1 => bytes[at] ^= 1 << dice.below(8),
        2 => bytes[at] = dice.bytes(1)[0],
        3 => bytes[at] = bytes[at].wrapping_add(if dice.once_in(2) { 1 } else { 255 }),
        4 => overwrite(dice, bytes, at),
        5 => drop(bytes.drain(piece)),
        6 => {
            let again = bytes[piece].repeat(1 << dice.below(6));
            bytes.splice(at..at, again);
        }
        7 => {
            let new = dice.between(1, 17);
            bytes.splice(at..at, dice.bytes(new));
        }
        8 => bytes.truncate(at),
        9 if !others.is_empty() => {
            let other = dice.pick(others);
            let from = dice.below(other.len());
            let taken = &other[from..(from + dice.between(1, 257)).min(other.len())];
            bytes.splice(piece, taken.iter().copied());
        }
        10 if !words.is_empty() => {
            let word = dice.pick(words).as_bytes();
            bytes.splice(if dice.once_in(2) { piece } else { at..at }, word.iter().copied());
        }
        _ => {
            let to = dice.below(bytes.len());
            bytes.swap(at, to);
        }
    }
}

/// Puts one of [`NUMBERS`] over what is there, in one of its widths, lowest or highest byte first.
fn overwrite(dice: &mut Dice, bytes: &mut [u8], at: usize) {
    let number = *dice.pick(&NUMBERS);
    let width = (1_usize << dice.below(4)).min(bytes.len() - at);
    let mut written = number.to_le_bytes()[..width].to_vec();
    if dice.once_in(2) {
        written.reverse();
    }
    bytes[at..at + width].copy_from_slice(&written);
}

/// Changes one to four places of a document.
pub fn document(dice: &mut Dice, document: &Value) -> Value {
    let mut changed = document.clone();
    for _ in 0..1 << dice.below(3) {
        let donor = somewhere(dice, document).clone();
        change_below(dice, &mut changed, donor);
    }
    changed
}

/// Some value of a document, itself included.
fn somewhere<'v>(dice: &mut Dice, value: &'v Value) -> &'v Value {
    if dice.once_in(4) {
        return value;
    }
    match value {
        Value::Array(items) if !items.is_empty() => {
            let at = dice.below(items.len());
            somewhere(dice, &items[at])
        }
        Value::Object(fields) if !fields.is_empty() => {
            let at = dice.below(fields.len());
            fields.values().nth(at).map_or(value, |field| somewhere(dice, field))
        }
        other => other,
    }
}

fn change_below(dice: &mut Dice, value: &mut Value, donor: Value) {
    let goes_down = !dice.once_in(5);
    match value {
        Value::Array(items) if !items.is_empty() && goes_down => {
            let at = dice.below(items.len());
            match dice.below(6) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, donor),
                2 => items.insert(at, items[at].clone()),
                _ => change_below(dice, &mut items[at], donor),
            }
        }
        Value::Object(fields) if !fields.is_empty() && (goes_down || fields.contains_key("format")) => {
            let at = dice.below(fields.len());
            let name = fields.keys().nth(at).cloned().unwrap_or_default();
            match dice.below(8) {
                0 => drop(fields.remove(&name)),
                1 => drop(fields.insert((*dice.pick(&TEXTS)).to_owned(), donor)),
                2 => drop(fields.insert(name, donor)),
                _ => fields.get_mut(&name).into_iter().for_each(|field| change_below(dice, field, donor.clone())),
            }
        }
        other => *other = instead(dice, other, donor),
    }
}

fn instead(dice: &mut Dice, value: &Value, donor: Value) -> Value {
    match (dice.below(10), value) {
        (0, _) => Value::Null,
        (1, _) => json!(dice.once_in(2)),
        (2, _) => donor,
        (3, _) => (0..200).fold(json!([]), |inner, _| json!([inner])),
        (4, _) => json!({}),
        (5, _) => json!(-1),
        (6 | 7, Value::String(text)) => {
            let mut text: Vec<char> = text.chars().collect();
            let at = dice.below(text.len() + 1);
            text.splice(at..at, dice.pick(&TEXTS).chars());
            Value::String(text.into_iter().collect())
        }
        (6.., Value::Number(number)) => {
            let number = number.as_u64().unwrap_or_default();
            match dice.below(3) {
                0 => json!(number.wrapping_add(1)),
                1 => json!(number.wrapping_sub(1)),
                _ => json!(dice.pick(&NUMBERS)),
            }
        }
        (8, _) => json!(dice.pick(&NUMBERS)),
        _ => json!(dice.pick(&TEXTS)),
    }
}

/// The canonical form of a manifest, with the digest that it must have.
#[must_use]
pub fn sealed(document: &Value) -> Vec<u8> {
    let mut fields = document.as_object().cloned().unwrap_or_default();
    fields.remove(DIGEST_FIELD);
    let digest = Sha256Digest::of(Value::Object(fields.clone()).to_string().as_bytes());
    fields.insert(DIGEST_FIELD.to_owned(), Value::String(digest.to_string()));
    Value::Object(fields).to_string().into_bytes()
}

/// A manifest with other fields under a digest that is right again; none if `stored` is no JSON object.
pub fn manifest(dice: &mut Dice, stored: &[u8]) -> Option<Vec<u8>> {
    let found: Value = serde_json::from_slice(stored).ok().filter(Value::is_object)?;
    let mut changed = document(dice, &found);
    if !changed.is_object() {
        changed = found;
    }
    Some(sealed(&changed))
}

/// A name of up to `bytes_max` bytes that steers terminals, turns writing around, or needs quotes everywhere.
pub fn name(dice: &mut Dice, bytes_max: usize) -> String {
    const PIECES: [&str; 26] = [
        "\u{1b}]0;owned\u{7}",
        "\u{1b}[2J",
        "\u{9b}31m",
        "\r",
        "\u{8}",
        "\u{7f}",
        "\u{85}",
        "\n",
        "\t",
        "\u{202e}",
        "\u{2066}",
        "\u{200f}",
        "\u{61c}",
        "\u{feff}",
        "\u{2028}",
        "\"",
        "'",
        "\\",
        "$(x)",
        "`x`",
        "%2f",
        "é",
        "🐘",
        ".",
        "a",
        " ",
    ];
    let mut name = String::new();
    for _ in 0..dice.between(1, 12) {
        let piece = dice.pick(&PIECES);
        if name.len() + piece.len() <= bytes_max {
            name.push_str(piece);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use backup_core::clock::Timestamp;
    use backup_core::manifest::{Kind, Manifest};

    use super::*;

    fn example() -> (Value, Vec<u8>) {
        let detail = json!({"tables": [{"name": "a", "rows": 7}]});
        let manifest = Manifest::new(Kind::Pg, "shop", Timestamp::UNIX_EPOCH, detail);
        let stored = manifest.to_bytes().unwrap().to_vec();
        (serde_json::from_slice(&stored).unwrap(), stored)
    }

    #[test]
    fn a_manifest_that_is_sealed_again_is_the_same() {
        let (document, stored) = example();
        assert_eq!(sealed(&document), stored);
    }

    #[test]
    fn changed_manifests_pass_the_digest_and_differ() {
        let (_, stored) = example();
        let at = "pg/shop/manifest.json".parse().unwrap();
        let mut read = 0;
        for round in 0..200 {
            let changed = manifest(&mut Dice::new(1, "manifest", round), &stored).unwrap();
            match Manifest::<Value>::from_bytes(&at, &changed) {
                Ok(_) => read += 1,
                Err(error) => assert!(!error.to_string().contains("digest"), "{error}"),
            }
        }
        assert!((10..190).contains(&read), "{read} of 200 are read");
    }

    #[test]
    fn bytes_are_changed_and_the_same_again() {
        let input = vec![0; 100];
        let changed = |round| bytes(&mut Dice::new(1, "bytes", round), &input, std::slice::from_ref(&input), &["word"]);
        assert!((0..100).filter(|round| changed(*round) != input).count() > 80);
        assert_eq!(changed(5), changed(5));
    }

    #[test]
    fn names_fit() {
        for round in 0..100 {
            assert!(name(&mut Dice::new(1, "name", round), 20).len() <= 20);
        }
    }
}
