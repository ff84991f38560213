//! Runs a hook's command in a process group of its own, and ends all of that group when it is time.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The shell that hooks are written for.
const SHELL: &str = "/bin/sh";

/// How long a command that was told to end may take for it, before it is killed: enough to roll back.
const GRACE: Duration = Duration::from_secs(5);

/// How long the output of a command that has ended is still read. Only what left the command's process group, a daemon,
/// can still hold it open.
const DRAIN: Duration = Duration::from_secs(1);

/// Bytes read at once: a pipe's default capacity on Linux.
const READ_BYTES: usize = 64 * 1024;

/// The process groups that run now.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills everything that runs; see [`crate::hook::kill_running`].
pub(crate) fn kill_running() {
    for group in running().iter() {
        let _ = kill_process_group(*group, Signal::KILL);
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// By itself, or by somebody else's signal.
    Exited(ExitStatus),
    /// We ended it: its time was up.
    TimedOut,
    /// We ended it: the run is to stop.
    Cancelled,
}

/// A shell for `line`; what it has to know is put into its environment by the caller.
pub(crate) fn shell(line: &str) -> Command {
    let mut command = Command::new(SHELL);
    command.arg("-c").arg(line);
    command
}

/// Runs `command` to its end, at most for `limit`. `take` gets what it prints, both streams in the order in which they
/// were written. When this returns or is dropped, nothing of its process group runs any more.
///
/// # Errors
/// When it cannot be started or waited for.
pub(crate) async fn run(
    mut command: Command,
    limit: Duration,
    cancel: &CancellationToken,
    mut take: impl FnMut(&[u8]),
) -> io::Result<Ending> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0).kill_on_drop(true);
    let mut group = Group::spawn(&mut command)?;
    // It holds the pipe's other end.
    drop(command);
    let mut output =
        Printed { pipe: Some(pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?), buffer: vec![0; READ_BYTES] };
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => Some(Ending::Cancelled),
        () = tokio::time::sleep(limit) => Some(Ending::TimedOut),
        ended = output.until(group.leader_ends(), &mut take) => ended.map(|()| None)?,
    };
    if ended.is_some() {
        group.signal(Signal::TERM);
        let _ = tokio::time::timeout(GRACE, output.until(group.leader_ends(), &mut take)).await;
    }
    group.signal(Signal::KILL);
    let status = group.reap().await?;
    let _ = tokio::time::timeout(DRAIN, output.rest(&mut take)).await;
    Ok(ended.unwrap_or(Ending::Exited(status)))
}

/// What is still to be read.
struct Printed {
    pipe: Option<pipe::Receiver>,
    buffer: Vec<u8>,
}

impl Printed {
    /// Reads until `event`.
    async fn until(
        &mut self,
        event: impl Future<Output = io::Result<()>>,
        take: &mut impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let mut event = std::pin::pin!(event);
        tokio::select! {
            done = &mut event => return done,
            () = self.rest(take) => {}
        }
        event.await
    }

    /// Reads until nobody can write any more.
    async fn rest(&mut self, take: &mut impl FnMut(&[u8])) {
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut self.buffer).await {
                Ok(count @ 1..) => take(&self.buffer[..count]),
                _ => self.pipe = None,
            }
        }
    }
}

/// A process group whose leader is our child. Dropping it kills the group.
struct Group {
    child: Child,
    id: Pid,
    /// Until the leader is reaped its number, and so the group's, cannot become anybody else's.
    reaped: bool,
}

impl Group {
    fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let id = id.ok_or_else(|| io::Error::other("a process without an id"))?;
        running().push(id);
        Ok(Self { child, id, reaped: false })
    }

    /// Waits until the leader has ended, and leaves it unreaped.
    fn leader_ends(&self) -> impl Future<Output = io::Result<()>> + use<> {
        let id = self.id;
        async move {
            // Listening before looking: an end between the two is not missed.
            let mut children = signal(SignalKind::child())?;
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            while waitid(WaitId::Pid(id), look)?.is_none() {
                children.recv().await;
            }
            Ok(())
        }
    }

    fn signal(&self, signal: Signal) {
        if !self.reaped {
            // Nobody there any more is what is wanted.
            let _ = kill_process_group(self.id, signal);
        }
    }

    async fn reap(&mut self) -> io::Result<ExitStatus> {
        running().retain(|other| *other != self.id);
        let status = self.child.wait().await?;
        self.reaped = true;
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        running().retain(|other| *other != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run_line(line: &str, limit: Duration) -> (Ending, String) {
        let mut said = Vec::new();
        let ending = run(shell(line), limit, &CancellationToken::new(), |bytes| said.extend_from_slice(bytes)).await;
        (ending.unwrap(), String::from_utf8(said).unwrap())
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn both_streams_come_in_order_and_the_exit_code_is_the_shells() {
        let (ending, said) = run_line("echo a; echo b >&2; echo c; exit 7", LONG).await;
        assert_eq!(said, "a\nb\nc\n");
        assert!(matches!(ending, Ending::Exited(status) if status.code() == Some(7)), "{ending:?}");
    }

    #[tokio::test]
    async fn p10_what_hangs_is_ended_with_all_it_started() {
        let (ending, said) =
            run_line("trap 'echo ending' TERM; sleep 1000 & echo $!; wait; wait", Duration::from_millis(300)).await;
        assert!(matches!(ending, Ending::TimedOut), "{ending:?}");
        let (child, rest) = said.split_once('\n').unwrap();
        assert_eq!(rest, "ending\n");
        let child = Pid::from_raw(child.parse().unwrap()).unwrap();
        // The sleeper was told to end with the shell.
        gone(child).await;
    }

    #[tokio::test]
    async fn what_a_command_leaves_in_the_background_ends_with_it() {
        let (ending, said) = run_line("sleep 1000 & echo $!", LONG).await;
        assert!(matches!(ending, Ending::Exited(status) if status.success()), "{ending:?}");
        let child = Pid::from_raw(said.trim().parse().unwrap()).unwrap();
        gone(child).await;
    }

    #[tokio::test]
    async fn a_cancelled_run_ends_its_command() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let ending = run(shell("sleep 1000"), LONG, &cancel, |_| {}).await.unwrap();
        assert!(matches!(ending, Ending::Cancelled), "{ending:?}");
    }

    /// Waits until it runs no more: a kill takes effect when the kernel gets to it.
    async fn gone(id: Pid) {
        let gone = async {
            while is_running(id) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, gone).await.unwrap();
    }

    /// Whether it runs; a killed process that nobody has waited for yet does not.
    fn is_running(id: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }
}
