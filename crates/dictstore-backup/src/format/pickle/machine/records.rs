//! Passes records of a table on to become rows, as soon as they are recognised.

use super::{Fault, Id, Machine, Object, Slot, Step};
use crate::format::rows::BATCH;
use crate::value::{Key, Record};

impl Machine<'_> {
    /// Sends ahead what lies on the stack from `begin`, to be set in the dictionary `dict`, if it is records; whether it was.
    pub(super) fn set_records(&mut self, dict: Id, begin: usize) -> Step<bool> {
        let Some(ahead) = &self.ahead else { return Ok(false) };
        let given = &self.stack[begin..];
        let is_record = |pair: &[Slot]| {
            let [Slot::Value(_), Slot::Object(id)] = pair else { return false };
            let entry = &self.entries[*id as usize];
            !entry.shared && matches!(entry.object, Object::Record(_) | Object::Fields(_))
        };
        let are_records = given.len().is_multiple_of(2) && given.chunks_exact(2).all(is_record);
        let entry = &mut self.entries[dict as usize];
        match &entry.object {
            Object::Rows if are_records => {}
            // It has others too.
            Object::Rows => return Err(Fault::Again),
            Object::Fields(fields) if fields.is_empty() && !entry.shared && are_records && given.len() == 2 * BATCH => {
                entry.object = Object::Rows;
            }
            _ => return Ok(false),
        }
        let mut records = ahead.room();
        let mut given = self.stack.drain(begin..);
        while let (Some(Slot::Value(key)), Some(Slot::Object(id))) = (given.next(), given.next()) {
            let record = match std::mem::replace(&mut self.entries[id as usize].object, Object::Taken) {
                Object::Record(record) => record,
                Object::Fields(fields) => Record::from_fields(fields),
                _ => return Err(Fault::Again),
            };
            // What cannot be a row is told by reading again, in the order of the file.
            records.push((Key::new(key).map_err(|_| Fault::Again)?, record));
        }
        drop(given);
        // Nothing speaks of them any more: an entry for each of a million records would outweigh the file.
        while self.entries.len() > self.remembered
            && self.entries.pop_if(|entry| matches!(entry.object, Object::Taken)).is_some()
        {}
        if ahead.send(dict, records) { Ok(true) } else { Err(Fault::Again) }
    }
}
