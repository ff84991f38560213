//! Checks the text of one record and finds its id, without building it.
//!
//! Python wrote the old records, so that what its `json` module writes is taken: `NaN` and `Infinity`, integers of any
//! length, halves of surrogate pairs. The text itself is never changed, so that nothing of it can be lost on the way.

use std::borrow::Cow;
use std::ops::Range;

/// Deepest nesting: Python's own parser gives up near 1,000, and a bound keeps a record from exhausting the stack.
const DEPTH_MAX: u32 = 500;

/// Longest id in bytes: ids are keys, and errors name them.
const ID_BYTES_MAX: usize = 1024;

/// Why a text is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The byte.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) what: &'static str,
    /// The record's id, if it came before.
    pub(crate) id: Option<String>,
}

type Scan<T> = Result<T, (usize, &'static str)>;

/// The id of the record `text`, which must be one JSON object with an `id` that is a text or an integer.
pub(crate) fn record_id(text: &[u8]) -> Result<Cow<'_, str>, Fault> {
    let mut scanner = Scanner { text, at: 0, id: None };
    // Read even if it is not UTF-8: the error is to name the id.
    let read = scanner.record();
    let checked = match std::str::from_utf8(text) {
        Err(error) => Err((error.valid_up_to(), "it is not UTF-8")),
        Ok(_) => read,
    };
    let id = scanner.found_id();
    match checked {
        Ok(()) => id.map_err(|what| Fault { at: 0, what, id: None }),
        Err((at, what)) => Err(Fault { at, what, id: id.ok().map(Cow::into_owned) }),
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    id: Option<Range<usize>>,
}

impl<'a> Scanner<'a> {
    fn record(&mut self) -> Scan<()> {
        self.blanks();
        if self.peek() != Some(b'{') {
            return Err((self.at, "a record is a JSON object"));
        }
        self.object(0)?;
        self.blanks();
        if self.at == self.text.len() { Ok(()) } else { Err((self.at, "something follows the object")) }
    }

    fn found_id(&self) -> Result<Cow<'a, str>, &'static str> {
        let text = self.text;
        let raw = self.id.clone().and_then(|range| text.get(range)).ok_or("it has no `id`")?;
        let raw = std::str::from_utf8(raw).map_err(|_| "its `id` is not UTF-8")?;
        let id = match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
            Some(_) => Cow::Owned(serde_json::from_str(raw).map_err(|_| "its `id` is a string that cannot be stored")?),
            None if raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => Cow::Borrowed(raw),
            None => return Err("its `id` is neither a string nor an integer"),
        };
        match id.len() {
            0 => Err("its `id` is empty"),
            1..=ID_BYTES_MAX => Ok(id),
            _ => Err("its `id` is longer than 1,024 bytes"),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Past `byte`, if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn value(&mut self, depth: u32) -> Scan<()> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(&[b"true", b"false", b"null", b"NaN", b"Infinity"]),
        }
    }

    fn object(&mut self, depth: u32) -> Scan<()> {
        self.deeper(depth)?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.at;
            self.string()?;
            let is_id = depth == 0 && &self.text[name..self.at] == b"\"id\"";
            self.blanks();
            if !self.take(b':') {
                return Err((self.at, "a colon was expected"));
            }
            self.blanks();
            let value = self.at;
            self.value(depth + 1)?;
            if is_id {
                self.id = Some(value..self.at);
            }
            self.blanks();
            if self.take(b'}') {
                return Ok(());
            }
            self.comma()?;
        }
    }

    fn array(&mut self, depth: u32) -> Scan<()> {
        self.deeper(depth)?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.blanks();
            if self.take(b']') {
                return Ok(());
            }
            self.comma()?;
        }
    }

    fn deeper(&mut self, depth: u32) -> Scan<()> {
        if depth >= DEPTH_MAX {
            return Err((self.at, "it is nested more than 500 deep"));
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    fn comma(&mut self) -> Scan<()> {
        if !self.take(b',') {
            return Err((self.at, "a comma or the end was expected"));
        }
        self.blanks();
        Ok(())
    }

    fn string(&mut self) -> Scan<()> {
        if !self.take(b'"') {
            return Err((self.at, "a string in quotes was expected"));
        }
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                0..=0x1f => return Err((self.at, "a string contains a control character")),
                _ => self.at += 1,
            }
        }
        Err((self.at, "a string is not terminated"))
    }

    fn escape(&mut self) -> Scan<()> {
        let wrong = Err((self.at, "an escape is unknown"));
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match self.text.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                _ => return wrong,
            },
            _ => return wrong,
        }
        Ok(())
    }

    fn number(&mut self) -> Scan<()> {
        self.take(b'-');
        if self.peek() == Some(b'I') {
            return self.word(&[b"Infinity"]);
        }
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Scan<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err((self.at, "a digit was expected")) }
    }

    fn word(&mut self, words: &[&[u8]]) -> Scan<()> {
        match words.iter().find(|word| self.text[self.at..].starts_with(word)) {
            Some(word) => {
                self.at += word.len();
                Ok(())
            }
            None => Err((self.at, "a value was expected")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Result<String, &'static str> {
        record_id(text.as_bytes()).map(Cow::into_owned).map_err(|fault| fault.what)
    }

    #[test]
    fn what_python_writes_is_taken() {
        assert_eq!(id(r#"{"id": "a", "x": [NaN, -Infinity, 1180591620717411303424, 1.5e-3]}"#).unwrap(), "a");
        assert_eq!(id(r#"{"x": {"id": "inner"}, "y": "\ud83d half", "id": "o\u0075ter"}"#).unwrap(), "outer");
        assert_eq!(id("{\n  \"id\": 7\n}").unwrap(), "7");
        assert_eq!(id(r#"{"id": "first", "id": "last"}"#).unwrap(), "last", "as Python reads it");
    }

    #[test]
    fn o3_what_is_no_record_is_refused_with_its_id() {
        for (text, what) in [
            (&b"[1]"[..], "a record is a JSON object"),
            (b"{}", "it has no `id`"),
            (br#"{"id": ""}"#, "its `id` is empty"),
            (br#"{"id": 1.5}"#, "its `id` is neither a string nor an integer"),
            (br#"{"id": "\ud800"}"#, "its `id` is a string that cannot be stored"),
            (br#"{"id": "a"} x"#, "something follows the object"),
            (br#"{"id": "a", "x": 01}"#, "a comma or the end was expected"),
            (br#"{"id": "a", "x": "\q"}"#, "an escape is unknown"),
            (br#"{"id": "a", "x": "#, "a value was expected"),
        ] {
            let fault = record_id(text).unwrap_err();
            assert_eq!(fault.what, what, "{}", String::from_utf8_lossy(text));
        }
        let fault = record_id(b"{\"id\": \"a\", \"x\": \"\0\"}").unwrap_err();
        assert_eq!((fault.at, fault.id.as_deref()), (18, Some("a")));
        let fault = record_id(b"{\"id\": \"a\", \"x\": \"\xff\"}").unwrap_err();
        assert_eq!((fault.at, fault.what, fault.id.as_deref()), (18, "it is not UTF-8", Some("a")));
    }

    #[test]
    fn a_record_cannot_exhaust_the_stack() {
        let deep = format!("{{\"id\": \"a\", \"x\": {}", "[".repeat(1_000_000));
        assert_eq!(id(&deep), Err("it is nested more than 500 deep"));
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_taken_and_cut_texts_are_not(
            fields in proptest::collection::btree_map("[a-z]{0,5}", ".{0,20}", 0..6),
            cut in 1usize..20,
        ) {
            let mut fields: serde_json::Map<String, serde_json::Value> =
                fields.into_iter().map(|(name, text)| (name, serde_json::json!([text, {"n": -1.5e300}]))).collect();
            fields.insert("id".to_owned(), "é".into());
            let text = serde_json::to_vec(&fields).unwrap();
            prop_assert_eq!(record_id(&text).unwrap(), "é");
            prop_assert!(record_id(&text[..text.len() - cut.min(text.len())]).is_err());
        }

        #[test]
        fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = record_id(&bytes);
        }
    }
}
