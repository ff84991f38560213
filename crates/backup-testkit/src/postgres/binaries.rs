//! Which server binaries to run, and as whom: Postgres refuses to run as root.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{BIN_DIR_VARIABLE, ClusterError};
use super::installs::{Programs, VERSIONS_DIR, has_server};

/// Names the folder of `psql`, `pg_dump` and the others, if it is not that of the server.
const CLIENT_DIR_VARIABLE: &str = "LASTGOOD_PG_CLIENT_BIN";

/// The user to run the server as when we are root.
const SERVER_USER: &str = "postgres";

/// The programs that the environment names, or else the newest ones found.
pub(super) fn find_programs() -> Result<Programs, ClusterError> {
    let mut programs = Programs::with_clients(find_server_dir()?)?;
    if let Some(client) = folder_of(CLIENT_DIR_VARIABLE) {
        programs.client = client;
    }
    Ok(programs)
}

/// The folder with `postgres`, `initdb` and the others.
fn find_server_dir() -> Result<PathBuf, ClusterError> {
    if let Some(dir) = folder_of(BIN_DIR_VARIABLE) {
        // Asked for by name: another version instead would make a test about versions meaningless.
        return Some(dir).filter(|dir| has_server(dir)).ok_or(ClusterError::NoBinaries);
    }
    let names = fs::read_dir(VERSIONS_DIR)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>())
        .unwrap_or_default();
    let debian = newest_first(names).into_iter().map(|name| Path::new(VERSIONS_DIR).join(name).join("bin"));
    debian.chain(pg_config_bin_dir()).find(|dir| has_server(dir)).ok_or(ClusterError::NoBinaries)
}

fn folder_of(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

fn pg_config_bin_dir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok().filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end()))
}

/// Version folders by number, so that 9.6 is older than 15; what is no version is left out.
fn newest_first(names: Vec<String>) -> Vec<String> {
    let number = |name: &str| name.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    let mut versions: Vec<_> = names.into_iter().filter_map(|name| Some((number(&name)?, name))).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, name)| name).collect()
}

/// The user the server runs as.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether this is somebody else, whom only root can become.
    pub(super) switch: bool,
}

impl ServerUser {
    /// Ourselves, or the user `postgres` if we are root.
    pub(super) fn find() -> Result<Self, ClusterError> {
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            return Ok(Self { uid: uid.as_raw(), gid: rustix::process::getegid().as_raw(), switch: false });
        }
        let id = |flag: &str| {
            let output = Command::new("id").args([flag, SERVER_USER]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim_end().parse::<u32>().ok()
        };
        match (id("-u"), id("-g")) {
            (Some(uid), Some(gid)) if uid != 0 => Ok(Self { uid, gid, switch: true }),
            _ => Err(ClusterError::NoServerUser),
        }
    }

    /// Gives a file or folder to this user.
    pub(super) fn own(&self, path: &Path) -> Result<(), ClusterError> {
        if self.switch {
            chown(path, Some(self.uid), Some(self.gid)).map_err(ClusterError::io("give away", path))?;
        }
        Ok(())
    }

    /// A program run as this user, in a folder it may enter.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/");
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let names = ["9.6", "15", "common", "10", "9.10", ".."].map(String::from).to_vec();
        assert_eq!(newest_first(names), ["15", "10", "9.10", "9.6"]);
    }
}
