//! A sink on a thread of its own: what reads and checks a backup does not wait for what writes the records.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::error::{ObjectError, ObjectResult};
use crate::tar::read::Sink;
use crate::type_key::TypeKey;

/// Bytes of records that are passed on together: few enough for a processor's cache, and many records at once.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches that wait. One that is being filled and one that is being taken come on top; a record of the largest size is a batch by
/// itself.
const BATCHES_AHEAD: usize = 2;

/// Passes on what it is given to the sink, in its order.
pub(crate) struct Apart<S> {
    /// None once the other thread has ended.
    sender: Option<SyncSender<Passed>>,
    filling: Batch,
    thread: Option<JoinHandle<ObjectResult<S>>>,
}

/// Something for the sink.
enum Passed {
    Begin(TypeKey),
    Records(TypeKey, Batch),
    End(TypeKey),
}

/// Records of one type: ids and texts behind each other, and how long each of them is.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    lengths: Vec<(usize, usize)>,
}

impl<S: Sink + 'static> Apart<S> {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has none.
    pub(crate) fn new(sink: S) -> ObjectResult<Self> {
        let (sender, passed) = sync_channel(BATCHES_AHEAD);
        let thread = thread::Builder::new().name("records".to_owned()).spawn(move || take(sink, &passed));
        let thread = thread.map_err(|error| ObjectError::target("start a thread for", "the records", error))?;
        Ok(Self { sender: Some(sender), filling: Batch::default(), thread: Some(thread) })
    }

    /// Waits until all was taken, and gives the sink back.
    ///
    /// # Errors
    /// What the sink said.
    pub(crate) fn into_inner(mut self) -> ObjectResult<S> {
        self.sender = None;
        self.joined()
    }

    fn joined(&mut self) -> ObjectResult<S> {
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(taken)) => taken,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            // It was asked before, and said why.
            None => Err(ObjectError::Interrupted),
        }
    }

    fn pass(&mut self, passed: Passed) -> ObjectResult<()> {
        let taken = self.sender.as_ref().is_some_and(|sender| sender.send(passed).is_ok());
        if taken {
            return Ok(());
        }
        // The sink has failed: its error is the one to tell.
        self.sender = None;
        self.joined().and(Err(ObjectError::Interrupted))
    }

    fn pass_records(&mut self, key: &TypeKey) -> ObjectResult<()> {
        if self.filling.lengths.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.filling);
        self.pass(Passed::Records(key.clone(), batch))
    }
}

fn take<S: Sink>(mut sink: S, passed: &Receiver<Passed>) -> ObjectResult<S> {
    while let Ok(passed) = passed.recv() {
        match passed {
            Passed::Begin(key) => sink.begin(&key)?,
            Passed::End(key) => sink.end(&key)?,
            Passed::Records(key, batch) => batch.records(|id, text| sink.record(&key, id, text))?,
        }
    }
    Ok(sink)
}

impl Batch {
    fn add(&mut self, id: &str, text: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(BATCH_BYTES.max(id.len() + text.len()));
        }
        self.bytes.extend_from_slice(id.as_bytes());
        self.bytes.extend_from_slice(text);
        self.lengths.push((id.len(), text.len()));
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.lengths.is_empty() || self.bytes.len() + bytes <= BATCH_BYTES
    }

    fn records(&self, mut each: impl FnMut(&str, &[u8]) -> ObjectResult<()>) -> ObjectResult<()> {
        let mut rest = self.bytes.as_slice();
        for (id, text) in &self.lengths {
            let (record, after) = rest.split_at(id + text);
            let (id, text) = record.split_at(*id);
            let id = std::str::from_utf8(id).map_err(|error| ObjectError::target("read", "an id", error))?;
            each(id, text)?;
            rest = after;
        }
        Ok(())
    }
}

impl<S: Sink + 'static> Sink for Apart<S> {
    fn begin(&mut self, key: &TypeKey) -> ObjectResult<()> {
        self.pass(Passed::Begin(key.clone()))
    }

    fn record(&mut self, key: &TypeKey, id: &str, text: &[u8]) -> ObjectResult<()> {
        if !self.filling.has_room_for(id.len() + text.len()) {
            self.pass_records(key)?;
        }
        self.filling.add(id, text);
        Ok(())
    }

    fn end(&mut self, key: &TypeKey) -> ObjectResult<()> {
        self.pass_records(key)?;
        self.pass(Passed::End(key.clone()))
    }
}

impl<S> Drop for Apart<S> {
    /// What the sink writes to is nobody's before its thread has ended: whoever drops this may look at it.
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it is given, and fails at a record with this id.
    #[derive(Default)]
    struct Diary {
        lines: Vec<String>,
        fails_at: Option<String>,
    }

    impl Sink for Diary {
        fn begin(&mut self, key: &TypeKey) -> ObjectResult<()> {
            self.lines.push(format!("begin {key}"));
            Ok(())
        }

        fn record(&mut self, key: &TypeKey, id: &str, text: &[u8]) -> ObjectResult<()> {
            if self.fails_at.as_deref() == Some(id) {
                return Err(ObjectError::Conflict { what: format!("`{id}` is there") });
            }
            self.lines.push(format!("{key} {id} {}", text.len()));
            Ok(())
        }

        fn end(&mut self, key: &TypeKey) -> ObjectResult<()> {
            self.lines.push(format!("end {key}"));
            Ok(())
        }
    }

    fn give(sink: &mut impl Sink) -> ObjectResult<()> {
        for (member, sizes) in [
            ("A--a.json", vec![10, 300_000, 0, 200_000, 100_000, 5]),
            ("B--b.json", vec![]),
            ("C--c.json", vec![7; 3_000]),
        ] {
            let key = TypeKey::of_member(member).unwrap();
            sink.begin(&key)?;
            for (at, bytes) in sizes.into_iter().enumerate() {
                sink.record(&key, &format!("é{at}"), &vec![b'x'; bytes])?;
            }
            sink.end(&key)?;
        }
        Ok(())
    }

    #[test]
    fn everything_arrives_in_its_order() {
        let mut here = Diary::default();
        give(&mut here).unwrap();
        let mut apart = Apart::new(Diary::default()).unwrap();
        give(&mut apart).unwrap();
        assert_eq!(apart.into_inner().unwrap().lines, here.lines);
    }

    #[test]
    fn what_the_sink_says_is_said_sooner_or_later_and_once() {
        for at in ["é0", "é3", "é2999"] {
            let mut apart = Apart::new(Diary { fails_at: Some(at.to_owned()), ..Diary::default() }).unwrap();
            let error = give(&mut apart).and_then(|()| apart.into_inner().map(drop)).unwrap_err();
            assert!(error.to_string().contains(at), "{at}: {error}");
        }
    }

    #[test]
    fn what_is_not_taken_to_its_end_ends() {
        let mut apart = Apart::new(Diary::default()).unwrap();
        apart.begin(&TypeKey::of_member("A--a.json").unwrap()).unwrap();
        drop(apart);
    }
}
