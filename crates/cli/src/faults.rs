//! Fault points for the acceptance tests: the run dies or waits where a named step begins.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use backup_core::progress::{Event, Progress, SharedProgress};
use tokio_util::sync::CancellationToken;

use crate::env;

/// How often a waiting run looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Wraps `inner` if the environment asks for a fault; otherwise returns it as it is.
pub(crate) fn wrap(inner: SharedProgress, cancel: &CancellationToken) -> SharedProgress {
    let crash = env::value(env::CRASH_AT).map(|text| Point::parse(&text));
    let pause = env::value(env::PAUSE_AT).map(|text| Point::parse(&text));
    let pause = pause.zip(env::value(env::PAUSE_FILE).map(PathBuf::from));
    if crash.is_none() && pause.is_none() {
        return inner;
    }
    std::sync::Arc::new(FaultPoints { inner, crash, pause, cancel: cancel.clone() })
}

/// The n-th beginning of a step.
#[derive(Debug)]
struct Point {
    step: String,
    nth: u32,
    seen: AtomicU32,
}

impl Point {
    /// Reads `STEP` or `STEP#N`.
    fn parse(text: &str) -> Self {
        let numbered = text.rsplit_once('#').and_then(|(step, nth)| Some((step, nth.parse().ok()?)));
        let (step, nth) = numbered.unwrap_or((text, 1));
        Self { step: step.to_owned(), nth, seen: AtomicU32::new(0) }
    }

    fn reached(&self, step: &str) -> bool {
        self.step == step && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.nth
    }
}

#[derive(Debug)]
struct FaultPoints {
    inner: SharedProgress,
    crash: Option<Point>,
    pause: Option<(Point, PathBuf)>,
    cancel: CancellationToken,
}

impl Progress for FaultPoints {
    fn event(&self, event: Event) {
        if let Event::Step { name, .. } = &event {
            if self.crash.as_ref().is_some_and(|point| point.reached(name)) {
                die();
            }
            if let Some((point, file)) = &self.pause
                && point.reached(name)
            {
                self.wait(name, file);
            }
        }
        self.inner.event(event);
    }
}

impl FaultPoints {
    /// Waits until `file` is gone; a file that cannot be written is not waited for.
    fn wait(&self, step: &str, file: &PathBuf) {
        if std::fs::write(file, step).is_err() {
            return;
        }
        // The runtime must go on meanwhile: a signal that comes now has to be noticed.
        tokio::task::block_in_place(|| {
            while file.exists() && !self.cancel.is_cancelled() {
                std::thread::sleep(LOOK_EVERY);
            }
        });
    }
}

/// Ends this process as a power cut would: no destructor runs, nothing is flushed.
fn die() {
    let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // The signal is delivered before the call returns to this thread; only a refused call gets here.
    if killed.is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_reached_once_at_its_number() {
        let point = Point::parse("dump.pack#2");
        assert_eq!([point.reached("dump.pack"), point.reached("x"), point.reached("dump.pack")], [false, false, true]);
        assert!(!point.reached("dump.pack"));
    }

    #[test]
    fn without_a_number_the_first_counts() {
        assert!(Point::parse("swap.rename").reached("swap.rename"));
    }
}
