//! Keeps compressed records until the store takes them, so that a source that nobody can write to meanwhile is soon read.
//!
//! A database in rollback-journal mode keeps writers out for as long as it is read ("File Locking And Concurrency In SQLite
//! Version 3", 3). A slow store must not make that longer. Some of what waits is in memory and the rest in a file without a name,
//! which nothing can leave behind.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::error::{ObjectError, ObjectResult};

/// Bytes that wait in memory for any source: enough for the next write to be ready.
const MEMORY_BYTES: usize = 1024 * 1024;

/// Bytes that wait in memory for a source that keeps writers out.
const MEMORY_BYTES_HELD: usize = 16 * 1024 * 1024;

/// Bytes that wait in the file at most: 20 GiB and more of records. Beyond, the store's pace is the source's again.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes that stay free on the disk, for others.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// Where large files without a name go if nobody says: `/tmp` is often in memory (file-hierarchy(7)).
const LARGE_FILES: &str = "/var/tmp";

/// What waits, in order.
#[derive(Debug)]
pub(super) struct Spool {
    state: Mutex<State>,
    /// Something came, or went.
    changed: Notify,
    memory_max: usize,
    on_disk: bool,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    memory: usize,
    /// Open from the first time that something does not fit in memory; none if there is no room.
    file: Option<Arc<File>>,
    /// Bytes written to the file so far, and how many pieces of it wait.
    written: u64,
    in_file: usize,
    full: bool,
    told: bool,
    closed: bool,
    abandoned: bool,
}

#[derive(Debug)]
enum Waiting {
    Memory(Vec<u8>),
    File { at: u64, bytes: usize },
}

impl Spool {
    /// For a source that others can write to meanwhile.
    pub(super) fn in_memory() -> Self {
        Self::new(MEMORY_BYTES, false)
    }

    /// For a source that keeps writers out.
    pub(super) fn on_disk() -> Self {
        Self::new(MEMORY_BYTES_HELD, true)
    }

    fn new(memory_max: usize, on_disk: bool) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), memory_max, on_disk }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what comes next, once there is room. `no_room` hears once if there is none on disk.
    ///
    /// # Errors
    /// [`ObjectError::Interrupted`] if nobody takes it any more.
    pub(super) async fn push(&self, mut piece: Vec<u8>, no_room: impl Fn()) -> ObjectResult<()> {
        loop {
            let changed = self.changed.notified();
            let file = {
                let mut state = self.state();
                if state.abandoned {
                    return Err(ObjectError::Interrupted);
                }
                // What is in the file comes first.
                let fits = state.memory == 0 || state.memory + piece.len() <= self.memory_max;
                if fits && (state.in_file == 0 || !self.on_disk || state.full) {
                    state.memory += piece.len();
                    state.waiting.push_back(Waiting::Memory(piece));
                    drop(state);
                    self.changed.notify_waiters();
                    return Ok(());
                }
                (self.on_disk && !state.full).then(|| (state.file.clone(), state.written))
            };
            match file {
                Some((file, at)) => match keep(file, at, piece).await? {
                    Ok((file, bytes)) => {
                        let mut state = self.state();
                        state.file = Some(file);
                        state.written = at + bytes as u64;
                        state.in_file += 1;
                        state.waiting.push_back(Waiting::File { at, bytes });
                        drop(state);
                        self.changed.notify_waiters();
                        return Ok(());
                    }
                    Err(back) => {
                        let mut state = self.state();
                        state.full = true;
                        let first = !std::mem::replace(&mut state.told, true);
                        drop(state);
                        if first {
                            no_room();
                        }
                        piece = back;
                    }
                },
                None => changed.await,
            }
        }
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) async fn pop(&self) -> ObjectResult<Option<Vec<u8>>> {
        loop {
            let changed = self.changed.notified();
            let next = {
                let mut state = self.state();
                match state.waiting.pop_front() {
                    None if state.closed => return Ok(None),
                    None => None,
                    Some(Waiting::Memory(piece)) => {
                        state.memory -= piece.len();
                        drop(state);
                        self.changed.notify_waiters();
                        return Ok(Some(piece));
                    }
                    Some(Waiting::File { at, bytes }) => state.file.clone().map(|file| (file, at, bytes)),
                }
            };
            let Some((file, at, bytes)) = next else {
                changed.await;
                continue;
            };
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; bytes];
                file.read_exact_at(&mut piece, at).map(|()| piece)
            });
            let read = read.await.map_err(|error| ObjectError::panicked(&error))?;
            let piece = read.map_err(|error| ObjectError::source("read what waits in", folder().display(), error))?;
            let mut state = self.state();
            state.in_file -= 1;
            if state.in_file == 0 {
                // Its place is free again, and so is the disk's.
                state.written = 0;
                state.full = false;
                state.file = None;
            }
            drop(state);
            self.changed.notify_waiters();
            return Ok(Some(piece));
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_waiters();
    }

    /// Ends once nothing more is taken.
    pub(super) async fn abandoned(&self) {
        loop {
            let changed = self.changed.notified();
            if self.state().abandoned {
                return;
            }
            changed.await;
        }
    }

    /// Nothing more is taken.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.abandoned = true;
        state.waiting.clear();
        drop(state);
        self.changed.notify_waiters();
    }
}

