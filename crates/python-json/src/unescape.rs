//! Escapes of texts that the reader has already found to be valid.

/// Appends `raw`, which stands between quotes and holds only valid escapes; a lone surrogate as three bytes.
pub(crate) fn unescape(mut raw: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = raw.iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&raw[..at]);
        raw = match &raw[at + 1..] {
            [b'u', rest @ ..] => unicode(rest, out),
            [short, rest @ ..] => {
                out.push(match short {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'f' => 12,
                    same => *same,
                });
                rest
            }
            [] => &[],
        };
    }
    out.extend_from_slice(raw);
}

/// Appends the code point of one `\uXXXX`, or of two that are a pair, and returns what follows.
fn unicode<'r>(digits: &'r [u8], out: &mut Vec<u8>) -> &'r [u8] {
    let (high, rest) = unit(digits);
    if (0xD800..0xDC00).contains(&high)
        && let [b'\\', b'u', digits @ ..] = rest
        && let (low @ 0xDC00..0xE000, rest) = unit(digits)
    {
        push(out, 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
        return rest;
    }
    push(out, high);
    rest
}

/// The number that four hexadecimal digits are, and what follows them.
fn unit(text: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = text.split_at(text.len().min(4));
    let digits = digits.iter().filter_map(|digit| char::from(*digit).to_digit(16));
    (digits.fold(0, |number, digit| number * 16 + digit), rest)
}

/// Appends a code point, a surrogate as three bytes.
fn push(out: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(&[
            0xE0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3F) as u8,
            0x80 | (code & 0x3F) as u8,
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_one_code_point_and_halves_stay_surrogates() {
        for (raw, text) in [
            (r"a\\b\/\n\u00e9", "a\\b/\né".as_bytes()),
            (r"\ud83d\ude00", "😀".as_bytes()),
            (r"\ud83d\ud83d\ude00x", b"\xED\xA0\xBD\xF0\x9F\x98\x80x"),
            (r"\ude00\ud83d", b"\xED\xB8\x80\xED\xA0\xBD"),
            (r"\ud83d\n", b"\xED\xA0\xBD\n"),
        ] {
            let mut out = Vec::new();
            unescape(raw.as_bytes(), &mut out);
            assert_eq!(out, text, "{raw}");
        }
    }
}
