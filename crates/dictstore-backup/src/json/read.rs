//! Reads JSON as `json.load` does, with a bound on depth.

use crate::value::{BIG_INT_DIGITS_MAX, BigInt, Record, Text, Value};

/// Deepest nesting read: what fits a stack of 2 MiB even in an unoptimised build. Python's own limit is near 1,000.
pub(crate) const DEPTH_MAX: usize = 400;

/// Why a text is not read, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

pub(crate) type Read<T> = Result<T, Fault>;

/// Reads one document, and nothing after it.
pub(crate) fn document(bytes: &[u8]) -> Read<Value> {
    document_of(bytes, |reader| reader.value())
}

/// Reads one document as `read` does, and nothing after it.
pub(crate) fn document_of<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Read<T>) -> Read<T> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(Fault { at: error.valid_up_to(), what: "it is not UTF-8".to_owned() });
    }
    let mut reader = Reader { bytes, at: 0, depth: 0, buffer: Vec::new(), fields: 0 };
    let value = read(&mut reader)?;
    reader.space();
    if reader.at < bytes.len() { reader.fault("something follows the end of the document") } else { Ok(value) }
}

/// A place in a document.
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    depth: usize,
    /// For texts with escapes.
    buffer: Vec<u8>,
    /// Fields of the last object: the next is likely to have as many.
    fields: usize,
}

