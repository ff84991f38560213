//! What is read, what is refused, and where.

use proptest::prelude::*;

use super::*;

const LEVELS_MAX: usize = 20;

/// Whether Python reads it, and what is wrong if not.
fn skip(bytes: &[u8]) -> Result<(), Fault> {
    document(bytes, LEVELS_MAX, Reader::skip)
}

#[test]
fn what_python_writes_is_read() {
    for text in [
        "null",
        " [ true, false,\tNaN, Infinity, -Infinity ]\r\n",
        "[0, -9223372036854775808, 1180591620717411303424, -0.0, 1e-07, 1E+16, 5e-324]",
        r#"{"a": {"b": [[], {}, {"c": ""}]}, "\u00e9": "\ud83d\ude00 \ud800 \" \\ \/ \b\f\n\r\t"}"#,
    ] {
        assert_eq!(skip(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    use Problem::*;
    let deep = "[".repeat(100_000);
    for (text, at, problem) in [
        ("", 0, EndsEarly),
        ("[1, 2", 5, EndsEarly),
        (r#"{"a": tru"#, 9, EndsEarly),
        (r#"{"a": "b"#, 8, EndsEarly),
        (r#"["\ud8"#, 6, EndsEarly),
        (r#"["\"#, 3, EndsEarly),
        ("[1 2]", 3, NoEnd(']')),
        (r#"{"a": 1]"#, 7, NoEnd('}')),
        ("{a: 1}", 1, NoName),
        (r#"{"a" 1}"#, 5, NoColon),
        ("[01]", 2, NoEnd(']')),
        ("[1.]", 2, NoEnd(']')),
        ("[1e]", 2, NoEnd(']')),
        ("[-x]", 2, NoDigit),
        ("[1,]", 3, NoValue),
        ("nul]", 0, NoValue),
        ("\"\n\"", 1, ControlCharacter),
        (r#""\x""#, 1, UnknownEscape),
        (r#""\u12g4""#, 1, InvalidEscape),
        ("1 2", 2, Trailing),
        (&deep, LEVELS_MAX, TooDeep(LEVELS_MAX)),
    ] {
        assert_eq!(skip(text.as_bytes()), Err(Fault { at, problem }), "{text:.20}");
    }
    assert_eq!(skip(b"\"\xED\xA0\x80\xFF\""), Err(Fault { at: 1, problem: NotUtf8 }));
}

#[test]
fn steps_read_what_they_are_named_for_and_nothing_else() {
    let names = document(br#"{"a": 1, "\u0062": [2, {"c": null}], "a": "x\ny"}"#, LEVELS_MAX, |reader| {
        let mut seen = Vec::new();
        reader.members(
            |name| String::from_utf8(name.to_vec()).unwrap(),
            |reader, name| {
                let value = match reader.kind()? {
                    Kind::Number => reader.number()?.text.to_owned(),
                    Kind::Text => reader.text(|text| String::from_utf8(text.to_vec()).unwrap())?,
                    kind => {
                        reader.skip()?;
                        format!("{kind:?}")
                    }
                };
                seen.push(format!("{name}={value}"));
                Ok::<(), Fault>(())
            },
        )?;
        assert_eq!(reader.members_before(), 3);
        Ok::<_, Fault>(seen)
    });
    assert_eq!(names.unwrap(), ["a=1", "b=List", "a=x\ny"]);
    let reader = || Reader::new(b"1", 1);
    assert_eq!(reader().text(|_| ()).unwrap_err().problem, Problem::NoText);
    assert_eq!(reader().items(Reader::skip).unwrap_err().problem, Problem::NoBracket('['));
    assert_eq!(reader().word().unwrap_err().problem, Problem::NoValue);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = skip(&bytes);
        let _ = Reader::new(&bytes, LEVELS_MAX).skip();
    }

    #[test]
    fn near_documents_are_read_or_refused(text in r#"[\[\]{}",:0-9eE.+\-\\utrfalsn NIi]{0,60}"#) {
        let _ = skip(text.as_bytes());
    }

    /// What is written is read back, and is ASCII.
    #[test]
    fn texts_come_back(text in "\\PC{0,20}|[\\x00-\\x7F]{0,20}") {
        let mut out = Vec::new();
        crate::write::text(&mut out, text.as_bytes());
        prop_assert!(out.is_ascii());
        let back = document(&out, 1, |reader| reader.text(<[u8]>::to_vec));
        prop_assert_eq!(back.unwrap(), text.into_bytes());
    }
}
