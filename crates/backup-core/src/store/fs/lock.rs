//! The lock of a folder, which whatever replaces or deletes an object holds for that moment. A wait for it has an end, is
//! seen, and stops with the run.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::beneath::Root;
use super::names::LOCK_NAME;
use super::waiting::{WAIT_MAX, Waiting};
use crate::error::StoreError;
use crate::lock_holder::holder;
use crate::store::StoreResult;

/// How long a wait may go unseen: a held lock is ordinary for moments.
const SEEN_AFTER: Duration = Duration::from_secs(2);

/// The first pause between two tries; each further one is twice as long, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// As late as a free lock, or a signal, may be noticed.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Waits for the lock, which ends with the file.
///
/// # Errors
/// [`StoreError::Locked`] if somebody else has it for too long, or if the run is to end meanwhile.
pub(super) fn take(root: &Root) -> StoreResult<File> {
    let waiting = &root.waiting;
    let file = open(root).map_err(|errno| root.failed(LOCK_NAME, "lock", 0, errno))?;
    let begun = Instant::now();
    let (mut pause, mut is_seen) = (PAUSE_MIN, false);
    loop {
        match file.try_lock() {
            Ok(()) => {
                waiting.was_in_vain(false);
                return Ok(file);
            }
            Err(TryLockError::Error(error)) => return Err(root.failed(LOCK_NAME, "lock", 0, error)),
            Err(TryLockError::WouldBlock) => {}
        }
        let waited = begun.elapsed();
        if waiting.is_over(waited) {
            waiting.was_in_vain(true);
            return Err(StoreError::Locked {
                location: root.shown.clone(),
                holder: holder(&file),
                seconds: waited.as_secs(),
            });
        }
        if waited >= SEEN_AFTER && !std::mem::replace(&mut is_seen, true) {
            tell(waiting, root, &file);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn tell(waiting: &Waiting, root: &Root, file: &File) {
    if let Some(progress) = waiting.progress() {
        progress.warn(format!(
            "waiting for the lock of `{}`, which {} holds; for at most {} s",
            root.shown,
            holder(file),
            WAIT_MAX.as_secs()
        ));
    }
}

/// Opens the file of the lock.
pub(super) fn open(root: &Root) -> Result<File, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(root.handle(), LOCK_NAME, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::progress::{Event, Progress, SharedProgress};

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Progress for Heard {
        fn event(&self, event: Event) {
            if let Event::Warning { message, .. } = event {
                self.0.lock().unwrap().push(message);
            }
        }
    }

    #[test]
    fn a_wait_is_told_and_ends_with_the_run_and_names_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let open_root = || Root::open_at(folder.path(), "/srv/backups".to_owned()).unwrap();
        let held = take(&open_root()).unwrap();
        let (heard, mut root) = (Arc::new(Heard::default()), open_root());
        let cancel = CancellationToken::new();
        root.waiting = Waiting::new(Some(Arc::clone(&heard) as SharedProgress), cancel.clone());
        let taking = std::thread::spawn(move || (take(&root).map(drop), take(&root).map(drop), root));
        while heard.0.lock().unwrap().is_empty() {
            std::thread::sleep(PAUSE_MAX);
        }
        cancel.cancel();
        let (first, second, root) = taking.join().unwrap();
        let us = format!("process {} (", std::process::id());
        for refused in [first, second] {
            let StoreError::Locked { location, holder, .. } = refused.unwrap_err() else { panic!("another error") };
            assert!(location == "/srv/backups" && holder.starts_with(&us), "{holder}");
        }
        let told = heard.0.lock().unwrap().clone();
        assert!(told.len() == 1 && told[0].contains("/srv/backups") && told[0].contains(&us), "{told:?}");
        drop(held);
        take(&root).unwrap();
    }
}
