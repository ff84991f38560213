//! Names as segments of a key: only what a key cannot contain is percent-encoded.

use percent_encoding::{percent_decode_str, percent_encode_byte};

/// `name` as one segment of a key. `/`, `\`, `%` and control characters become `%XX` a byte (RFC 3986, 2.1, upper-case
/// digits); so do all dots of a name that is `.` or `..`.
#[must_use]
pub fn encode(name: &str) -> String {
    let only_dots = matches!(name, "." | "..");
    let mut encoded = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '/' | '\\' | '%') || character.is_control() || only_dots {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                encoded.push_str(percent_encode_byte(byte));
            }
        } else {
            encoded.push(character);
        }
    }
    encoded
}

/// The name that [`encode`] turns into `segment`; nothing if there is none.
#[must_use]
pub fn decode(segment: &str) -> Option<String> {
    let name = percent_decode_str(segment).decode_utf8().ok()?;
    // One name has one segment: `%41` for `A` is not ours.
    (encode(&name) == segment).then(|| name.into_owned())
}
