//! Dictionaries of names and scalars, which nearly every record is, read in one go. What follows on anything else is left to
//! the machine, with everything where it would have put it itself.

use super::super::opcode as op;
use super::{Id, Machine, Object, Slot, Step};
use crate::value::{Record, Text, Value};

/// Room made for the fields of a record before they come, at most.
const FIELDS_EXPECTED_MAX: usize = 64;

impl Machine<'_> {
    /// Reads what is set in the new and empty dictionary `id`, on top of the stack, as far as it is names and scalars.
    pub(super) fn plain(&mut self, id: Id) -> Step {
        if self.cursor.peek() == Some(op::MEMOIZE) {
            self.cursor.at += 1;
            self.memory(op::MEMOIZE)?;
        }
        if self.cursor.peek() != Some(op::MARK) {
            return Ok(());
        }
        self.cursor.at += 1;
        let mut fields = Vec::with_capacity(self.fields);
        let mut last = None;
        loop {
            if self.cursor.peek() == Some(op::SETITEMS) {
                self.cursor.at += 1;
                self.fields = fields.len().min(FIELDS_EXPECTED_MAX);
                self.entries[id as usize].object = Object::Record(Record::from_fields(fields));
                return Ok(());
            }
            let Some(name) = self.plain_name()? else { break };
            let Some(value) = self.plain_value()? else {
                last = Some(name);
                break;
            };
            fields.push((name, value));
        }
        self.marks.push(self.stack.len());
        for (name, value) in fields {
            self.stack.extend([Slot::Value(Value::Text(name)), Slot::Value(value)]);
        }
        self.stack.extend(last.map(|name| Slot::Value(Value::Text(name))));
        Ok(())
    }

    fn plain_name(&mut self) -> Step<Option<Text>> {
        let begin = self.cursor.at;
        if !matches!(self.cursor.peek(), Some(op::BINGET | op::LONG_BINGET)) {
            return self.plain_text();
        }
        let code = self.cursor.byte()?;
        let place = if code == op::BINGET { self.cursor.byte()?.into() } else { self.cursor.length4()? };
        if let Some(Some(Slot::Value(Value::Text(name)))) = self.memo.get(place) {
            return Ok(Some(name.clone()));
        }
        self.cursor.at = begin;
        Ok(None)
    }

    /// Reads a text, and remembers it if that is asked for.
    fn plain_text(&mut self) -> Step<Option<Text>> {
        let Some(code @ (op::SHORT_BINUNICODE | op::BINUNICODE)) = self.cursor.peek() else { return Ok(None) };
        self.cursor.at += 1;
        let Value::Text(text) = self.cursor.scalar(code)? else { return Ok(None) };
        if self.cursor.peek() == Some(op::MEMOIZE) {
            self.cursor.at += 1;
            self.memo.push(Some(Slot::Value(Value::Text(text.clone()))));
        }
        Ok(Some(text))
    }

    fn plain_value(&mut self) -> Step<Option<Value>> {
        let Some(code) = self.cursor.peek() else { return Ok(None) };
        match code {
            op::SHORT_BINUNICODE | op::BINUNICODE => Ok(self.plain_text()?.map(Value::Text)),
            op::BININT1
            | op::BININT2
            | op::BININT
            | op::LONG1
            | op::BINFLOAT
            | op::NONE
            | op::NEWTRUE
            | op::NEWFALSE => {
                self.cursor.at += 1;
                self.cursor.scalar(code).map(Some)
            }
            _ => Ok(None),
        }
    }
}
