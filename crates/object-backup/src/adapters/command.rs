//! A program that prints the records of one type, one JSON object per line.

use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use backup_core::source::Identity;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio_util::sync::CancellationToken;

use super::{lines, local};
use crate::error::{ObjectError, ObjectResult};
use crate::source::{Available, Source, Take, View};
use crate::type_key::TypeKey;

const KIND: &str = "exec";

/// Bytes kept of what a failed program said last.
const SAID_BYTES: usize = 2048;

/// Variables of this prefix are for us: locations and servers of other backups are no business of the program.
const OWN_VARIABLES: &str = "LASTGOOD_";

/// A program to run for each type, without a shell. It is run twice for types of more than a few mebibytes: a member's
/// size stands before its content.
#[derive(Clone, Debug)]
pub struct CommandSource {
    words: Vec<String>,
}

impl CommandSource {
    /// Splits `line` into words as a shell would. In each word `{type}` and `{table}` stand for the names.
    ///
    /// # Errors
    /// [`ObjectError::Usage`] for a quote without an end, and if no word names the type.
    pub fn new(line: &str) -> ObjectResult<Self> {
        let help = "use a program and its arguments, such as `./export.sh {type}`";
        let words = shlex::split(line).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| ObjectError::usage(format!("`{line}` is not a command"), help))?;
        if !words.iter().any(|word| word.contains("{type}") || word.contains("{table}")) {
            return Err(ObjectError::usage(
                format!("`{line}` has neither `{{type}}` nor `{{table}}` in its arguments"),
                help,
            ));
        }
        Ok(Self { words })
    }

    fn words(&self, key: &TypeKey) -> Vec<String> {
        let fill = |word: &String| {
            // In one pass: a table called `{type}` stays one.
            let parts = word.split("{type}").map(|part| part.replace("{table}", &key.table));
            parts.collect::<Vec<_>>().join(&key.type_name)
        };
        self.words.iter().map(fill).collect()
    }
}

impl Source for CommandSource {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn open(&self, cancel: &CancellationToken) -> ObjectResult<Box<dyn View>> {
        Ok(Box::new(Programs { source: self.clone(), cancel: cancel.clone() }))
    }
}

/// A program run for each type.
struct Programs {
    source: CommandSource,
    cancel: CancellationToken,
}

impl View for Programs {
    fn identity(&mut self) -> ObjectResult<Option<Identity>> {
        Ok(Some(local::of_command(KIND, &self.source.words)))
    }

    fn types(&mut self) -> ObjectResult<Option<Vec<Available>>> {
        Ok(None)
    }

    fn read(&mut self, key: &TypeKey, take: &mut Take<'_>) -> ObjectResult<()> {
        let words = self.source.words(key);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(OWN_VARIABLES) {
                command.env_remove(name);
            }
        }
        let failed = |what: String| ObjectError::Command { command: format!("{} ({key})", words[0]), what };
        let mut running =
            Running::start(command, &self.cancel).map_err(|error| failed(format!("cannot be run: {error}")))?;
        if let Some(output) = running.child.stdout.take() {
            lines::each(output, take, |error| failed(format!("cannot be read: {error}")))?;
        }
        let (status, said) = running.finish().map_err(|error| failed(format!("was lost: {error}")))?;
        if status.success() {
            return Ok(());
        }
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing");
        Err(failed(format!("ended with {status}: {last}")))
    }
}

/// A program that is ended and reaped whatever happens, with all that it started.
struct Running {
    child: Child,
    said: Option<JoinHandle<String>>,
    /// Who ends it when the run is cancelled.
    watch: Option<tokio::task::JoinHandle<()>>,
    group: Arc<Mutex<Option<Pid>>>,
}

