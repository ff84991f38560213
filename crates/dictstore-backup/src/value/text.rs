//! Strings as in Python: Unicode, with possible lone surrogates.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

/// Text. Short ones need no allocation, and clones of long ones share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(Repr);

/// Bytes that are UTF-8 are always `Str`, so that equal texts are equal values.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Str(SmolStr),
    /// UTF-8 with lone surrogates as three bytes each (Python's `surrogatepass`).
    Surrogates(Arc<[u8]>),
}

impl Text {
    /// Text from UTF-8 in which surrogates may stand as three bytes each; `None` for any other bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.into()),
            Err(_) => is_generalised(bytes).then(|| Self(Repr::Surrogates(bytes.into()))),
        }
    }

    /// The text, if no surrogate stands alone in it.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Str(text) => Some(text),
            Repr::Surrogates(_) => None,
        }
    }

    /// UTF-8 in which lone surrogates are three bytes each.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Str(text) => text.as_bytes(),
            Repr::Surrogates(bytes) => bytes,
        }
    }
}

/// Whether the bytes are UTF-8 once the surrogates in them are taken out.
fn is_generalised(mut bytes: &[u8]) -> bool {
    loop {
        match std::str::from_utf8(bytes) {
            Ok(_) => return true,
            Err(error) => {
                let rest = &bytes[error.valid_up_to()..];
                match rest {
                    [0xED, 0xA0..=0xBF, 0x80..=0xBF, after @ ..] => bytes = after,
                    _ => return false,
                }
            }
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::Str(SmolStr::new(text)))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// For people: what is no character becomes `\u{FFFD}`.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Str(text) => f.write_str(text),
            Repr::Surrogates(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_are_text_and_other_bytes_are_not() {
        let lone = Text::from_bytes(b"a\xED\xA0\x80b").unwrap();
        assert_eq!((lone.as_str(), lone.as_bytes()), (None, &b"a\xED\xA0\x80b"[..]));
        assert_eq!(Text::from_bytes("ü".as_bytes()).unwrap(), Text::from("ü"));
        for wrong in [&b"\xFF"[..], b"\xED\xA0", b"\xC3", b"\xED\xA0\x80\xFF"] {
            assert!(Text::from_bytes(wrong).is_none(), "{wrong:?}");
        }
    }
}
