//! Numbers and texts, byte for byte as `json.dumps` writes them.

use std::io::Write as _;

/// Appends a floating point number as `repr` has it: the shortest digits that read back, `1e-07` and not `1e-7`.
pub fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
        return;
    }
    // Rust's `{:e}` has the same shortest digits, and only another notation: `1.25e-7`.
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    out.extend_from_slice(sign.as_bytes());
    // CPython, `float_repr_style`: exponents from -4 to 15 are written out.
    if !(-4..16).contains(&exponent) {
        out.extend_from_slice(digits.as_bytes());
        // Writing to memory cannot fail.
        let _ = write!(out, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs());
        return;
    }
    let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b'.').collect();
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', exponent.unsigned_abs() as usize - 1));
        out.extend_from_slice(&digits);
        return;
    }
    let whole = exponent.unsigned_abs() as usize + 1;
    let (before, after) = digits.split_at(whole.min(digits.len()));
    out.extend_from_slice(before);
    out.extend(std::iter::repeat_n(b'0', whole - before.len()));
    out.push(b'.');
    out.extend_from_slice(if after.is_empty() { b"0" } else { after });
}

/// Appends a text in quotes, in ASCII only. `text` is UTF-8 in which a lone surrogate stands as three bytes.
pub fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
    if text.iter().all(plain) {
        out.extend_from_slice(text);
    } else if let Ok(text) = std::str::from_utf8(text) {
        text.chars().for_each(|c| character(out, c));
    } else {
        surrogates(out, text);
    }
    out.push(b'"');
}

fn character(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        ' '..='~' => out.push(c as u8),
        other => other.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escape(out, *unit)),
    }
}

/// Text in which surrogates stand as three bytes each.
fn surrogates(out: &mut Vec<u8>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let valid = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            Err(error) => error.valid_up_to(),
        };
        let (before, after) = bytes.split_at(valid);
        String::from_utf8_lossy(before).chars().for_each(|c| character(out, c));
        bytes = match after {
            [first, second, third, rest @ ..] => {
                let unit = u16::from(first & 0x0F) << 12 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F);
                escape(out, unit);
                rest
            }
            _ => &[],
        };
    }
}

fn escape(out: &mut Vec<u8>, unit: u16) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX[usize::from(unit >> shift & 0xF)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_is_pythons() {
        // Left: what `repr` of CPython 3.11 says.
        for text in [
            "0.0",
            "-0.0",
            "1.0",
            "0.1",
            "2.5",
            "3.141592653589793",
            "1e-07",
            "1.25e-05",
            "0.0001",
            "0.00012345",
            "1e+16",
            "1234567890123456.0",
            "123456789012345.6",
            "1e+22",
            "5e-324",
            "1.7976931348623157e+308",
            "100.0",
            "1e+300",
            "-1.5e-10",
        ] {
            let mut out = Vec::new();
            float(&mut out, text.parse().unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
