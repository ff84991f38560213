//! SIGINT, SIGTERM and SIGHUP: the first asks the run to clean up and end, the second ends it at once, and so does the end of
//! the time it may take to clean up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::render::printer::Printer;

/// How long a run may clean up after a signal. Statements are cancelled and databases dropped in seconds; a location or server
/// that does not answer even then must not keep a machine from shutting down (systemd kills after 90 s).
const CLEAN_UP_MAX: Duration = Duration::from_secs(60);

/// Remembers the signal that ended the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caught(Arc<AtomicU8>);

impl Caught {
    /// What the process should end with, if a signal came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            code if code == Exit::Terminated.code() => Some(Exit::Terminated),
            _ => Some(Exit::Interrupted),
        }
    }
}

/// Listens from now on, inside the running tokio runtime; `cancel` is set at the first signal.
///
/// # Errors
/// If the system refuses the signal handlers.
pub(crate) fn listen(cancel: CancellationToken, printer: Arc<Printer>) -> std::io::Result<Caught> {
    let caught = Caught::default();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = hang_up()?;
    let record = caught.clone();
    tokio::spawn(async move {
        loop {
            let exit = tokio::select! {
                Some(()) = interrupt.recv() => Exit::Interrupted,
                Some(()) = terminate.recv() => Exit::Terminated,
                Some(()) = heard(&mut hang_up) => Exit::Terminated,
                else => return,
            };
            if record.0.swap(exit.code(), Ordering::SeqCst) != 0 {
                end_at_once(&printer, exit);
            }
            printer.note("interrupted: cleaning up; a second signal ends the run at once");
            cancel.cancel();
            let printer = Arc::clone(&printer);
            tokio::spawn(async move {
                tokio::time::sleep(CLEAN_UP_MAX).await;
                printer.warn(&format!(
                    "cleaning up took longer than {} s and was ended: the next run clears up what is left",
                    CLEAN_UP_MAX.as_secs()
                ));
                end_at_once(&printer, exit);
            });
        }
    });
    Ok(caught)
}

fn end_at_once(printer: &Printer, exit: Exit) -> ! {
    pg_clone::hook::kill_running();
    printer.warn_of_published();
    std::process::exit(exit.code().into());
}

/// Hears of SIGHUP, which a terminal sends that is closed; not where somebody had it ignored, as `nohup` does.
fn hang_up() -> std::io::Result<Option<Signal>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if ignores_hang_up(&status) { Ok(None) } else { signal(SignalKind::hangup()).map(Some) }
}

/// What the kernel says of ignored signals (proc_pid_status(5)): a mask in hexadecimal digits, SIGHUP being the first bit.
fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

async fn heard(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hang_up_that_somebody_had_ignored_stays_ignored() {
        assert!(ignores_hang_up("Name:\tlastgood\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000000000\n"));
        assert!(!ignores_hang_up("Name:\tlastgood\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hang_up(""));
    }
}
