//! The stack machine: builds a graph of plain values and of the two classes, flat in memory, without recursion.

use super::opcode as op;
use super::{DATABASE, TABLE};
use crate::schema::FieldType;
use crate::value::{BigInt, Text, Value};

/// Place of an object in the graph.
pub(super) type Id = u32;

/// Something on the stack.
#[derive(Debug)]
pub(super) enum Object {
    Scalar(Value),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Tuple(Box<[Id]>),
    Set(Vec<Id>),
    FrozenSet(Box<[Id]>),
    Class(Class),
    /// An instance, and its state once it was built.
    Instance(Class, Option<Id>),
}

/// The classes and functions that may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Database,
    Table,
    /// A type, as schemas name them.
    Type(Option<FieldType>),
    Set,
    FrozenSet,
    /// How protocols 0 and 1 make instances.
    Reconstructor,
    Plain,
    /// How protocols 0 to 2 say bytes.
    Encode,
}

/// Why a file is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not whole, or no pickle.
    Damaged(String),
    /// It is one, of something we do not read.
    Refused(String),
}

type Step<T = ()> = Result<T, Fault>;

pub(super) struct Machine<'b> {
    bytes: &'b [u8],
    at: usize,
    /// Only what DictDB's own loader admits.
    strict: bool,
    pub(super) objects: Vec<Object>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
}

impl<'b> Machine<'b> {
    pub(super) fn new(bytes: &'b [u8], strict: bool) -> Self {
        let (objects, stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { bytes, at: 0, strict, objects, stack, marks, memo }
    }

    /// Runs to the end; returns what is left on the stack.
    pub(super) fn run(&mut self) -> Step<Id> {
        loop {
            let code = self.byte()?;
            if code == op::STOP {
                return self.pop();
            }
            self.step(code)?;
        }
    }

    pub(super) fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    fn damaged<T>(&self, what: &str) -> Step<T> {
        Err(Fault::Damaged(format!("{what} at byte {}", self.at)))
    }

    fn step(&mut self, code: u8) -> Step {
        match code {
            op::PROTO => match self.byte()? {
                0..=5 => Ok(()),
                other => Err(Fault::Refused(format!("it is of protocol {other}; 0 to 5 are read"))),
            },
            op::FRAME => self.take(8).map(drop),
            op::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
                Ok(())
            }
            op::POP => self.pop().map(drop),
            op::POP_MARK => self.since_mark().map(drop),
            op::DUP => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            op::PUT | op::BINPUT | op::LONG_BINPUT | op::MEMOIZE | op::GET | op::BINGET | op::LONG_BINGET => {
                self.memory(code)
            }
            op::GLOBAL | op::STACK_GLOBAL | op::REDUCE | op::BUILD | op::NEWOBJ => self.class(code),
            op::EMPTY_LIST
            | op::APPEND
            | op::APPENDS
            | op::LIST
            | op::EMPTY_DICT
            | op::DICT
            | op::SETITEM
            | op::SETITEMS
            | op::EMPTY_SET
            | op::ADDITEMS
            | op::FROZENSET => self.container(code),
            op::EMPTY_TUPLE | op::TUPLE | op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => self.tuple(code),
            _ => {
                let value = self.scalar(code)?;
                self.push(Object::Scalar(value))
            }
        }
    }

