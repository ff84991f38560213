//! Questions on a terminal; without one, the answer must be on the command line.

use std::io::{self, BufRead, IsTerminal, Write};

use tokio_util::sync::CancellationToken;

use crate::error::{CliError, CliResult};
use crate::render::escape::escape;
use crate::render::printer::stderr_is_terminal;

/// Longest answer read, in bytes: four times PostgreSQL's longest name, in case somebody pastes the wrong thing.
const ANSWER_BYTES_MAX: u64 = 256;

/// Whether a question would be seen and could be answered.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && stderr_is_terminal()
}

/// Asks `question` and returns the typed line without white space around it.
///
/// # Errors
/// [`CliError::Interrupted`] if the run is cancelled or the input ends.
pub(crate) async fn ask(question: &str, cancel: &CancellationToken) -> CliResult<String> {
    let mut stderr = anstream::stderr();
    let _unseen = write!(stderr, "{} ", escape(question)).and_then(|()| stderr.flush());
    let (send, answer) = tokio::sync::oneshot::channel();
    // Not a task of the runtime's: its end would wait for a line that may never come.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::Read::take(io::stdin().lock(), ANSWER_BYTES_MAX).read_line(&mut line);
        // Nobody waits for the answer any more if the run was cancelled.
        let _unwanted = send.send(read.ok().filter(|bytes| *bytes > 0).map(|_| line));
    });
    tokio::select! {
        () = cancel.cancelled() => Err(CliError::Interrupted),
        line = answer => match line {
            Ok(Some(line)) => Ok(line.trim().to_owned()),
            _ => Err(CliError::Interrupted),
        },
    }
}

/// Goes on if somebody answers `y`.
///
/// # Errors
/// [`CliError::Confirm`] with `what` if nobody can be asked or the answer is no.
pub(crate) async fn require_yes(what: &str, cancel: &CancellationToken) -> CliResult<()> {
    let refused = |help: &str| Err(CliError::Confirm { what: format!("{what}: not confirmed"), help: help.to_owned() });
    if !is_interactive() {
        return refused("nothing was changed; `-n` shows the plan, `--yes` confirms it");
    }
    let answer = ask(&format!("{what}. Continue? [y/N]"), cancel).await?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    refused("nothing was changed")
}
