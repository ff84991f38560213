//! Records become rows as they are read, while they are still in the processor's caches: a second pass over a million of
//! them costs as much as reading the file.

use std::collections::HashMap;

use super::{Fault, Id, Machine, Object, Slot, Step};
use crate::load::LOADED;
use crate::store::Table;
use crate::value::{Key, Record, Value};

/// A dictionary that is given so many dictionaries at once holds records: Python, like us, sets a thousand at a time.
const BATCH: usize = 1_000;

/// The rows of dictionaries that hold records.
pub(in super::super) type Built = HashMap<Id, Table>;

impl Machine<'_> {
    /// Builds rows of what lies on the stack from `begin`, to be set in the dictionary `dict`, if it is records; whether it
    /// was.
    pub(super) fn set_records(&mut self, dict: Id, begin: usize) -> Step<bool> {
        let Some(built) = &mut self.built else { return Ok(false) };
        let given = &self.stack[begin..];
        let is_record = |pair: &[Slot]| {
            let [Slot::Value(_), Slot::Object(id)] = pair else { return false };
            let entry = &self.entries[*id as usize];
            !entry.shared && matches!(entry.object, Object::Fields(_))
        };
        let records = given.len().is_multiple_of(2) && given.chunks_exact(2).all(is_record);
        let entry = &mut self.entries[dict as usize];
        match &entry.object {
            Object::Rows if records => {}
            // It has others too.
            Object::Rows => return Err(Fault::Again),
            Object::Fields(fields) if fields.is_empty() && !entry.shared && records && given.len() == 2 * BATCH => {
                entry.object = Object::Rows;
            }
            _ => return Ok(false),
        }
        let table = built.entry(dict).or_insert_with(|| Table::new("".into(), None));
        let mut given = self.stack.drain(begin..);
        while let (Some(Slot::Value(key)), Some(Slot::Object(id))) = (given.next(), given.next()) {
            let Object::Fields(fields) = std::mem::replace(&mut self.entries[id as usize].object, Object::Taken) else {
                return Err(Fault::Again);
            };
            add(table, key, Record::from_fields(fields))?;
        }
        Ok(true)
    }
}

/// What cannot be a row is told by reading again, in the order of the file.
fn add(table: &mut Table, key: Value, record: Record) -> Step {
    let key = Key::new(key).map_err(|_| Fault::Again)?;
    table.count(&key);
    table.add_new(key, record, LOADED).map_err(|_| Fault::Again)
}