impl Running {
    fn start(mut command: Command, cancel: &CancellationToken) -> std::io::Result<Self> {
        let mut child = command.process_group(0).spawn()?;
        // Beside the records, or a program that complains at length would wait for ever.
        let said = child.stderr.take().map(|stderr| std::thread::spawn(move || tail(stderr)));
        let group = Arc::new(Mutex::new(Some(Pid::from_child(&child))));
        let watch = tokio::runtime::Handle::try_current().ok().map(|runtime| {
            let (cancel, group) = (cancel.clone(), Arc::clone(&group));
            runtime.spawn(async move {
                cancel.cancelled().await;
                end(&group);
            })
        });
        Ok(Self { child, said, watch, group })
    }

    fn finish(mut self) -> std::io::Result<(ExitStatus, String)> {
        // Its number stays its own until it is reaped, and from then on nobody signals it.
        waitid(WaitId::Pid(Pid::from_child(&self.child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
        end(&self.group);
        let status = self.child.wait()?;
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        Ok((status, said))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
        end(&self.group);
        // Fails only for a program that was reaped already.
        let _ = self.child.wait();
    }
}

/// Ends the program and what it left in the background; once.
fn end(group: &Mutex<Option<Pid>>) {
    let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(group) = group.take() {
        // Fails only if nobody of the group is left.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The last of what is said.
fn tail(mut stderr: ChildStderr) -> String {
    let mut kept: VecDeque<u8> = VecDeque::new();
    let mut buffer = [0; 1024];
    while let Ok(read) = stderr.read(&mut buffer)
        && read > 0
    {
        kept.extend(&buffer[..read]);
        let over = kept.len().saturating_sub(SAID_BYTES);
        kept.drain(..over);
    }
    String::from_utf8_lossy(kept.make_contiguous()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, table: &str) -> Result<Vec<String>, String> {
        let source = CommandSource::new(line).map_err(|error| error.to_string())?;
        let mut records = Vec::new();
        let mut take = |_: Option<&str>, record: &[u8]| {
            records.push(String::from_utf8_lossy(record).into_owned());
            Ok(())
        };
        let mut view = source.open(&CancellationToken::new()).unwrap();
        let read = view.read(&TypeKey::new("T", table).unwrap(), &mut take);
        read.map(|()| records).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_arguments_and_never_shell() {
        assert_eq!(read("printf '%s\\n' {type} 'x {table}'", "$(id); {type}").unwrap(), ["T", "x $(id); {type}"]);
    }

    #[test]
    fn a_program_that_fails_says_why() {
        let error = read("sh -c 'echo record; echo one >&2; echo two >&2; exit 3' {type}", "t").unwrap_err();
        assert_eq!(error, "`sh (T--t)` ended with exit status: 3: two; nothing was published");
        assert!(read("/does/not/exist {type}", "t").unwrap_err().contains("cannot be run"));
        assert!(read("echo 'x {type}", "t").is_err());
        assert!(read("echo x", "t").unwrap_err().contains("has neither"));
    }

    #[test]
    fn a_reader_that_gives_up_ends_the_program() {
        let source = CommandSource::new("yes {type}").unwrap();
        let mut take = |_: Option<&str>, _: &[u8]| Err(ObjectError::Interrupted);
        let mut view = source.open(&CancellationToken::new()).unwrap();
        let read = view.read(&TypeKey::new("T", "t").unwrap(), &mut take);
        assert!(matches!(read, Err(ObjectError::Interrupted)));
    }

    #[tokio::test]
    async fn a_program_that_hangs_ends_when_the_run_is_cancelled() {
        let cancel = CancellationToken::new();
        let source = CommandSource::new("sh -c 'echo \"{}\"; sleep 1000' {type}").unwrap();
        let mut view = source.open(&cancel).unwrap();
        let stop = cancel.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut take = |_: Option<&str>, _: &[u8]| {
                stop.cancel();
                Ok(())
            };
            view.read(&TypeKey::new("T", "t").unwrap(), &mut take)
        });
        assert!(matches!(reading.await.unwrap(), Err(ObjectError::Command { .. })));
    }
}