    fn scalar(&mut self, code: u8) -> Step<Value> {
        Ok(match code {
            op::NONE => Value::Null,
            op::NEWTRUE => Value::Bool(true),
            op::NEWFALSE => Value::Bool(false),
            op::BININT1 => Value::Int(self.byte()?.into()),
            op::BININT2 => Value::Int(u16::from_le_bytes(self.array()?).into()),
            op::BININT => Value::Int(i32::from_le_bytes(self.array()?).into()),
            op::LONG1 => {
                let length = self.byte()?.into();
                self.long(length)?
            }
            op::LONG4 => {
                let length = self.length4()?;
                self.long(length)?
            }
            op::BINFLOAT => Value::Float(f64::from_be_bytes(self.array()?)),
            op::INT | op::LONG | op::FLOAT => self.decimal(code)?,
            op::UNICODE => {
                let line = self.line()?;
                match raw_unicode(line).and_then(|bytes| Text::from_bytes(&bytes)) {
                    Some(text) => Value::Text(text),
                    None => return self.damaged("a text is damaged"),
                }
            }
            op::SHORT_BINUNICODE => {
                let length = self.byte()?.into();
                self.text(length)?
            }
            op::BINUNICODE => {
                let length = self.length4()?;
                self.text(length)?
            }
            op::BINUNICODE8 => {
                let length = self.length8()?;
                self.text(length)?
            }
            op::SHORT_BINBYTES => {
                let length = self.byte()?.into();
                Value::Bytes(self.take(length)?.into())
            }
            op::BINBYTES => {
                let length = self.length4()?;
                Value::Bytes(self.take(length)?.into())
            }
            op::BINBYTES8 => {
                let length = self.length8()?;
                Value::Bytes(self.take(length)?.into())
            }
            other => {
                return Err(Fault::Refused(format!("the opcode {other:#04x} at byte {} is not read", self.at - 1)));
            }
        })
    }

    fn decimal(&mut self, code: u8) -> Step<Value> {
        let line = std::str::from_utf8(self.line()?).unwrap_or_default();
        let value = match (code, line) {
            (op::INT, "00") => Some(Value::Bool(false)),
            (op::INT, "01") => Some(Value::Bool(true)),
            (op::FLOAT, text) => text.parse().ok().map(Value::Float),
            (_, text) => {
                let digits = text.strip_suffix('L').unwrap_or(text);
                digits.parse().ok().map(Value::Int).or_else(|| BigInt::parse(digits).map(Value::Big))
            }
        };
        value.map_or_else(|| self.damaged("a number is damaged"), Ok)
    }

    fn long(&mut self, length: usize) -> Step<Value> {
        let bytes = self.take(length)?;
        if let Some(last) = bytes.last().filter(|_| length <= 8) {
            let mut whole = [if last & 0x80 == 0 { 0 } else { 0xFF }; 8];
            whole[..length].copy_from_slice(bytes);
            return Ok(Value::Int(i64::from_le_bytes(whole)));
        }
        match BigInt::from_le_bytes(bytes) {
            Some(value) if value.as_str() == "0" => Ok(Value::Int(0)),
            Some(value) => Ok(value.as_str().parse().map_or(Value::Big(value), Value::Int)),
            None => Err(Fault::Refused(format!("an integer has {length} bytes"))),
        }
    }

    fn text(&mut self, length: usize) -> Step<Value> {
        match Text::from_bytes(self.take(length)?) {
            Some(text) => Ok(Value::Text(text)),
            None => self.damaged("a text is not UTF-8"),
        }
    }

    fn memory(&mut self, code: u8) -> Step {
        let place = match code {
            op::MEMOIZE => self.memo.len(),
            op::BINPUT | op::BINGET => self.byte()?.into(),
            op::LONG_BINPUT | op::LONG_BINGET => self.length4()?,
            _ => {
                let line = std::str::from_utf8(self.line()?).unwrap_or_default();
                match line.parse() {
                    Ok(place) => place,
                    Err(_) => return self.damaged("a number is damaged"),
                }
            }
        };
        if matches!(code, op::GET | op::BINGET | op::LONG_BINGET) {
            let Some(Some(id)) = self.memo.get(place).copied() else { return self.damaged("nothing was remembered") };
            self.stack.push(id);
            return Ok(());
        }
        // Every place costs at least a byte of the file, or the memo could be made to outgrow it.
        if place > self.bytes.len() {
            return self.damaged("a number is damaged");
        }
        if place >= self.memo.len() {
            self.memo.resize(place + 1, None);
        }
        self.memo[place] = Some(self.top()?);
        Ok(())
    }

    fn tuple(&mut self, code: u8) -> Step {
        let count = match code {
            op::EMPTY_TUPLE => 0,
            op::TUPLE1 => 1,
            op::TUPLE2 => 2,
            op::TUPLE3 => 3,
            _ => {
                let items = self.since_mark()?;
                return self.push(Object::Tuple(items.into()));
            }
        };
        let begin = self.stack.len().checked_sub(count).filter(|begin| *begin >= self.floor());
        let Some(begin) = begin else { return self.damaged("the stack is empty") };
        let items = self.stack.split_off(begin);
        self.push(Object::Tuple(items.into()))
    }

