//! Finds and runs PostgreSQL's own `pg_dump` and `pg_restore`: arguments as a vector, no shell, no password in them.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::adapters::connection::{ChildEnvironment, without_secrets};
use crate::error::{PgError, PgResult};

/// Most bytes kept of what a program prints on stderr: enough for thousands of messages; more is a flood.
const STDERR_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Lines of stderr shown in an error.
const STDERR_LINES_SHOWN: usize = 8;

/// One of PostgreSQL's client programs.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) path: PathBuf,
    /// As it says: `pg_dump (PostgreSQL) 15.18 (Debian …)`.
    pub(crate) version: String,
}

impl Tool {
    /// Finds `program` for a server of `server_major`: in `pg_bin` if given, else among the versioned installations
    /// (Debian's wrappers on PATH cost a Perl start each), else on PATH. It must not be older than the server.
    pub(crate) async fn find(program: &str, server_major: u32, pg_bin: Option<&Path>) -> PgResult<Self> {
        let mut too_old = None;
        for path in candidates(program, server_major, pg_bin) {
            let Ok(output) = serverless(&path).arg("--version").output().await else {
                continue;
            };
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match major_version(&version) {
                Some(major) if major >= server_major => return Ok(Self { path, version }),
                Some(major) => too_old = Some((path, major)),
                None => {}
            }
        }
        let help = format!(
            "install the client programs of PostgreSQL {server_major} or newer, or point --pg-bin (LASTGOOD_PG_BIN) at \
             their folder; nothing was changed"
        );
        Err(match too_old {
            Some((path, major)) => PgError::ToolMissing {
                what: format!("`{}` is of version {major} and the server of version {server_major}", path.display()),
                help,
            },
            None => PgError::ToolMissing { what: format!("there is no `{program}` here"), help },
        })
    }

    /// Its version alone: `15.18 (Debian …)`.
    pub(crate) fn release(&self) -> &str {
        self.version.split_once("(PostgreSQL) ").map_or(&self.version, |(_, release)| release)
    }

    /// A command for it, talking English, without a terminal, killed when dropped.
    pub(crate) fn command(&self, environment: &ChildEnvironment) -> Command {
        let mut command = Command::new(&self.path);
        environment.apply(&mut command);
        command.env("LC_ALL", "C").arg("--no-password").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts `command`.
    pub(crate) fn spawn(&self, command: &mut Command) -> PgResult<Child> {
        command.spawn().map_err(|error| PgError::ToolMissing {
            what: format!("`{}` cannot be started: {error}", self.path.display()),
            help: "check --pg-bin (LASTGOOD_PG_BIN)".to_owned(),
        })
    }

    /// The error for a run that ended badly.
    pub(crate) fn failed(&self, status: ExitStatus, stderr: &str) -> PgError {
        PgError::Tool { program: self.path.display().to_string(), how: how_it_ended(status), help: last_lines(stderr) }
    }
}

fn candidates(program: &str, server_major: u32, pg_bin: Option<&Path>) -> Vec<PathBuf> {
    if let Some(folder) = pg_bin {
        return vec![folder.join(program)];
    }
    // The newest version is always one more than the oldest still supported plus four; ten ahead is for ever.
    let versioned = (server_major..server_major + 10).flat_map(|major| {
        [format!("/usr/lib/postgresql/{major}/bin"), format!("/usr/pgsql-{major}/bin")]
            .map(|folder| Path::new(&folder).join(program))
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(program)).collect::<Vec<_>>();
    versioned.chain(on_path).filter(|path| path.is_file()).collect()
}

/// The major version in the output of `--version`.
pub(crate) fn major_version(version: &str) -> Option<u32> {
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Reads a program's stderr to its end, keeping a bounded beginning.
pub(crate) async fn read_stderr(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut kept = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let room = STDERR_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
    if kept.len() >= STDERR_BYTES_MAX {
        kept.extend_from_slice(b"\nerror: more messages than can be kept\n");
    }
    String::from_utf8_lossy(&kept).into_owned()
}

pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

/// A command that talks to no server and needs nothing of ours: English, without input, killed when dropped.
pub(crate) fn serverless(program: &Path) -> Command {
    let mut command = Command::new(program);
    without_secrets(&mut command);
    command.env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What `pg_restore --list` prints of an archive. The inner error is what it says of one it cannot read.
pub(crate) async fn list_archive(pg_restore: &Tool, archive: &Path) -> std::io::Result<Result<String, String>> {
    let mut command = serverless(&pg_restore.path);
    command.arg("--list").arg(archive);
    let output = command.output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(last_lines(&text(&output.stderr))) })
}

/// The last lines a program printed, for an error's help.
pub(crate) fn last_lines(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return "it printed no message; nothing was published or switched".to_owned();
    }
    format!("it said: {}", lines[lines.len().saturating_sub(STDERR_LINES_SHOWN)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_programs_print() {
        for (text, major) in [
            ("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some(15)),
            ("pg_restore (PostgreSQL) 17beta1", Some(17)),
            ("pg_dump (PostgreSQL) 9.6.24", Some(9)),
            ("something else", None),
        ] {
            assert_eq!(major_version(text), major, "{text}");
        }
    }
}
