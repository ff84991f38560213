//! Finds and runs PostgreSQL's own `pg_dump` and `pg_restore`: arguments as a vector, no shell, no password in them.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::adapters::connection::{ChildEnvironment, without_secrets};
use crate::error::{PgError, PgResult, no_connection};

/// Most bytes kept of what a program prints on stderr: enough for thousands of messages; more is a flood.
const STDERR_BYTES_MAX: usize = 4 * 1024 * 1024;

/// First major version with the parameter `transaction_timeout` (PostgreSQL 17 release notes).
const TRANSACTION_TIMEOUT_MAJOR: u32 = 17;

/// Lines of stderr shown in an error.
const STDERR_LINES_SHOWN: usize = 8;

/// One of PostgreSQL's client programs.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) path: PathBuf,
    /// As it says: `pg_dump (PostgreSQL) 15.18 (Debian …)`.
    pub(crate) version: String,
    /// Its major version.
    pub(crate) major: u32,
    /// That of the server it was chosen for.
    pub(crate) server_major: u32,
}

impl Tool {
    /// Finds `program`: in `pg_bin` if given, else among the versioned installations (Debian's wrappers on PATH cost a Perl
    /// start each) and on PATH. Of several, the oldest that is new enough: the closer to the server, the less it sends that
    /// the server does not know.
    pub(crate) async fn find(program: &str, need: Need, pg_bin: Option<&Path>) -> PgResult<Self> {
        let mut found: Vec<Self> = Vec::new();
        for path in candidates(program, need.server_major, pg_bin) {
            let output = match serverless(&path).arg("--version").output().await {
                Ok(output) => output,
                Err(error) => match machine_failed(error) {
                    Some(failed) => return Err(failed),
                    // It is for another machine, or may not be executed.
                    None => continue,
                },
            };
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let Some(major) = major_version(&version) else { continue };
            found.push(Self { path, version, major, server_major: need.server_major });
            if major == need.least() {
                break; // nothing can be better
            }
        }
        let majors: Vec<u32> = found.iter().map(|tool| tool.major).collect();
        match choose(&majors, need.least()) {
            Some(at) => Ok(found.swap_remove(at)),
            None => Err(need.unmet(program, found.iter().max_by_key(|tool| tool.major))),
        }
    }

    /// Whether it is a `pg_restore` that sets, in each of its sessions, a parameter that the server does not know. From 17 on
    /// it switches `transaction_timeout` off without asking for the server's version (pgadmin-org/pgadmin4#8044).
    pub(crate) fn sends_unknown_setting(&self) -> bool {
        self.major >= TRANSACTION_TIMEOUT_MAJOR && self.server_major < TRANSACTION_TIMEOUT_MAJOR
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
        tracing::debug!(target: "pg_clone::program", program = %self.path.display(), version = self.major, "started");
        command.spawn().map_err(|error| {
            let what = format!("`{}` cannot be started: {error}", self.path.display());
            machine_failed(error).unwrap_or(PgError::ToolMissing { what, help: remedy!["check ", Setting::PgBin] })
        })
    }

    /// The error for a run that ended badly.
    pub(crate) fn failed(&self, status: ExitStatus, stderr: &str) -> PgError {
        let mut help = Remedy::from(last_lines(stderr));
        if let Some(helps) = what_helps(stderr) {
            help = help.and("\n").and(helps);
        }
        PgError::Tool { program: self.path.display().to_string(), how: how_it_ended(status), help }
    }
}

/// The error, if no program at all could have been started: the machine has no room for one more, or this process none for the
/// pipes to it.
fn machine_failed(error: std::io::Error) -> Option<PgError> {
    const NO_ROOM: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN];
    let is_no_room = Errno::from_io_error(&error).is_some_and(|errno| NO_ROOM.contains(&errno));
    is_no_room.then_some(PgError::Machine {
        what: "this machine cannot start another program",
        safe: "nothing was changed by it. Raise the limit (`ulimit -n` for open files, `ulimit -u` for processes), or run with fewer \
               parallel connections",
        source: error,
    })
}

/// What a program must be able to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    server_major: u32,
    /// Major version of the `pg_dump` whose archive it is to read.
    archive_major: Option<u32>,
}

impl Need {
    /// To talk to a server: both programs refuse one that is newer than they are, or may miss what is new in it.
    pub(crate) fn server(server_major: u32) -> Self {
        Self { server_major, archive_major: None }
    }

    /// To read an archive as well, of a `pg_dump` that says this of itself.
    pub(crate) fn reading(self, pg_dump_version: &str) -> Self {
        Self { archive_major: major_version(pg_dump_version), ..self }
    }

    /// The oldest major version that will do.
    fn least(self) -> u32 {
        self.server_major.max(self.archive_major.map_or(0, oldest_reader))
    }

