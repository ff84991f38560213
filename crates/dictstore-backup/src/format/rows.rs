//! Records become rows while their file is read, on a thread beside the one that reads: making rows of them takes as long as
//! reading them.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::store::Table;
use crate::value::{Key, Record};

/// A file from which on a thread is begun to make rows beside: below, it costs what it saves.
const BESIDE_BYTES_MIN: usize = 256 * 1024;

/// Records that become rows together: Python, like us, pickles a thousand at a time.
pub(crate) const BATCH: usize = 1_000;

/// Batches that wait to become rows: enough that neither side waits for a short while of the other's, and a megabyte or two.
const BATCHES_WAITING: usize = 8;

/// Where in a file a table's records stand, as its reader counts.
pub(crate) type Place = u32;

/// The rows of the records of each place.
pub(crate) type Built = HashMap<Place, Table>;

struct Batch {
    place: Place,
    records: Vec<(Key, Record)>,
}

/// Where the one that reads puts records.
pub(crate) struct Ahead {
    batches: SyncSender<Batch>,
    spent: Receiver<Vec<(Key, Record)>>,
}

impl Ahead {
    /// Room for the next records.
    pub(crate) fn room(&self) -> Vec<(Key, Record)> {
        self.spent.try_recv().unwrap_or_else(|_| Vec::with_capacity(BATCH))
    }

    /// Hands records on; whether they are still made to rows. If not, some of them could not be.
    pub(crate) fn send(&self, place: Place, records: Vec<(Key, Record)>) -> bool {
        self.batches.send(Batch { place, records }).is_ok()
    }
}

/// Makes rows until no more records come; nothing if some cannot be rows.
fn build(batches: Receiver<Batch>, spent: Sender<Vec<(Key, Record)>>) -> Option<Built> {
    let mut built = Built::new();
    while let Ok(Batch { place, mut records }) = batches.recv() {
        let table = built.entry(place).or_insert_with(|| Table::new("".into(), None));
        if !table.add_all_new(records.drain(..)) {
            return None;
        }
        // Whoever reads may have come to the end.
        let _ = spent.send(records);
    }
    Some(built)
}

/// Reads a file of `bytes` bytes and makes rows meanwhile. Nothing if that is not worth a thread, if none is to be had, or
/// if some records could not be rows, so that the file is to be read without.
///
/// # Errors
/// What `read` says; it comes before what became of the rows.
pub(crate) fn beside<T, E>(bytes: usize, read: impl FnOnce(Ahead) -> Result<T, E>) -> Result<Option<(T, Built)>, E> {
    if bytes < BESIDE_BYTES_MIN {
        return Ok(None);
    }
    let ((batches, to_build), (back, spent)) = (sync_channel(BATCHES_WAITING), channel());
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("lastgood-dict-rows".to_owned());
        let Ok(thread) = thread.spawn_scoped(scope, || build(to_build, back)) else { return Ok(None) };
        let read = read(Ahead { batches, spent });
        let built = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Some(read?).zip(built))
    })
}