    fn container(&mut self, code: u8) -> Step {
        match code {
            op::EMPTY_LIST => self.push(Object::List(Vec::new())),
            op::EMPTY_DICT => self.push(Object::Dict(Vec::new())),
            op::EMPTY_SET => self.push(Object::Set(Vec::new())),
            op::LIST => {
                let items = self.since_mark()?;
                self.push(Object::List(items))
            }
            op::FROZENSET => {
                let items = self.since_mark()?;
                self.push(Object::FrozenSet(items.into()))
            }
            op::DICT => {
                let items = self.since_mark()?;
                let pairs = self.pairs(&items)?;
                self.push(Object::Dict(pairs))
            }
            op::APPEND => {
                let item = self.pop()?;
                self.extend(&[item])
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.since_mark()?;
                self.extend(&items)
            }
            _ => {
                let items = match code {
                    op::SETITEM => {
                        let value = self.pop()?;
                        vec![self.pop()?, value]
                    }
                    _ => self.since_mark()?,
                };
                let pairs = self.pairs(&items)?;
                let top = self.top()?;
                match &mut self.objects[top as usize] {
                    Object::Dict(known) => {
                        known.extend(pairs);
                        Ok(())
                    }
                    _ => self.damaged("a dictionary was expected"),
                }
            }
        }
    }

    fn extend(&mut self, items: &[Id]) -> Step {
        let top = self.top()?;
        match &mut self.objects[top as usize] {
            Object::List(known) | Object::Set(known) => {
                known.extend_from_slice(items);
                Ok(())
            }
            _ => self.damaged("a list or set was expected"),
        }
    }

