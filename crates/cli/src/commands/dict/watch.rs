//! `lastgood dict watch`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use backup_core::secret::Redactor;
use backup_core::store::SharedStore;
use dictstore_backup::list::{self, State};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::args::dict::Watch;
use crate::commands::dict::asked::open;
use crate::commands::dict::lock::{self, Kind};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Watch, context: &Context) -> CliResult<Exit> {
    refuse_missing(&arguments.exec)?;
    let store = open(&arguments.place, context).await?;
    let mut watched = Watched::new(arguments.of.source.clone());
    let found = {
        let _lock = lock::take(&arguments.lock, Kind::Shared, context).await?;
        watched.look(&store, context).await?
    };
    let mut seen: HashSet<String> = found.into_iter().collect();
    context.printer.note(&format!(
        "watching {}: {} so far",
        store.describe(),
        counted(seen.len() as u64, "backup", "backups")
    ));
    let mut ran = 0;
    while arguments.count.is_none_or(|count| ran < count) {
        let pause = async {
            tokio::time::sleep(arguments.every).await;
            Ok(())
        };
        context.or_cancelled(pause).await?;
        // Given back before the program runs: whoever writes here need not wait for it.
        let found = {
            let _lock = lock::take(&arguments.lock, Kind::Shared, context).await?;
            watched.look(&store, context).await?
        };
        for file in found {
            if arguments.count.is_none_or(|count| ran < count) && seen.insert(file.clone()) {
                execute(arguments, &file, context).await?;
                ran += 1;
            }
        }
    }
    Ok(Exit::Ok)
}

/// The one store whose backups are watched: the one that was named, or else the only one that has backups first.
struct Watched {
    source: Option<String>,
    /// Whether it was said that others write here too.
    told: bool,
}

impl Watched {
    fn new(source: Option<String>) -> Self {
        Self { source, told: false }
    }

    /// The backups of that store, oldest first.
    async fn look(&mut self, store: &SharedStore, context: &Context) -> CliResult<Vec<String>> {
        let source = self.source.as_deref();
        let looked = context.or_cancelled(async { Ok(list::of_one_store(&**store, source).await?) }).await?;
        if let Some(identity) = looked.entries.iter().rev().find_map(|entry| entry.identity()) {
            self.source = Some(identity.id.clone());
        }
        if looked.others > 0 && !std::mem::replace(&mut self.told, true) {
            context
                .printer
                .warn("there are also backups of another store here, which are ignored; choose a store with --source");
        }
        let known = |entry: &&list::Entry| matches!(entry.state, State::Good | State::Foreign);
        Ok(looked.entries.iter().filter(known).map(|entry| entry.name.to_string()).collect())
    }
}

/// Refuses a program that is not there before anything is waited for: the first backup may come in the night.
fn refuse_missing(program: &Path) -> CliResult<()> {
    if candidates(program, std::env::var_os("PATH")).iter().any(|path| is_executable(path)) {
        return Ok(());
    }
    let what = format!("there is no program `{}`", program.display());
    Err(CliError::usage(
        what,
        "nothing is watched. `--exec` takes one program, without arguments: a path, or a name on PATH",
    ))
}

/// Where the system looks for a program.
fn candidates(program: &Path, path: Option<OsString>) -> Vec<PathBuf> {
    if program.components().count() > 1 || program.is_absolute() {
        return vec![program.to_owned()];
    }
    std::env::split_paths(&path.unwrap_or_else(|| "/bin:/usr/bin".into())).map(|folder| folder.join(program)).collect()
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Runs the program and waits for it. That it failed is told; the next backup runs it again. What it prints is passed on
/// without secrets, as that of every other program is.
async fn execute(arguments: &Watch, file: &str, context: &Context) -> CliResult<()> {
    let program = arguments.exec.display();
    let failed = |source| CliError::Output { action: format!("run `{program}`"), source };
    let mut command = Command::new(&arguments.exec);
    command.arg(file).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let printer = &context.printer;
    let mut printed = std::pin::pin!(async {
        let (out, said) = tokio::join!(
            pass_on(stdout, |line| printer.bytes(&masked(line, printer.redactor()))),
            pass_on(stderr, |line| {
                printer.stderr(&String::from_utf8_lossy(line));
                Ok(())
            })
        );
        out.and(said)
    });
    let ended = async {
        let mut is_printed = false;
        let status = loop {
            tokio::select! {
                printed = &mut printed, if !is_printed => {
                    printed?;
                    is_printed = true;
                }
                status = child.wait() => break status,
            }
        };
        if !is_printed {
            // What it left running may print for ever.
            tokio::time::timeout(LAST_WORDS, printed).await.unwrap_or(Ok(()))?;
        }
        Ok(status)
    };
    let status = context.or_cancelled(ended).await?.map_err(failed)?;
    if !status.success() {
        context.printer.warn(&format!("`{program}` ended with {status} for `{file}`; still watching"));
    }
    Ok(())
}

/// How long what a program printed is waited for once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Bytes of a line that are looked at together.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// Gives everything that comes to `show`, a line at a time.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, show: impl Fn(&[u8]) -> CliResult<()>) -> CliResult<()> {
    let Some(from) = from else { return Ok(()) };
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        let read = (&mut from).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await;
        // Whatever a pipe has to say of itself is not the program's.
        if read.unwrap_or_default() == 0 {
            return Ok(());
        }
        show(&line)?;
    }
}

/// The line as it is, unless there is a secret in it.
fn masked<'l>(line: &'l [u8], redactor: &Redactor) -> Cow<'l, [u8]> {
    let text = String::from_utf8_lossy(line);
    let without = redactor.redact(&text);
    if without == text { Cow::Borrowed(line) } else { Cow::Owned(without.into_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_program_prints_is_passed_on_but_for_secrets() {
        let redactor = Redactor::new();
        redactor.register(&backup_core::secret::Secret::new("hunter2"));
        let seen = std::sync::Mutex::new(Vec::new());
        let show = |line: &[u8]| {
            seen.lock().unwrap().extend_from_slice(&masked(line, &redactor));
            Ok(())
        };
        let printed = b"one\n\xff\x00 raw\nwith hunter2 in it\nno end".as_slice();
        pass_on(Some(printed), show).await.unwrap();
        pass_on(None::<&[u8]>, |_| panic!("nothing")).await.unwrap();
        assert_eq!(seen.into_inner().unwrap(), b"one\n\xff\x00 raw\nwith **** in it\nno end");
    }

    #[test]
    fn a_program_is_looked_for_where_the_system_does() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("react");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        assert!(refuse_missing(&program).is_err(), "it is not executable");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(refuse_missing(&program).is_ok());
        let told = refuse_missing(&folder.path().join("nothing")).unwrap_err().to_string();
        assert!(told.contains("nothing"), "{told}");
        assert!(refuse_missing(folder.path()).is_err(), "a folder is no program");
        let path = std::env::join_paths([folder.path().join("a"), folder.path().to_owned()]).unwrap();
        assert_eq!(candidates(Path::new("react"), Some(path))[1], program);
        assert_eq!(candidates(Path::new("./react"), None), [Path::new("./react")]);
    }
}