/// Where the file is.
fn folder() -> PathBuf {
    match std::env::var_os("TMPDIR") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ if PathBuf::from(LARGE_FILES).is_dir() => LARGE_FILES.into(),
        _ => std::env::temp_dir(),
    }
}

type Kept = Result<(Arc<File>, usize), Vec<u8>>;

/// Writes `piece` to the file, which is made if there is none; gives it back if there is no room.
async fn keep(file: Option<Arc<File>>, at: u64, piece: Vec<u8>) -> ObjectResult<Kept> {
    let kept = tokio::task::spawn_blocking(move || {
        let write = || -> io::Result<Arc<File>> {
            let file = file.map_or_else(|| tempfile::tempfile_in(folder()).map(Arc::new), Ok)?;
            let disk = rustix::fs::fstatvfs(&*file)?;
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            if at + piece.len() as u64 > FILE_BYTES_MAX || free < FREE_BYTES_MIN + piece.len() as u64 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            file.write_all_at(&piece, at)?;
            Ok(file)
        };
        // Whatever stands against it: then writers wait for the store, and nothing is lost.
        match write() {
            Ok(file) => Ok((file, piece.len())),
            Err(error) => {
                tracing::debug!(%error, "compressed records cannot wait on disk");
                Err(piece)
            }
        }
    });
    kept.await.map_err(|error| ObjectError::panicked(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(number: usize) -> Vec<u8> {
        number.to_ne_bytes().repeat(1_000 + number % 7)
    }

    /// Pushes and pops `count` pieces, the one far ahead of the other if there is room.
    async fn through(spool: &Spool, count: usize) {
        let push = async {
            for number in 0..count {
                spool.push(piece(number), || panic!("there is room")).await.unwrap();
            }
            spool.close();
        };
        let pop = async {
            for number in 0..count {
                assert_eq!(spool.pop().await.unwrap(), Some(piece(number)), "{number}");
                tokio::task::yield_now().await;
            }
            assert_eq!(spool.pop().await.unwrap(), None);
        };
        futures::join!(push, pop);
    }

    #[tokio::test]
    async fn pieces_come_in_order_whatever_has_room() {
        for (memory_max, on_disk) in [(1, false), (50_000, false), (1, true), (50_000, true), (usize::MAX, true)] {
            let spool = Spool::new(memory_max, on_disk);
            through(&spool, 200).await;
            let state = spool.state();
            assert_eq!((state.memory, state.in_file, state.written), (0, 0, 0));
        }
    }

    #[tokio::test]
    async fn all_of_it_waits_on_disk_before_anything_is_taken() {
        let spool = Spool::new(20_000, true);
        for number in 0..300 {
            spool.push(piece(number), || panic!("there is room")).await.unwrap();
        }
        spool.close();
        assert!(spool.state().memory <= 20_000);
        for number in 0..300 {
            assert_eq!(spool.pop().await.unwrap(), Some(piece(number)));
        }
        assert_eq!(spool.pop().await.unwrap(), None);
    }

    #[tokio::test]
    async fn without_room_the_source_waits_and_somebody_hears_once() {
        let spool = Spool::new(20_000, true);
        spool.state().full = true;
        spool.push(piece(0), || {}).await.unwrap();
        spool.push(piece(1), || {}).await.unwrap();
        let waits = spool.push(piece(2), || {});
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), waits).await.is_err());
        spool.abandon();
        assert!(matches!(spool.push(piece(3), || {}).await, Err(ObjectError::Interrupted)));
    }
}