    fn pairs(&self, items: &[Id]) -> Step<Vec<(Id, Id)>> {
        if items.len() % 2 == 1 {
            return self.damaged("a dictionary has a key without a value");
        }
        Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    fn class(&mut self, code: u8) -> Step {
        match code {
            op::GLOBAL => {
                let module = self.line()?;
                let name = self.line()?;
                let class = self.find(&String::from_utf8_lossy(module), &String::from_utf8_lossy(name))?;
                self.push(Object::Class(class))
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.object(module), self.object(name)) {
                    (Object::Scalar(Value::Text(module)), Object::Scalar(Value::Text(name))) => {
                        let class = self.find(&module.to_string(), &name.to_string())?;
                        self.push(Object::Class(class))
                    }
                    _ => self.damaged("a name was expected"),
                }
            }
            op::NEWOBJ => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                match (self.object(class), self.object(arguments)) {
                    (Object::Class(class @ (Class::Database | Class::Table)), Object::Tuple(given))
                        if given.is_empty() =>
                    {
                        let class = *class;
                        self.push(Object::Instance(class, None))
                    }
                    _ => {
                        Err(Fault::Refused(format!("an object at byte {} is made in a way that is not read", self.at)))
                    }
                }
            }
            op::REDUCE => self.reduce(),
            _ => {
                let (state, instance) = (self.pop()?, self.top()?);
                match &mut self.objects[instance as usize] {
                    Object::Instance(_, known @ None) => {
                        *known = Some(state);
                        Ok(())
                    }
                    _ => self.damaged("an object without a state was expected"),
                }
            }
        }
    }

    /// Calls nothing: knows what the few calls that plain values need would make.
    fn reduce(&mut self) -> Step {
        let (arguments, class) = (self.pop()?, self.pop()?);
        let refused = Fault::Refused(format!("a call at byte {} is not read", self.at));
        let (Object::Class(class), Object::Tuple(given)) = (self.object(class), self.object(arguments)) else {
            return Err(refused);
        };
        let made = match (class, &given[..]) {
            (Class::Reconstructor, [class, base, _]) => match (self.object(*class), self.object(*base)) {
                (Object::Class(class @ (Class::Database | Class::Table)), Object::Class(Class::Plain)) => {
                    Object::Instance(*class, None)
                }
                _ => return Err(refused),
            },
            (Class::Set, []) => Object::Set(Vec::new()),
            (Class::Set, [items]) => match self.object(*items) {
                Object::List(items) => Object::Set(items.clone()),
                _ => return Err(refused),
            },
            (Class::FrozenSet, [items]) => match self.object(*items) {
                Object::List(items) => Object::FrozenSet(items.clone().into()),
                _ => return Err(refused),
            },
            (Class::Encode, [text, ..]) => match self.object(*text) {
                Object::Scalar(Value::Text(text)) => match latin1(text) {
                    Some(bytes) => Object::Scalar(Value::Bytes(bytes)),
                    None => return Err(refused),
                },
                _ => return Err(refused),
            },
            _ => return Err(refused),
        };
        self.push(made)
    }

    fn find(&self, module: &str, name: &str) -> Step<Class> {
        let old = !self.strict;
        let class = match (module, name) {
            DATABASE => Some(Class::Database),
            TABLE => Some(Class::Table),
            ("builtins", "set") => Some(Class::Set),
            ("builtins", "frozenset") => Some(Class::FrozenSet),
            ("builtins", "tuple" | "bytes" | "type") => Some(Class::Type(None)),
            ("builtins", name) => name.parse().ok().map(|kind| Class::Type(Some(kind))),
            // Protocols 0 to 2 have Python 2's names, which DictDB's own loader refuses.
            ("__builtin__", "long") if old => Some(Class::Type(Some(FieldType::Int))),
            ("__builtin__", "unicode") if old => Some(Class::Type(Some(FieldType::Str))),
            ("__builtin__", "set") if old => Some(Class::Set),
            ("__builtin__", "frozenset") if old => Some(Class::FrozenSet),
            ("__builtin__", "object") if old => Some(Class::Plain),
            ("__builtin__", name) if old => name.parse().ok().map(|kind| Class::Type(Some(kind))),
            ("copy_reg" | "copyreg", "_reconstructor") if old => Some(Class::Reconstructor),
            ("_codecs", "encode") if old => Some(Class::Encode),
            _ => None,
        };
        class.ok_or_else(|| {
            let what = format!("`{}.{}` is no class of DictDB's and no plain value", shown(module), shown(name));
            Fault::Refused(what)
        })
    }

    fn push(&mut self, object: Object) -> Step {
        let id = Id::try_from(self.objects.len()).map_err(|_| Fault::Refused("it holds too many values".to_owned()))?;
        self.objects.push(object);
        self.stack.push(id);
        Ok(())
    }

    /// What lies below the last mark is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<Id> {
        match self.stack.last() {
            Some(id) if self.stack.len() > self.floor() => Ok(*id),
            _ => self.damaged("the stack is empty"),
        }
    }

    fn pop(&mut self) -> Step<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn since_mark(&mut self) -> Step<Vec<Id>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => self.damaged("there is no mark"),
        }
    }

    fn byte(&mut self) -> Step<u8> {
        match self.bytes.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => self.damaged("it ends too early"),
        }
    }

    fn take(&mut self, length: usize) -> Step<&'b [u8]> {
        match self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => self.damaged("it ends too early"),
        }
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn length4(&mut self) -> Step<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn length8(&mut self) -> Step<usize> {
        Ok(usize::try_from(u64::from_le_bytes(self.array()?)).unwrap_or(usize::MAX))
    }

    fn line(&mut self) -> Step<&'b [u8]> {
        match self.bytes[self.at..].iter().position(|byte| *byte == b'\n') {
            Some(length) => {
                let line = self.take(length)?;
                self.at += 1;
                Ok(line)
            }
            None => self.damaged("it ends too early"),
        }
    }
}

/// A name out of a file, short enough for a message.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn latin1(text: &Text) -> Option<Box<[u8]>> {
    text.as_str()?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// Decodes Python's `raw-unicode-escape`: Latin-1, with `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let [byte, after @ ..] = rest {
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        if digits == 0 {
            push_code(&mut out, (*byte).into());
            rest = after;
            continue;
        }
        let hex = std::str::from_utf8(after.get(1..=digits)?).ok()?;
        push_code(&mut out, u32::from_str_radix(hex, 16).ok().filter(|code| *code <= 0x10_FFFF)?);
        rest = &after[digits + 1..];
    }
    Some(out)
}

/// Appends a code point, a surrogate as three bytes.
fn push_code(out: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend([0xE0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3F) as u8, 0x80 | (code & 0x3F) as u8]),
    }
}
