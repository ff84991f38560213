//! Tests of the pickle reader and writer: what is refused, and that any value comes back.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::error::DictError;
use crate::store::{DictStore, TableOptions};
use crate::value::{BigInt, Record, Text, Value};

fn written(store: &DictStore) -> Vec<u8> {
    let mut out = Vec::new();
    let done = encode(&store.snapshot(), &mut |chunk| {
        out.extend_from_slice(&chunk);
        ControlFlow::Continue(())
    });
    assert!(done.unwrap().is_continue());
    out
}

fn store_of(value: Value) -> DictStore {
    let store = DictStore::new();
    store.create_table("t", TableOptions::new()).unwrap();
    store.insert("t", Record::new().with("v", value)).unwrap();
    store
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-70_000_i64..70_000).prop_map(Value::Int),
        any::<i128>().prop_map(crate::store::integer),
        any::<f64>().prop_filter("NaN equals nothing", |value| !value.is_nan()).prop_map(Value::Float),
        ".{0,300}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Bytes(bytes.into())),
        Just(Value::Text(Text::from_bytes(b"\xED\xA0\x80").unwrap())),
        Just(Value::Big(BigInt::parse(&"7".repeat(1_000)).unwrap())),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        let items = || proptest::collection::vec(inner.clone(), 0..5).prop_map(Vec::into_boxed_slice);
        prop_oneof![
            items().prop_map(Value::List),
            items().prop_map(Value::Tuple),
            items().prop_map(Value::Set),
            items().prop_map(Value::FrozenSet),
            proptest::collection::vec((".{0,5}", inner.clone()), 0..5)
                .prop_map(|fields| fields.into_iter().collect::<Record>().into()),
            (any::<i64>(), inner).prop_map(|(key, value)| Value::Pairs([(key.into(), value)].into())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_comes_back(value in value()) {
        let bytes = written(&store_of(value.clone()));
        let tables = decode("f", &bytes, true).unwrap();
        prop_assert_eq!(tables[0].records[0].1.get("v"), Some(&value));
        // Cut off anywhere it is damaged, and nothing else.
        let cut = bytes.len() / 2;
        let torn = decode("f", &bytes[..cut], false);
        let refused = matches!(torn, Err(DictError::Damaged { .. } | DictError::Refused { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode("f", &bytes, false);
    }

    #[test]
    fn damaged_files_are_read_or_refused(at in 0_usize..1_402, byte: u8) {
        let mut bytes = include_bytes!("../../../tests/fixtures/full/full.pickle").to_vec();
        bytes[at] = byte;
        let _ = decode("f", &bytes, false);
    }
}

fn refusal(bytes: &[u8]) -> String {
    match decode("f", bytes, false).unwrap_err() {
        DictError::Refused { what, .. } | DictError::Damaged { what, .. } => what,
        other => panic!("{other}"),
    }
}

/// A database whose one record holds what `value` leaves on the stack.
fn around(value: &[u8]) -> Vec<u8> {
    let bytes = written(&store_of("HERE".into()));
    let at = bytes.windows(6).position(|window| window == b"\x8c\x04HERE").unwrap();
    [&bytes[..at], value, &bytes[at + 6..]].concat()
}

#[test]
fn t8_what_would_run_code_is_refused() {
    for evil in [
        &b"cos\nsystem\n(S'true'\ntR."[..],
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
        b"\x80\x02c__builtin__\neval\n.",
        b"\x80\x04\x8c\x08builtins\x8c\x03int\x93\x8c\x015\x85R.",
    ] {
        let what = refusal(evil);
        assert!(what.contains("neither a DictDB class") || what.contains("not supported"), "{what}");
    }
    // Types where values should be.
    assert!(refusal(&around(b"\x8c\x08builtins\x8c\x03int\x93")).contains("class"));
}

#[test]
fn t8_depth_size_and_sharing_are_bounded() {
    let mut deep = vec![b']'; 100_000];
    deep.extend(vec![b'a'; 99_999]);
    assert!(refusal(&around(&deep)).contains("deeper"));
    for length in [&b"X\xff\xff\xff\xff"[..], b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", b"\x8b\xff\xff\xff\x7f"] {
        assert!(refusal(&around(length)).contains("too early"));
    }
    // A list that holds itself, and one that holds the one before it twice, forty times over.
    assert!(refusal(&around(b"]\x94h\x02a")).len() > 3);
    let mut laughs = b"]r\x00\x01\x00\x00".to_vec();
    for level in 0..40_u8 {
        laughs.extend([b']', b'r', level + 1, 1, 0, 0, b'(', b'j', level, 1, 0, 0, b'j', level, 1, 0, 0, b'e']);
    }
    let what = refusal(&around(&[&b"("[..], &laughs, b"l"].concat()));
    assert!(what.contains("grow") || what.contains("damaged"), "{what}");
    assert!(refusal(b"r\xff\xff\xff\x7f.").len() > 3);
}

#[test]
fn a_large_file_is_the_same_however_it_is_read() {
    let store = DictStore::new();
    for table in ["a", "b"] {
        store.create_table(table, TableOptions::new().primary_key("key")).unwrap();
        let record = |n: i64| Record::new().with("key", format!("k{n}")).with("v", n).with("text", "x".repeat(20));
        store.insert_many(table, (0..20_500).map(record).collect()).unwrap();
    }
    let back = |store: &DictStore| {
        let bytes = written(store);
        let tables = decode("f", &bytes, true).unwrap();
        let built: Vec<bool> = tables.iter().map(|table| table.built.is_some()).collect();
        let loader = crate::load::Loader::full("f", tables, None, crate::Semantics::Exact).unwrap();
        let (loaded, _) = loader.finish(None);
        assert!(crate::diff::diff(store, &loaded).is_empty());
        built
    };
    assert_eq!(back(&store), [true, true]);
    // A record that is no plain one, behind thousands that were: read again without building rows.
    store.insert("b", Record::new().with("key", "list").with("v", vec![Value::Null])).unwrap();
    assert_eq!(back(&store), [false, false]);
    // A key twice is told as in small files.
    let mut bytes = written(&store);
    let at = bytes.windows(2).position(|window| window == b"k7").unwrap();
    bytes[at + 1] = b'8';
    let tables = decode("f", &bytes, true).unwrap();
    let error = crate::load::Loader::full("f", tables, None, crate::Semantics::Exact).unwrap_err();
    assert!(error.to_string().contains("two records"), "{error}");
}

#[test]
fn a_record_that_stands_elsewhere_too_is_read_again_without_rows() {
    let store = DictStore::new();
    store.create_table("t", TableOptions::new()).unwrap();
    let records = |number: i64| Record::new().with("id", number).with("v", "x".repeat(250));
    store.insert_many("t", (0..2_000).map(records).collect()).unwrap();
    let mut bytes = written(&store);
    let built = |bytes: &[u8]| {
        let tables = decode("f", bytes, true).unwrap();
        let built = tables[0].built.is_some();
        let loader = crate::load::Loader::full("f", tables, None, crate::Semantics::Exact).unwrap();
        assert!(crate::diff::diff(&store, &loader.finish(None).0).is_empty());
        built
    };
    assert!(built(&bytes));
    // Remembers one record, at a place behind all that are used.
    let record = bytes.windows(2).enumerate().filter(|(_, window)| window == b"}(").nth(700).unwrap().0;
    bytes.splice(record + 1..=record, *b"q\xf0");
    assert!(built(&bytes));
    // And has it stand where the table's counter was, which is not read.
    let counter = bytes.windows(8).rposition(|window| window == b"_next_pk").unwrap() + 8;
    bytes.splice(counter..bytes.iter().rposition(|byte| *byte == b'u').unwrap(), *b"h\xf0");
    let end = &bytes[counter..];
    assert!(end.starts_with(b"h\xf0ub"), "{end:?}");
    assert!(!built(&bytes));
}

#[test]
fn a_dictionary_set_in_several_steps_is_whole() {
    let field = |bytes: &[u8]| decode("f", &around(bytes), true).unwrap()[0].records[0].1.get("v").cloned();
    let record = |fields: &[(&str, i64)]| Some(Value::from(fields.iter().copied().collect::<Record>()));
    let (a, b, c) = (&b"\x8c\x01aK\x01"[..], &b"\x8c\x01bK\x02"[..], &b"\x8c\x01aK\x03"[..]);
    assert_eq!(field(&[b"}(", a, b"u(", b, c, b"u"].concat()), record(&[("a", 3), ("b", 2)]));
    assert_eq!(field(&[b"}\x94(", a, b, b"u", c, b"s"].concat()), record(&[("a", 3), ("b", 2)]));
    assert_eq!(field(&[b"}(", c, b, a, b"u"].concat()), record(&[("a", 1), ("b", 2)]));
    assert_eq!(field(b"}(u"), record(&[]));
    assert!(refusal(&around(b"}(\x8c\x01au")).contains("without a value"));
}
