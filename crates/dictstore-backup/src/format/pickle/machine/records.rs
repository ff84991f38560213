//! Records become rows while the file is read, on a thread beside the one that reads: making rows of them takes as long as
//! reading them.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::{Fault, Id, Machine, Object, Slot, Step};
use crate::store::Table;
use crate::value::{Key, Record};

/// A dictionary that is given so many dictionaries at once holds records: Python, like us, sets a thousand at a time.
const BATCH: usize = 1_000;

/// Batches that wait to become rows: enough that neither side waits for a short while of the other's, and a megabyte or two.
const BATCHES_WAITING: usize = 8;

/// The rows of dictionaries that hold records.
pub(in super::super) type Built = HashMap<Id, Table>;

/// Records of one dictionary.
struct Batch {
    dict: Id,
    records: Vec<(Key, Record)>,
}

/// Where the one that reads puts records.
pub(in super::super) struct Ahead {
    batches: SyncSender<Batch>,
    /// Room for the next ones.
    spent: Receiver<Vec<(Key, Record)>>,
}

/// Makes rows of them.
pub(in super::super) struct Build {
    batches: Receiver<Batch>,
    spent: Sender<Vec<(Key, Record)>>,
}

/// The two sides.
pub(in super::super) fn ahead() -> (Ahead, Build) {
    let ((batches, to_build), (back, spent)) = (sync_channel(BATCHES_WAITING), channel());
    (Ahead { batches, spent }, Build { batches: to_build, spent: back })
}

impl Build {
    /// Makes rows of records until no more come; nothing if some cannot be rows.
    pub(in super::super) fn run(self) -> Option<Built> {
        let mut built = Built::new();
        while let Ok(Batch { dict, mut records }) = self.batches.recv() {
            let table = built.entry(dict).or_insert_with(|| Table::new("".into(), None));
            if !table.add_all_new(records.drain(..)) {
                return None;
            }
            // Whoever reads may have come to the end.
            let _ = self.spent.send(records);
        }
        Some(built)
    }
}

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
        let mut records = ahead.spent.try_recv().unwrap_or_else(|_| Vec::with_capacity(given.len() / 2));
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
        ahead.batches.send(Batch { dict, records }).map_err(|_| Fault::Again)?;
        Ok(true)
    }
}
