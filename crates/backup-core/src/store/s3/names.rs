//! Names in listings, which are asked for percent-encoded: XML cannot have most control bytes (XML 1.0, 2.2), and one such key
//! of somebody else would make the whole listing unreadable.

use aws_sdk_s3::types::EncodingType;

/// The name as the bucket has it. A server that does not say that it encodes does not; one name that is no UTF-8 is nobody's
/// that we know, and stays as it is.
pub fn decoded(encoding: Option<&EncodingType>, name: &str) -> String {
    match encoding {
        Some(EncodingType::Url) => decode(name).unwrap_or_else(|| name.to_owned()),
        _ => name.to_owned(),
    }
}

/// S3 encodes as HTML forms do: a blank is `+`.
fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = tail.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_if_they_are_encoded() {
        let url = Some(&EncodingType::Url);
        for (encoded, name) in [
            ("a/b-c_d.e", "a/b-c_d.e"),
            ("a+b%2Bc%25", "a b+c%"),
            ("a%01%2Fb", "a\u{1}/b"),
            ("Zo%C3%AB", "Zoë"),
            ("100%", "100%"),
            ("%+1", "%+1"),
            ("%ff", "%ff"),
        ] {
            assert_eq!(decoded(url, encoded), name);
            assert_eq!(decoded(None, encoded), encoded);
        }
    }
}
