//! What every job needs: the server, the binary, a place to work, and how the runs of one round are ordered.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::measure::{self, Measurement};
use super::report;
use crate::Outcome;
use crate::server::Server;

/// Name of the generated database.
pub(crate) const SHOP: &str = "shop";

/// The setting of a benchmark.
#[derive(Debug)]
pub(crate) struct Context {
    /// The throwaway server.
    pub(crate) server: Server,
    /// The binary under test.
    pub(crate) lastgood: PathBuf,
    /// A folder for what is made; gone at the end.
    pub(crate) work: TempDir,
    /// Size of the data; 1 is about 800 MB.
    pub(crate) scale: f64,
    /// Runs of each contender.
    pub(crate) rounds: usize,
    /// Workers of ours, if not as many as it takes by itself.
    pub(crate) jobs: Option<usize>,
    /// For clients and for the S3 peer.
    pub(crate) runtime: Runtime,
}

impl Context {
    /// The same on another server.
    pub(crate) fn elsewhere(&self, server: Server) -> Outcome<Self> {
        Ok(Self {
            server,
            lastgood: self.lastgood.clone(),
            work: tempfile::Builder::new().prefix("lastgood-bench-").tempdir()?,
            scale: self.scale,
            rounds: self.rounds,
            jobs: self.jobs,
            runtime: Runtime::new()?,
        })
    }

    /// A path in the work folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// `lastgood` with `args`, connected to the server, and with nothing of this machine's configuration.
    pub(crate) fn lastgood(&self, args: &[&str]) -> Command {
        self.by(&self.lastgood, args)
    }

    fn by(&self, binary: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command.args(args).env("LASTGOOD_PROGRESS", "never").env("NO_COLOR", "1");
        command.env_remove("LASTGOOD_REPO").env_remove("DATABASE_URL").env_remove("LASTGOOD_PG_URL");
        self.server.point(&mut command);
        command
    }

    /// `lastgood pg dump DATABASE` into `location`, which is made where it is missing.
    pub(crate) fn dump(&self, database: &str, location: &str) -> Command {
        self.dump_by(&self.lastgood, database, location)
    }

    /// The same by another build.
    pub(crate) fn dump_by(&self, binary: &Path, database: &str, location: &str) -> Command {
        self.with_jobs(self.by(binary, &["pg", "dump", database, "-r", location, "--init"]))
    }

    /// `lastgood pg restore DATABASE` from `location` into the new database `into`.
    pub(crate) fn restore(&self, database: &str, location: &str, into: &str) -> Command {
        self.restore_by(&self.lastgood, database, location, into)
    }

    /// The same by another build.
    pub(crate) fn restore_by(&self, binary: &Path, database: &str, location: &str, into: &str) -> Command {
        self.with_jobs(self.by(binary, &["pg", "restore", database, "-r", location, "--into", into]))
    }

    fn with_jobs(&self, mut command: Command) -> Command {
        if let Some(jobs) = self.jobs {
            command.args(["--jobs", &jobs.to_string()]);
        }
        command
    }

    /// One of PostgreSQL's programs with `args`, connected to the server.
    pub(crate) fn program(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.server.program(name));
        command.args(args);
        self.server.point(&mut command);
        command
    }

    /// A program of another package with `args`.
    pub(crate) fn program_on_path(name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(name);
        command.args(args);
        command
    }

    /// Runs one SQL statement as django-pgclone does: in a psql of its own, from a file.
    pub(crate) fn psql_file(&self, statement: &str) -> Outcome {
        let file = self.path("statement.sql");
        std::fs::write(&file, statement)?;
        let args =
            ["-d", "postgres", "-o", "/dev/null", "-a", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", "-f", text(&file)];
        succeed(self.program("psql", &args))
    }

    /// Runs and measures, and says so.
    pub(crate) fn measure(
        &self,
        round: usize,
        name: &str,
        commands: Vec<Command>,
        made: &Path,
    ) -> Outcome<Measurement> {
        let mut run = measure::run(commands, Some(&self.server), None).map_err(|error| format!("{name}: {error}"))?;
        run.output_bytes = measure::size_bytes(made);
        report::show(round, name, &run);
        Ok(run)
    }

    /// Runs and measures one of ours that may write nothing to local disks: working, home and temporary folder are one
    /// new folder, whose largest size counts as disk use. `made` tells the bytes of what was made.
    pub(crate) fn diskless(
        &self,
        round: usize,
        name: &str,
        mut command: Command,
        made: impl Fn() -> u64,
    ) -> Outcome<Measurement> {
        let private = tempfile::tempdir_in(self.work.path())?;
        command.current_dir(private.path()).env("TMPDIR", private.path()).env("HOME", private.path());
        let run = measure::run(vec![command], Some(&self.server), Some(private.path()));
        let mut run = run.map_err(|error| format!("{name}: {error}"))?;
        run.output_bytes = made();
        report::show(round, name, &run);
        Ok(run)
    }

    /// The order of `contenders` in `round`: each begins as often as the others, so that no one always runs first.
    pub(crate) fn order<T: Copy, const N: usize>(round: usize, contenders: [T; N]) -> [T; N] {
        let mut order = contenders;
        order.rotate_left(round % N);
        order
    }
}

/// Runs `command` to its end without measuring; it must succeed.
pub(crate) fn succeed(mut command: Command) -> Outcome {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` ended with {}: {}", command.get_program().display(), output.status, stderr.trim()).into())
}

/// Text of a path made by us.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_begins_once() {
        let first: Vec<char> = (0..3).map(|round| Context::order(round, ['a', 'b', 'c'])[0]).collect();
        assert_eq!(first, ['a', 'b', 'c']);
    }
}
