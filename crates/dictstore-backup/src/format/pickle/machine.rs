//! The stack machine: builds a graph of plain values and of the two classes, flat in memory, without recursion.

mod class;
mod container;
mod cursor;
mod fault;
mod plain;
mod records;
mod scalar;

pub(super) use self::class::Class;
use self::cursor::Cursor;
pub(super) use self::fault::Fault;
use self::fault::Step;

use super::opcode as op;
use crate::format::rows::{Ahead, Place};
use crate::value::{Record, Text, Value};

/// Place of an object in the graph.
pub(super) type Id = Place;

/// What stands on the stack and in containers: scalars themselves, and the places of everything else.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Value(Value),
    Object(Id),
}

/// Something that can be changed after it was made, or stand in several places.
#[derive(Clone, Debug)]
pub(super) enum Object {
    List(Vec<Slot>),
    /// A dictionary of names and scalars that was set at once.
    Record(Record),
    /// Another dictionary of names and scalars, where a name may stand twice.
    Fields(Vec<(Text, Value)>),
    /// Any other dictionary.
    Dict(Vec<(Slot, Slot)>),
    Tuple(Box<[Slot]>),
    Set(Vec<Slot>),
    FrozenSet(Box<[Slot]>),
    Class(Class),
    /// An instance, and its state once it was built.
    Instance(Class, Option<Slot>),
    /// It stood in one place only and has been moved there.
    Taken,
    /// The records of a table: they are rows already.
    Rows,
}

/// An object, and whether it may stand in more than one place.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) object: Object,
    pub(super) shared: bool,
}

pub(super) struct Machine<'b> {
    cursor: Cursor<'b>,
    /// Only what DictDB's own loader admits.
    strict: bool,
    entries: Vec<Entry>,
    stack: Vec<Slot>,
    marks: Vec<usize>,
    memo: Vec<Option<Slot>>,
    /// The memo speaks of none of the entries from here on.
    remembered: usize,
    /// Fields of the last record: the next is likely to have as many.
    fields: usize,
    /// Where records become rows, if they are to.
    ahead: Option<Ahead>,
}

/// What a file was made of.
#[derive(Debug)]
pub(super) struct Graph {
    /// What was left on the stack.
    pub(super) root: Slot,
    pub(super) entries: Vec<Entry>,
}

impl<'b> Machine<'b> {
    pub(super) fn new(bytes: &'b [u8], strict: bool, ahead: Option<Ahead>) -> Self {
        let (entries, stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (remembered, fields) = (0, 0);
        Self { cursor: Cursor { bytes, at: 0 }, strict, entries, stack, marks, memo, remembered, fields, ahead }
    }

    /// Runs to the end.
    pub(super) fn run(mut self) -> Step<Graph> {
        loop {
            let code = self.cursor.byte()?;
            if code == op::STOP {
                let root = self.pop()?;
                return Ok(Graph { root, entries: self.entries });
            }
            self.step(code)?;
        }
    }

    fn step(&mut self, code: u8) -> Step {
        match code {
            op::PROTO => match self.cursor.byte()? {
                0..=5 => Ok(()),
                other => Err(Fault::Refused(format!("it has protocol {other}; protocols 0 to 5 are supported"))),
            },
            op::FRAME => self.cursor.take(8).map(drop),
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
                let top = self.top()?.clone();
                self.share(top)
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
                let value = self.cursor.scalar(code)?;
                self.stack.push(Slot::Value(value));
                Ok(())
            }
        }
    }

    fn memory(&mut self, code: u8) -> Step {
        let place = match code {
            op::MEMOIZE => self.memo.len(),
            op::BINPUT | op::BINGET => self.cursor.byte()?.into(),
            op::LONG_BINPUT | op::LONG_BINGET => self.cursor.length4()?,
            _ => {
                let line = std::str::from_utf8(self.cursor.line()?).unwrap_or_default();
                match line.parse() {
                    Ok(place) => place,
                    Err(_) => return self.cursor.damaged("a number is damaged"),
                }
            }
        };
        if matches!(code, op::GET | op::BINGET | op::LONG_BINGET) {
            let Some(Some(slot)) = self.memo.get(place).cloned() else {
                return self.cursor.damaged("the memo is empty");
            };
            return self.share(slot);
        }
        // Every place costs at least a byte of the file, or the memo could be made to outgrow it.
        if place > self.cursor.bytes.len() {
            return self.cursor.damaged("a number is damaged");
        }
        if place >= self.memo.len() {
            self.memo.resize(place + 1, None);
        }
        let top = self.top()?.clone();
        if let Slot::Object(id) = top {
            self.remembered = self.remembered.max(id as usize + 1);
        }
        self.memo[place] = Some(top);
        Ok(())
    }

    /// The object a slot speaks of, if it is no scalar.
    fn of(&self, slot: &Slot) -> Option<&Object> {
        match slot {
            Slot::Object(id) => Some(&self.entries[*id as usize].object),
            Slot::Value(_) => None,
        }
    }

    fn push(&mut self, object: Object) -> Step {
        let id = Id::try_from(self.entries.len()).map_err(|_| Fault::Refused("it holds too many values".to_owned()))?;
        self.entries.push(Entry { object, shared: false });
        self.stack.push(Slot::Object(id));
        Ok(())
    }

    /// Pushes what stands elsewhere too.
    fn share(&mut self, slot: Slot) -> Step {
        if let Slot::Object(id) = slot {
            let entry = &mut self.entries[id as usize];
            if matches!(entry.object, Object::Taken | Object::Rows) {
                return Err(Fault::Again);
            }
            entry.shared = true;
        }
        self.stack.push(slot);
        Ok(())
    }

    /// What lies below the last mark is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<&Slot> {
        match self.stack.last() {
            Some(slot) if self.stack.len() > self.floor() => Ok(slot),
            _ => self.cursor.damaged("the stack is empty"),
        }
    }

    fn top_object(&mut self) -> Step<Option<&mut Object>> {
        match self.top()? {
            Slot::Object(id) => {
                let id = *id as usize;
                Ok(Some(&mut self.entries[id].object))
            }
            Slot::Value(_) => Ok(None),
        }
    }

    fn pop(&mut self) -> Step<Slot> {
        if self.stack.len() > self.floor()
            && let Some(slot) = self.stack.pop()
        {
            return Ok(slot);
        }
        self.cursor.damaged("the stack is empty")
    }

    /// Takes the last mark away; where on the stack it was.
    fn mark(&mut self) -> Step<usize> {
        match self.marks.pop() {
            Some(mark) => Ok(mark),
            None => self.cursor.damaged("there is no mark"),
        }
    }

    fn since_mark(&mut self) -> Step<Vec<Slot>> {
        let mark = self.mark()?;
        Ok(self.stack.split_off(mark))
    }
}