    /// The error when nothing new enough is there; `newest` is the best of what is.
    fn unmet(self, program: &str, newest: Option<&Tool>) -> PgError {
        let least = self.least();
        let what = match (newest, self.archive_major) {
            (None, _) => format!("`{program}` was not found"),
            (Some(tool), Some(archive)) if tool.major >= self.server_major => format!(
                "`{}` has version {} and cannot read the dump's archive, which `pg_dump` {archive} wrote",
                tool.path.display(),
                tool.major
            ),
            (Some(tool), _) => format!(
                "`{}` has version {}, but the server has version {}",
                tool.path.display(),
                tool.major,
                self.server_major
            ),
        };
        let help = remedy![
            format!("nothing was changed. Install the client programs of PostgreSQL {least} or newer, or point "),
            Setting::PgBin,
            " at their folder"
        ];
        PgError::ToolMissing { what, help }
    }
}

/// The oldest `pg_restore` that reads what `pg_dump` of this version writes. Archives have versions of their own: 1.14 since
/// PostgreSQL 12, 1.15 in 16, 1.16 in 17 and 18 (`K_VERS_*` of `pg_backup_archiver.h`). Of what comes later nothing is known.
fn oldest_reader(pg_dump_major: u32) -> u32 {
    match pg_dump_major {
        0..=15 => 12,
        18 => 17,
        other => other,
    }
}

/// The one to take of programs of these versions: the oldest that is new enough, the first of equals.
fn choose(majors: &[u32], least: u32) -> Option<usize> {
    let fit = majors.iter().enumerate().filter(|(_, major)| **major >= least);
    fit.min_by_key(|(at, major)| (**major, *at)).map(|(at, _)| at)
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
    print_archive(pg_restore, "--list", archive).await
}

/// The statements that restoring an archive would run, printed by `pg_restore`; errors as of [`list_archive`].
pub(crate) async fn archive_script(pg_restore: &Tool, archive: &Path) -> std::io::Result<Result<String, String>> {
    print_archive(pg_restore, "--file=-", archive).await
}

async fn print_archive(pg_restore: &Tool, how: &str, archive: &Path) -> std::io::Result<Result<String, String>> {
    let mut command = serverless(&pg_restore.path);
    command.arg(how).arg(archive);
    let output = command.output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(last_lines(&text(&output.stderr))) })
}

/// The next thing to do, if what a program printed tells.
pub(crate) fn what_helps(said: &str) -> Option<Remedy> {
    /// What a server says that has no connection left, for anybody, for all but superusers, for a role and in a database.
    const NO_CONNECTION_SAID: [&str; 4] = [
        "too many clients already",
        "remaining connection slots are reserved",
        "too many connections for role",
        "too many connections for database",
    ];
    NO_CONNECTION_SAID.iter().any(|text| said.contains(text)).then(|| no_connection(said))
}

/// The last lines a program printed, for an error's help.
pub(crate) fn last_lines(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return "it printed no message; nothing was published or swapped".to_owned();
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

    #[test]
    fn the_oldest_that_is_new_enough_is_taken() {
        for (majors, least, chosen) in [
            (&[15, 16, 17][..], 16, Some(1)),
            (&[17, 14, 16], 15, Some(2)),
            (&[18, 17, 17], 15, Some(1)),
            (&[14, 13], 15, None),
            (&[], 15, None),
        ] {
            assert_eq!(choose(majors, least), chosen, "{majors:?} for {least}");
        }
    }

    #[test]
    fn an_archive_is_read_by_what_knows_its_layout() {
        let least = |archive: &str| Need::server(15).reading(archive).least();
        assert_eq!(["9.6.24", "14.2", "15.18 (Debian)"].map(least), [15, 15, 15]);
        assert_eq!(["16.0", "17.5", "pg_dump (PostgreSQL) 18.1", "19beta1", "?"].map(least), [16, 17, 17, 19, 15]);
        assert_eq!(Need::server(17).reading("15.1").least(), 17);
    }

    #[test]
    fn a_refusal_names_both_versions_and_what_to_install() {
        let tool = Tool { path: "/bin/pg_restore".into(), version: String::new(), major: 15, server_major: 15 };
        let said = |need: Need, newest| match need.unmet("pg_restore", newest) {
            PgError::ToolMissing { what, help } => format!("{what}; {help}"),
            other => panic!("{other}"),
        };
        let archive = said(Need::server(15).reading("18.1"), Some(&tool));
        assert!(
            archive.contains("has version 15 and cannot read") && archive.contains("`pg_dump` 18 wrote"),
            "{archive}"
        );
        assert!(archive.contains("PostgreSQL 17 or newer"), "{archive}");
        let server = said(Need::server(17).reading("18.1"), Some(&tool));
        assert!(server.contains("has version 15, but the server has version 17"), "{server}");
        assert!(said(Need::server(15), None).contains("`pg_restore` was not found"));
        assert!(!tool.sends_unknown_setting());
        assert!(Tool { major: 17, ..tool.clone() }.sends_unknown_setting());
        assert!(!Tool { major: 18, server_major: 17, ..tool }.sends_unknown_setting());
    }
}
