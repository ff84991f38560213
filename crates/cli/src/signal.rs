//! SIGINT and SIGTERM: the first asks the run to clean up and end, the second ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::render::printer::Printer;

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
    let record = caught.clone();
    tokio::spawn(async move {
        loop {
            let exit = tokio::select! {
                Some(()) = interrupt.recv() => Exit::Interrupted,
                Some(()) = terminate.recv() => Exit::Terminated,
                else => return,
            };
            if record.0.swap(exit.code(), Ordering::SeqCst) != 0 {
                pg_clone::hook::kill_running();
                std::process::exit(exit.code().into());
            }
            printer.note("interrupted: cleaning up; a second signal ends the run at once");
            cancel.cancel();
        }
    });
    Ok(caught)
}
