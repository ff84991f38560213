//! Writes protocol 4, as `DictDB.load` of Python 3.4 and later reads it. Frames are optional there, and left out.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::opcode as op;
use super::{DATABASE, TABLE};
use crate::error::DictResult;
use crate::format::full::{CHUNK_BYTES, Encoded};
use crate::source::{Cut, TableHead};
use crate::store::integer;
use crate::value::{BigInt, Key, Record, Text, Value};

/// Entries of a dictionary set at a time, as Python's own pickler does: it bounds the reader's stack.
const BATCH: usize = 1_000;

/// Field names remembered and not repeated. More than any table has; bounds memory where records use names as data.
const NAMES_MAX: usize = 4_096;

/// Encodes everything in chunks, until `emit` has enough.
///
/// # Errors
/// None: pickle can say every value.
pub(crate) fn encode(cut: &dyn Cut, emit: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>) -> Encoded {
    let mut writer = Writer { out: Vec::with_capacity(CHUNK_BYTES * 2), memo: 0, names: HashMap::new(), table: None };
    writer.database(cut, emit)
}

struct Writer {
    out: Vec<u8>,
    /// Places taken in the reader's memo.
    memo: u32,
    names: HashMap<Text, u32>,
    /// Place of the tables' class.
    table: Option<u32>,
}

