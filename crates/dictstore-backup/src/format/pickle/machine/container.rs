//! Lists, tuples, sets and dictionaries.

use super::super::opcode as op;
use super::{Id, Machine, Object, Slot, Step};
use crate::value::{Text, Value};

impl Machine<'_> {
    pub(super) fn tuple(&mut self, code: u8) -> Step {
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
        let Some(begin) = begin else { return self.cursor.damaged("the stack is empty") };
        let items = self.stack.split_off(begin);
        self.push(Object::Tuple(items.into()))
    }

    pub(super) fn container(&mut self, code: u8) -> Step {
        match code {
            op::EMPTY_LIST => self.push(Object::List(Vec::new())),
            op::EMPTY_DICT => {
                let id = self.entries.len() as Id;
                self.push(Object::Fields(Vec::new()))?;
                self.plain(id)
            }
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
                let begin = self.mark()?;
                let dict = self.with_items(Object::Fields(Vec::new()), begin)?;
                self.push(dict)
            }
            op::APPEND => {
                let item = self.pop()?;
                self.extend(vec![item])
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.since_mark()?;
                self.extend(items)
            }
            op::SETITEM => match self.stack.len().checked_sub(2).filter(|begin| *begin >= self.floor()) {
                Some(begin) => self.set_items(begin),
                None => self.cursor.damaged("the stack is empty"),
            },
            _ => {
                let begin = self.mark()?;
                self.set_items(begin)
            }
        }
    }

    fn extend(&mut self, items: Vec<Slot>) -> Step {
        match self.top_object()? {
            Some(Object::List(known) | Object::Set(known)) => {
                known.extend(items);
                Ok(())
            }
            _ => self.cursor.damaged("a list or set was expected"),
        }
    }

    /// Puts what lies on the stack from `begin` into the dictionary below it.
    fn set_items(&mut self, begin: usize) -> Step {
        let below = begin.checked_sub(1).filter(|below| *below >= self.floor());
        let Some(Slot::Object(id)) = below.and_then(|below| self.stack.get(below)) else {
            return self.cursor.damaged("a dictionary was expected");
        };
        let id = *id;
        if self.set_records(id, begin)? {
            return Ok(());
        }
        let id = id as usize;
        let dict = std::mem::replace(&mut self.entries[id].object, Object::Taken);
        let dict = match dict {
            Object::Record(record) => Object::Fields(record.into_fields()),
            Object::Fields(_) | Object::Dict(_) => dict,
            _ => return self.cursor.damaged("a dictionary was expected"),
        };
        self.entries[id].object = self.with_items(dict, begin)?;
        Ok(())
    }

    /// `dict` with what lies on the stack from `begin`: names and values in turn.
    fn with_items(&mut self, dict: Object, begin: usize) -> Step<Object> {
        let given = &self.stack[begin..];
        if given.len() % 2 == 1 {
            return self.cursor.damaged("a dictionary has a key without a value");
        }
        let plain = given.chunks_exact(2).all(|pair| matches!(pair, [Slot::Value(Value::Text(_)), Slot::Value(_)]));
        let mut given = self.stack.drain(begin..);
        Ok(match dict {
            Object::Fields(mut fields) if plain => {
                fields.reserve_exact(given.len() / 2);
                while let (Some(Slot::Value(Value::Text(name))), Some(Slot::Value(value))) =
                    (given.next(), given.next())
                {
                    fields.push((name, value));
                }
                Object::Fields(fields)
            }
            dict => {
                let mut pairs = dict.into_pairs();
                while let (Some(name), Some(value)) = (given.next(), given.next()) {
                    pairs.push((name, value));
                }
                Object::Dict(pairs)
            }
        })
    }
}

impl Object {
    /// The entries of a dictionary; of anything else none.
    pub(in super::super) fn into_pairs(self) -> Vec<(Slot, Slot)> {
        let slots = |(name, value): (Text, Value)| (Slot::Value(Value::Text(name)), Slot::Value(value));
        match self {
            Self::Record(record) => record.into_fields().into_iter().map(slots).collect(),
            Self::Fields(fields) => fields.into_iter().map(slots).collect(),
            Self::Dict(pairs) => pairs,
            _ => Vec::new(),
        }
    }
}
