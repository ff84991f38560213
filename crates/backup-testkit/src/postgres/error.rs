//! Errors of throwaway clusters.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Names the folder of the server binaries to use, instead of the newest ones found.
pub(super) const BIN_DIR_VARIABLE: &str = "LASTGOOD_PG_SERVER_BIN";

/// Why a cluster, or a program run against it, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// There is no Postgres server on this machine.
    #[error(
        "no Postgres server binaries found; install the server (Debian: `postgresql`) or set {} to their folder",
        BIN_DIR_VARIABLE
    )]
    NoBinaries,
    /// There is no server of a version that was asked for.
    #[error(
        "no server of PostgreSQL {major} here; `cargo xtask e2e --only versions` fetches servers, and LASTGOOD_PG_SERVERS names their folders"
    )]
    NoVersion {
        /// The major version.
        major: u32,
    },
    /// A server came without `psql` and `pg_dump`, and nothing else here is new enough to talk to it.
    #[error("no clients for a server of PostgreSQL {major} here")]
    NoClients {
        /// The server's major version.
        major: u32,
    },
    /// Postgres refuses to run as root, and there is no other user to run it as.
    #[error("running as root, and there is no user `postgres` to run the server as")]
    NoServerUser,
    /// No folder for temporary files can be used.
    #[error("no folder for a cluster: `TMPDIR` and the others are too long for a socket or closed to other users")]
    NoFolder,
    /// Every port that was tried was taken.
    #[error("no free port in {attempts} attempts; the server said:\n{log}")]
    NoPort {
        /// How many were tried.
        attempts: u32,
        /// The end of the server's log.
        log: String,
    },
    /// A file or process could not be worked with.
    #[error("cannot {action} `{path}`: {source}", path = path.display())]
    Io {
        /// What was tried: a verb.
        action: &'static str,
        /// The file or program.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("`{program}` failed ({status}):\n{stderr}", program = program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// The server ended instead of coming up.
    #[error("the server ended while starting ({status}):\n{log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// The server runs and does not get where it should.
    #[error("the server did not {what} in {timeout_s} s:\n{log}")]
    Timeout {
        /// What it should have done: a verb.
        what: &'static str,
        /// How long it had, in seconds.
        timeout_s: u64,
        /// The end of its log.
        log: String,
    },
}

impl ClusterError {
    /// Says what was done to which file.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