impl Writer {
    fn database(&mut self, cut: &dyn Cut, emit: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>) -> Encoded {
        self.out.extend([op::PROTO, 4]);
        self.class(DATABASE);
        self.out.extend([op::EMPTY_TUPLE, op::NEWOBJ, op::EMPTY_DICT]);
        self.text("tables");
        self.out.push(op::EMPTY_DICT);
        for (number, head) in cut.tables().iter().enumerate() {
            self.value(&Value::Text(head.name.clone()));
            if self.table(cut, number, head, emit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.out.push(op::SETITEM);
        }
        self.out.extend([op::SETITEM, op::BUILD, op::STOP]);
        Ok(emit(std::mem::take(&mut self.out)))
    }

    fn table(
        &mut self,
        cut: &dyn Cut,
        number: usize,
        head: &TableHead,
        emit: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>,
    ) -> DictResult<ControlFlow<()>> {
        match self.table {
            Some(place) => self.recall(place),
            None => {
                self.class(TABLE);
                self.table = Some(self.memoize());
            }
        }
        self.out.extend([op::EMPTY_TUPLE, op::NEWOBJ, op::EMPTY_DICT, op::MARK]);
        self.text("table_name");
        self.value(&Value::Text(head.name.clone()));
        self.text("primary_key");
        self.value(&Value::Text(head.primary_key.clone()));
        self.text("records");
        self.out.push(op::EMPTY_DICT);
        if self.records(cut, number, emit).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        self.text("schema");
        match &head.schema {
            None => self.out.push(op::NONE),
            Some(schema) => {
                self.out.extend([op::EMPTY_DICT, op::MARK]);
                for (name, kind) in schema.iter() {
                    self.value(&Value::Text(name.clone()));
                    self.class(("builtins", kind.name()));
                }
                self.out.push(op::SETITEMS);
            }
        }
        self.text("_next_pk");
        self.value(&integer(head.next_key));
        self.out.extend([op::SETITEMS, op::BUILD]);
        Ok(ControlFlow::Continue(()))
    }

    fn records(
        &mut self,
        cut: &dyn Cut,
        number: usize,
        emit: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (mut batch, mut flow) = (0, ControlFlow::Continue(()));
        cut.rows(number, &mut |key: &Key, record: &Record| {
            if batch == 0 {
                self.out.push(op::MARK);
            }
            self.value(key.value());
            self.record(record);
            batch += 1;
            if batch == BATCH {
                self.out.push(op::SETITEMS);
                batch = 0;
                if self.out.len() >= CHUNK_BYTES {
                    flow = emit(std::mem::replace(&mut self.out, Vec::with_capacity(CHUNK_BYTES * 2)));
                }
            }
            flow
        });
        if batch > 0 {
            self.out.push(op::SETITEMS);
        }
        flow
    }

    fn record(&mut self, record: &Record) {
        self.out.push(op::EMPTY_DICT);
        if record.is_empty() {
            return;
        }
        self.out.push(op::MARK);
        for (name, value) in record.iter() {
            self.name(name);
            self.value(value);
        }
        self.out.push(op::SETITEMS);
    }

    /// A field name: in full the first time, then by its place in the memo.
    fn name(&mut self, name: &Text) {
        if let Some(place) = self.names.get(name) {
            self.recall(*place);
            return;
        }
        self.bytes_of_text(name.as_bytes());
        if self.names.len() < NAMES_MAX {
            let place = self.memoize();
            self.names.insert(name.clone(), place);
        }
    }

    fn memoize(&mut self) -> u32 {
        self.out.push(op::MEMOIZE);
        self.memo += 1;
        self.memo - 1
    }

    fn recall(&mut self, place: u32) {
        match u8::try_from(place) {
            Ok(place) => self.out.extend([op::BINGET, place]),
            Err(_) => {
                self.out.push(op::LONG_BINGET);
                self.out.extend(place.to_le_bytes());
            }
        }
    }

    fn class(&mut self, (module, name): (&str, &str)) {
        self.text(module);
        self.text(name);
        self.out.push(op::STACK_GLOBAL);
    }

    fn text(&mut self, text: &str) {
        self.bytes_of_text(text.as_bytes());
    }

    fn bytes_of_text(&mut self, bytes: &[u8]) {
        self.sized([op::SHORT_BINUNICODE, op::BINUNICODE, op::BINUNICODE8], bytes);
    }

    /// Bytes after their length, in the shortest of the three forms.
    fn sized(&mut self, [short, medium, long]: [u8; 3], bytes: &[u8]) {
        let length = bytes.len();
        if let Ok(length) = u8::try_from(length) {
            self.out.extend([short, length]);
        } else if let Ok(length) = u32::try_from(length) {
            self.out.push(medium);
            self.out.extend(length.to_le_bytes());
        } else {
            self.out.push(long);
            self.out.extend((length as u64).to_le_bytes());
        }
        self.out.extend_from_slice(bytes);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.push(op::NONE),
            Value::Bool(value) => self.out.push(if *value { op::NEWTRUE } else { op::NEWFALSE }),
            Value::Int(value) => self.int(*value),
            Value::Big(value) => self.big(value),
            Value::Float(value) => {
                self.out.push(op::BINFLOAT);
                self.out.extend(value.to_be_bytes());
            }
            Value::Text(text) => self.bytes_of_text(text.as_bytes()),
            Value::Bytes(bytes) => self.sized([op::SHORT_BINBYTES, op::BINBYTES, op::BINBYTES8], bytes),
            Value::List(items) => self.items(Some(op::EMPTY_LIST), items, op::APPENDS),
            Value::Set(items) => self.items(Some(op::EMPTY_SET), items, op::ADDITEMS),
            Value::FrozenSet(items) => self.items(None, items, op::FROZENSET),
            Value::Tuple(items) if items.is_empty() => self.out.push(op::EMPTY_TUPLE),
            Value::Tuple(items) => self.items(None, items, op::TUPLE),
            Value::Dict(record) => self.record(record),
            Value::Pairs(pairs) => {
                self.out.extend([op::EMPTY_DICT, op::MARK]);
                for (name, value) in pairs {
                    self.value(name);
                    self.value(value);
                }
                self.out.push(op::SETITEMS);
            }
        }
    }

    fn items(&mut self, empty: Option<u8>, items: &[Value], end: u8) {
        self.out.extend(empty);
        if items.is_empty() && empty.is_some() {
            return;
        }
        self.out.push(op::MARK);
        items.iter().for_each(|item| self.value(item));
        self.out.push(end);
    }

    fn int(&mut self, value: i64) {
        if let Ok(value) = u8::try_from(value) {
            self.out.extend([op::BININT1, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.out.push(op::BININT2);
            self.out.extend(value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.out.push(op::BININT);
            self.out.extend(value.to_le_bytes());
        } else {
            self.out.extend([op::LONG1, 8]);
            self.out.extend(value.to_le_bytes());
        }
    }

    fn big(&mut self, value: &BigInt) {
        let bytes = value.to_le_bytes();
        match u8::try_from(bytes.len()) {
            Ok(length) => self.out.extend([op::LONG1, length]),
            Err(_) => {
                self.out.push(op::LONG4);
                // At most 4,300 digits.
                self.out.extend((bytes.len() as u32).to_le_bytes());
            }
        }
        self.out.extend_from_slice(&bytes);
    }
}
