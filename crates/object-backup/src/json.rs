//! Checks the text of one record and finds its id, without building it.
//!
//! Python wrote the old records, so what its `json` module writes is taken: see `python-json`. The text itself is never
//! changed, so that nothing of it can be lost on the way.

use std::borrow::Cow;
use std::ops::Range;

use python_json::{Kind, Problem, Reader};

/// Deepest nesting: Python's own parser gives up near 1,000, and a bound keeps a record from exhausting the stack.
const DEPTH_MAX: usize = 500;

/// Longest id in bytes: ids are keys, and errors name them.
const ID_BYTES_MAX: usize = 1024;

/// Why a text is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The byte.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) what: Cow<'static, str>,
    /// The record's id, if it came before.
    pub(crate) id: Option<String>,
}

/// Byte order marks, which editors show nothing of.
const MARKS: [(&[u8], &str); 3] = [
    (b"\xef\xbb\xbf", "it begins with a byte order mark (BOM)"),
    (b"\xff\xfe", "it is UTF-16 by its byte order mark (BOM), and not UTF-8"),
    (b"\xfe\xff", "it is UTF-16 by its byte order mark (BOM), and not UTF-8"),
];

/// The id of the record `text` as it is written: `1` or `"1"`. Nothing for what is no record.
pub(crate) fn written_id(text: &[u8]) -> Option<&str> {
    let mut place = None;
    read(text, &mut place).ok()?;
    std::str::from_utf8(text.get(place?)?).ok()
}

/// The id of the record `text`, which must be one JSON object with an `id` that is a text or an integer.
pub(crate) fn record_id(text: &[u8]) -> Result<Cow<'_, str>, Fault> {
    if let Some((_, what)) = MARKS.iter().find(|(mark, _)| text.starts_with(mark)) {
        return Err(Fault { at: 0, what: (*what).into(), id: None });
    }
    let mut place = None;
    // Read even if it is not UTF-8: the error is to name the id.
    let read = read(text, &mut place);
    let checked = match std::str::from_utf8(text) {
        Err(error) => Err((error.valid_up_to(), Problem::NotUtf8.to_string().into())),
        Ok(_) => read,
    };
    let id = found_id(text, place);
    match checked {
        Ok(()) => id.map_err(|what| Fault { at: 0, what: what.into(), id: None }),
        Err((at, what)) => Err(Fault { at, what, id: id.ok().map(Cow::into_owned) }),
    }
}

/// Reads the record, and says where its last `id` stands, which is the one that Python takes.
fn read(text: &[u8], place: &mut Option<Range<usize>>) -> Result<(), (usize, Cow<'static, str>)> {
    let told = |fault: python_json::Fault| (fault.at, fault.problem.to_string().into());
    let mut reader = Reader::new(text, DEPTH_MAX);
    if reader.kind() != Ok(Kind::Object) {
        return Err((reader.position(), "a JSON object was expected".into()));
    }
    let members = reader.members(
        |name| name == b"id",
        |reader, is_id| {
            reader.kind()?;
            let begin = reader.position();
            reader.skip()?;
            if is_id {
                *place = Some(begin..reader.position());
            }
            Ok(())
        },
    );
    members.and_then(|()| reader.end()).map_err(told)
}

fn found_id(text: &[u8], place: Option<Range<usize>>) -> Result<Cow<'_, str>, &'static str> {
    let raw = place.and_then(|place| text.get(place)).ok_or("it has no `id`")?;
    let raw = std::str::from_utf8(raw).map_err(|_| "its `id` is not UTF-8")?;
    let id = match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        Some(_) => {
            let id = Reader::new(raw.as_bytes(), 0).text(|id| String::from_utf8(id.to_vec()).ok());
            Cow::Owned(id.ok().flatten().ok_or("its `id` is a string that cannot be stored")?)
        }
        None if raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => Cow::Borrowed(raw),
        None => return Err("its `id` is neither a string nor an integer"),
    };
    match id.len() {
        0 => Err("its `id` is empty"),
        1..=ID_BYTES_MAX => Ok(id),
        _ => Err("its `id` is longer than 1,024 bytes"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Result<String, String> {
        record_id(text.as_bytes()).map(Cow::into_owned).map_err(|fault| fault.what.into_owned())
    }

    #[test]
    fn what_python_writes_is_taken() {
        assert_eq!(id(r#"{"id": "a", "x": [NaN, -Infinity, 1180591620717411303424, 1.5e-3]}"#).unwrap(), "a");
        assert_eq!(id(r#"{"x": {"id": "inner"}, "y": "\ud83d half", "id": "o\u0075ter"}"#).unwrap(), "outer");
        assert_eq!(id("{\n  \"id\": 7\n}").unwrap(), "7");
        assert_eq!(id(r#"{"id": "first", "\u0069d": "last"}"#).unwrap(), "last", "as Python reads it");
    }

    #[test]
    fn o3_what_is_no_record_is_refused_with_its_id() {
        for (text, what) in [
            (&b"[1]"[..], "a JSON object was expected"),
            (b"{}", "it has no `id`"),
            (br#"{"id": ""}"#, "its `id` is empty"),
            (br#"{"id": 1.5}"#, "its `id` is neither a string nor an integer"),
            (br#"{"id": "\ud800"}"#, "its `id` is a string that cannot be stored"),
            (br#"{"id": "a"} x"#, "something follows the end of the document"),
            (br#"{"id": "a", "x": 01}"#, "`,` or `}` was expected"),
            (br#"{"id": "a", "x": "\q"}"#, "an escape is unknown"),
            (br#"{"id": "a", "x": "#, "it ends too early"),
            (b"\xef\xbb\xbf{\"id\": 1}", "it begins with a byte order mark (BOM)"),
            (b"\xff\xfe{\0", "it is UTF-16 by its byte order mark (BOM), and not UTF-8"),
        ] {
            let fault = record_id(text).unwrap_err();
            assert_eq!(fault.what, what, "{}", String::from_utf8_lossy(text));
        }
        let fault = record_id(b"{\"id\": \"a\", \"x\": \"\0\"}").unwrap_err();
        assert_eq!((fault.at, fault.id.as_deref()), (18, Some("a")));
        let fault = record_id(b"{\"id\": \"a\", \"x\": \"\xff\"}").unwrap_err();
        assert_eq!((fault.at, &*fault.what, fault.id.as_deref()), (18, "it is not UTF-8", Some("a")));
    }

    #[test]
    fn a_record_cannot_exhaust_the_stack() {
        let deep = format!("{{\"id\": \"a\", \"x\": {}", "[".repeat(1_000_000));
        assert_eq!(id(&deep), Err("it is nested deeper than 500 levels".to_owned()));
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
