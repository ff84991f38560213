//! Names as segments of a key: only what a key cannot contain is percent-encoded.

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
                encoded.push_str(&format!("%{byte:02X}"));
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
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    // One name has one segment: `%41` for `A` is not ours.
    String::from_utf8(bytes).ok().filter(|name| encode(name) == segment)
}
