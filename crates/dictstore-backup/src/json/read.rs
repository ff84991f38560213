//! Builds values from JSON as `json.load` does.

use python_json::{Kind, Word};

use crate::value::{BIG_INT_DIGITS_MAX, BigInt, Record, Text, Value};

pub(crate) use python_json::Reader;

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

impl From<python_json::Fault> for Fault {
    fn from(fault: python_json::Fault) -> Self {
        Self { at: fault.at, what: fault.problem.to_string() }
    }
}

pub(crate) type Read<T> = Result<T, Fault>;

/// Reads one document, and nothing after it.
pub(crate) fn document(bytes: &[u8]) -> Read<Value> {
    document_of(bytes, value)
}

/// Reads one document as `read` does, and nothing after it.
pub(crate) fn document_of<'b, T>(bytes: &'b [u8], read: impl FnOnce(&mut Reader<'b>) -> Read<T>) -> Read<T> {
    python_json::document(bytes, DEPTH_MAX, read)
}

/// The document is one, of something else than was expected just before here.
pub(crate) fn misfit<T>(reader: &Reader<'_>, what: impl Into<String>) -> Read<T> {
    Err(Fault { at: reader.position(), what: what.into() })
}

/// Whether something of this kind stands here.
pub(crate) fn stands(reader: &mut Reader<'_>, kind: Kind) -> bool {
    reader.kind() == Ok(kind)
}

/// Reads a value.
pub(crate) fn value(reader: &mut Reader<'_>) -> Read<Value> {
    match reader.kind()? {
        Kind::Text => {
            let at = reader.position() + 1;
            text(at, reader.text(Text::from_bytes)?).map(Value::Text)
        }
        Kind::Object => Ok(record(reader)?.into()),
        Kind::List => {
            let mut items = Vec::new();
            reader.items(|reader| {
                items.push(value(reader)?);
                Ok::<(), Fault>(())
            })?;
            Ok(Value::List(items.into()))
        }
        Kind::Number => number(reader),
        Kind::Word => Ok(match reader.word()? {
            Word::Null => Value::Null,
            Word::True => Value::Bool(true),
            Word::False => Value::Bool(false),
            Word::NaN => Value::Float(f64::NAN),
            Word::Infinity => Value::Float(f64::INFINITY),
            Word::NegativeInfinity => Value::Float(f64::NEG_INFINITY),
        }),
    }
}

/// Reads an object.
pub(crate) fn record(reader: &mut Reader<'_>) -> Read<Record> {
    let mut fields = Vec::with_capacity(reader.members_before().min(64));
    members(reader, |reader, name| {
        fields.push((name, value(reader)?));
        Ok(())
    })?;
    Ok(Record::from_fields(fields))
}

/// Reads an object member by member.
pub(crate) fn members<'b>(
    reader: &mut Reader<'b>,
    mut each: impl FnMut(&mut Reader<'b>, Text) -> Read<()>,
) -> Read<()> {
    reader.members(Text::from_bytes, |reader, name| {
        let name = text(reader.position(), name)?;
        each(reader, name)
    })
}

fn text(at: usize, text: Option<Text>) -> Read<Text> {
    text.ok_or_else(|| Fault { at, what: "a string is not UTF-8".to_owned() })
}

fn number(reader: &mut Reader<'_>) -> Read<Value> {
    let at = reader.position();
    let number = reader.number()?;
    let fault = |what: String| Err(Fault { at, what });
    if !number.is_integer {
        return number.text.parse().map(Value::Float).or_else(|_| fault("a number was expected".to_owned()));
    }
    if let Ok(value) = number.text.parse() {
        return Ok(Value::Int(value));
    }
    match BigInt::parse(number.text) {
        Some(value) => Ok(Value::Big(value)),
        None => fault(format!("an integer has more than {BIG_INT_DIGITS_MAX} digits")),
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