impl Reader<'_> {
    pub(crate) fn fault<T>(&self, what: impl Into<String>) -> Read<T> {
        let what = if self.at >= self.bytes.len() { "it ends too early".to_owned() } else { what.into() };
        Err(Fault { at: self.at, what })
    }

    /// The document is one, of something else than was expected just before here.
    pub(crate) fn misfit<T>(&self, what: impl Into<String>) -> Read<T> {
        Err(Fault { at: self.at, what: what.into() })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        self.fault(format!("`{}` was expected", char::from(byte)))
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        // Cut off in the middle of a word is cut off all the same.
        if word.as_bytes().starts_with(&self.bytes[self.at..]) {
            self.at = self.bytes.len();
        }
        self.fault("a value was expected")
    }

    pub(crate) fn value(&mut self) -> Read<Value> {
        self.space();
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.text()?)),
            Some(b'{') => Ok(self.record()?.into()),
            Some(b'[') => self.array(),
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'N') => self.word("NaN", Value::Float(f64::NAN)),
            Some(b'I') => self.word("Infinity", Value::Float(f64::INFINITY)),
            Some(b'-') if self.bytes.get(self.at + 1) == Some(&b'I') => {
                self.word("-Infinity", Value::Float(f64::NEG_INFINITY))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fault("a value was expected"),
        }
    }

    /// Begins an object or array, whose bracket stands here.
    fn enter(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fault(format!("it is nested deeper than {DEPTH_MAX} levels"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Whether the object or array ends here; else there is something more.
    fn ends(&mut self, bracket: u8) -> bool {
        let ends = self.peek() == Some(bracket);
        self.at += usize::from(ends);
        self.depth -= usize::from(ends);
        ends
    }

    /// Whether something of this kind stands here: `{`, `[`, `"`.
    pub(crate) fn stands(&mut self, first: u8) -> bool {
        self.space();
        self.peek() == Some(first)
    }

    /// Reads an array, whose bracket stands here, item by item.
    pub(crate) fn items(&mut self, mut each: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.enter()?;
        if self.ends(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            self.space();
            if self.ends(b']') {
                return Ok(());
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.fault("`,` or `]` was expected"),
            }
        }
    }

    /// Reads an object, whose bracket stands here, member by member.
    pub(crate) fn members(&mut self, mut each: impl FnMut(&mut Self, Text) -> Read<()>) -> Read<()> {
        self.enter()?;
        if self.ends(b'}') {
            return Ok(());
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.fault("a name in double quotes was expected");
            }
            let name = self.text()?;
            self.space();
            self.expect(b':')?;
            each(self, name)?;
            self.space();
            if self.ends(b'}') {
                return Ok(());
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.fault("`,` or `}` was expected"),
            }
        }
    }

    fn array(&mut self) -> Read<Value> {
        let mut items = Vec::new();
        self.items(|reader| {
            items.push(reader.value()?);
            Ok(())
        })?;
        Ok(Value::List(items.into()))
    }

    /// Reads an object, whose bracket stands here.
    pub(crate) fn record(&mut self) -> Read<Record> {
        let mut fields = Vec::with_capacity(self.fields.min(64));
        self.members(|reader, name| {
            fields.push((name, reader.value()?));
            Ok(())
        })?;
        self.fields = fields.len();
        Ok(Record::from_fields(fields))
    }

    fn number(&mut self) -> Read<Value> {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fault("a digit was expected"),
        }
        let mut whole = true;
        if self.peek() == Some(b'.') && matches!(self.bytes.get(self.at + 1), Some(b'0'..=b'9')) {
            whole = false;
            self.at += 1;
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            let sign = usize::from(matches!(self.bytes.get(self.at + 1), Some(b'+' | b'-')));
            if matches!(self.bytes.get(self.at + 1 + sign), Some(b'0'..=b'9')) {
                whole = false;
                self.at += 1 + sign;
                self.digits();
            }
        }
        // Digits are ASCII.
        let text = std::str::from_utf8(&self.bytes[begin..self.at]).unwrap_or_default();
        if !whole {
            return match text.parse() {
                Ok(value) => Ok(Value::Float(value)),
                Err(_) => self.fault("a number was expected"),
            };
        }
        if let Ok(value) = text.parse() {
            return Ok(Value::Int(value));
        }
        match BigInt::parse(text) {
            Some(value) => Ok(Value::Big(value)),
            None => Err(Fault { at: begin, what: format!("an integer has more than {BIG_INT_DIGITS_MAX} digits") }),
        }
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn text(&mut self) -> Read<Text> {
        self.at += 1;
        let begin = self.at;
        let plain = self.bytes[begin..].iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
        let Some(plain) = plain else {
            self.at = self.bytes.len();
            return self.fault("");
        };
        self.at += plain;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return self.decoded(begin, &self.bytes[begin..begin + plain]);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend_from_slice(&self.bytes[begin..self.at]);
        self.escaped(&mut buffer)?;
        let text = self.decoded(begin, &buffer);
        self.buffer = buffer;
        text
    }

    fn decoded(&self, begin: usize, bytes: &[u8]) -> Read<Text> {
        Text::from_bytes(bytes).ok_or_else(|| Fault { at: begin, what: "a string is not UTF-8".to_owned() })
    }

    fn escaped(&mut self, out: &mut Vec<u8>) -> Read<()> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(out)?,
                Some(..0x20) => return self.fault("a string contains a control character"),
                Some(byte) => {
                    self.at += 1;
                    out.push(byte);
                }
                None => return self.fault(""),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let short = match self.bytes.get(self.at + 1) {
            Some(b'u') => return self.unicode(out),
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(same @ (b'"' | b'\\' | b'/')) => *same,
            Some(_) => return self.fault("an unknown escape"),
            None => {
                self.at += 1;
                return self.fault("");
            }
        };
        out.push(short);
        self.at += 2;
        Ok(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let high = self.unit(self.at)?;
        self.at += 6;
        if (0xD800..0xDC00).contains(&high)
            && self.bytes[self.at..].starts_with(b"\\u")
            && let Ok(low @ 0xDC00..0xE000) = self.unit(self.at)
        {
            self.at += 6;
            let code = 0x10000 + (u32::from(high - 0xD800) << 10) + u32::from(low - 0xDC00);
            push(out, code);
            return Ok(());
        }
        push(out, high.into());
        Ok(())
    }

    /// The number of the `\uXXXX` at `at`.
    fn unit(&self, at: usize) -> Read<u16> {
        let digits = self.bytes.get(at + 2..at + 6).unwrap_or_default();
        let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match text.filter(|text| text.len() == 4).and_then(|text| u16::from_str_radix(text, 16).ok()) {
            Some(unit) => Ok(unit),
            None => {
                let at = if at + 6 > self.bytes.len() { self.bytes.len() } else { at };
                Self { at, bytes: self.bytes, depth: 0, buffer: Vec::new(), fields: 0 }.fault("an invalid escape")
            }
        }
    }
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
    use proptest::prelude::*;

    use super::*;

    fn back(text: &str) -> String {
        let mut out = Vec::new();
        super::super::write::value(&mut out, &document(text.as_bytes()).unwrap()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_python_writes_comes_back_byte_for_byte() {
        for text in [
            "null",
            "[true, false, NaN, Infinity, -Infinity]",
            "[0, -9223372036854775808, 1180591620717411303424, -0.0, 1e-07, 1e+16, 5e-324]",
            r#"{"a": {"b": [[], {}, {"c": ""}]}, "\u00e9": "\ud83d\ude00 \ud800 \udc00\ud800 \u007f \u2028"}"#,
            r#""quote \" back \\ slash / \b\f\n\r\t \u0000""#,
        ] {
            assert_eq!(back(text), text);
        }
        assert_eq!(back(" [ 1 ,\t\"a\\/b\" ]\r\n"), "[1, \"a/b\"]");
        assert_eq!(back(r#"{"a": 1, "b": 2, "a": 3}"#), r#"{"a": 3, "b": 2}"#);
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_place() {
        let deep = "[".repeat(100_000);
        for (text, at, word) in [
            ("", 0, "too early"),
            ("[1, 2", 5, "too early"),
            (r#"{"a": tru"#, 9, "too early"),
            (r#"{"a": "b"#, 8, "too early"),
            (r#"["\ud8"#, 6, "too early"),
            ("[1 2]", 3, "`,` or `]`"),
            ("{a: 1}", 1, "name"),
            ("[01]", 2, "`,` or `]`"),
            ("[1.]", 2, "`,` or `]`"),
            ("\"\n\"", 1, "control"),
            (r#""\x""#, 1, "escape"),
            ("1 2", 2, "follows"),
            (&deep, DEPTH_MAX, "deeper"),
        ] {
            let fault = document(text.as_bytes()).unwrap_err();
            assert!(fault.at == at && fault.what.contains(word), "{text:.20}: {fault}");
        }
        assert!(document(b"\"\xED\xA0\x80\xFF\"").is_err());
        assert!(document("9".repeat(BIG_INT_DIGITS_MAX + 1).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = document(&bytes);
        }

        #[test]
        fn near_documents_are_read_or_refused(text in r#"[\[\]{}",:0-9eE.+\-\\utrfalsn NIi]{0,60}"#) {
            let _ = document(text.as_bytes());
        }
    }
}
