//! PostgreSQL programs of several versions on one machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::ClusterError;

/// Names folders of PostgreSQL programs, separated by `:`: installations that have a `bin`. `cargo xtask` fetches them.
const SERVERS_VARIABLE: &str = "LASTGOOD_PG_SERVERS";

/// Where Debian and its kin keep one folder for each major version.
pub(super) const VERSIONS_DIR: &str = "/usr/lib/postgresql";

/// The programs of a server; others are of use without them.
const SERVER_PROGRAMS: [&str; 2] = ["postgres", "initdb"];

/// The programs that talk to one.
const CLIENT_PROGRAMS: [&str; 3] = ["psql", "pg_dump", "pg_restore"];

/// Programs of one version in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Tells it from others of its version: the name of its folder, or `15.18-debian`.
    pub name: String,
    /// The folder of its programs.
    pub bin_dir: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
    /// The minor version, such as 18.
    pub minor: u32,
    /// Whether `postgres` and `initdb` are there.
    pub has_server: bool,
    /// Whether `psql`, `pg_dump` and `pg_restore` are there.
    pub has_clients: bool,
}

impl Install {
    /// The programs in `bin_dir`; none if there are neither a server's nor a client's, or they do not run.
    #[must_use]
    pub fn at(bin_dir: &Path) -> Option<Self> {
        let all = |programs: &[&str]| programs.iter().all(|program| bin_dir.join(program).is_file());
        let (has_server, has_clients) = (all(&SERVER_PROGRAMS), all(&CLIENT_PROGRAMS));
        let program = match (has_server, has_clients) {
            (true, _) => "postgres",
            (false, true) => "pg_dump",
            (false, false) => return None,
        };
        let output = Command::new(bin_dir.join(program)).arg("--version").output().ok()?;
        let (major, minor) = version(&String::from_utf8_lossy(&output.stdout))?;
        let folder = bin_dir.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let name = match folder {
            _ if bin_dir.starts_with(VERSIONS_DIR) => format!("{major}.{minor}-debian"),
            Some(folder) => folder,
            None => format!("{major}.{minor}"),
        };
        Some(Self { name, bin_dir: bin_dir.to_owned(), major, minor, has_server, has_clients })
    }

    /// Every installation that `LASTGOOD_PG_SERVERS` names and that the distribution has, oldest first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let named = std::env::var_os(SERVERS_VARIABLE).unwrap_or_default();
        let named = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect::<Vec<_>>();
        let distribution = fs::read_dir(VERSIONS_DIR).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut installs: Vec<Self> =
            named.into_iter().chain(distribution).filter_map(|folder| Self::at(&folder.join("bin"))).collect();
        installs.sort_by(|a, b| (a.major, a.minor, &a.name).cmp(&(b.major, b.minor, &b.name)));
        installs
    }

    /// A server of this major version, with clients that are at least as new: the newest minor there is.
    ///
    /// # Errors
    /// If the machine has none.
    pub fn server(major: u32) -> Result<Programs, ClusterError> {
        let all = Self::all();
        let server = all.iter().rev().find(|install| install.has_server && install.major == major);
        server.and_then(|server| server.programs(&all)).ok_or(ClusterError::NoVersion { major })
    }

    /// This server's programs and its own clients, or else those of `all` that come next in age.
    #[must_use]
    pub fn programs(&self, all: &[Self]) -> Option<Programs> {
        let client = if self.has_clients { Some(self) } else { clients_for(all, self.major) };
        client.map(|client| Programs { server: self.bin_dir.clone(), client: client.bin_dir.clone() })
    }
}

/// The oldest clients that a server of this major version talks to: `pg_dump` refuses a server that is newer than itself.
fn clients_for(all: &[Install], major: u32) -> Option<&Install> {
    let fit = all.iter().filter(|install| install.has_clients && install.major >= major);
    // Of several minors of one version the newest, which comes last.
    fit.min_by_key(|install| (install.major, std::cmp::Reverse(install.minor)))
}

/// Where a server's programs are, and those of its clients, which may be elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The folder of `postgres` and `initdb`.
    pub server: PathBuf,
    /// The folder of `psql`, `pg_dump` and the others.
    pub client: PathBuf,
}

impl Programs {
    /// Those of one folder, and, if it has no clients, the nearest other ones.
    pub(super) fn with_clients(server: PathBuf) -> Result<Self, ClusterError> {
        if CLIENT_PROGRAMS.iter().all(|program| server.join(program).is_file()) {
            return Ok(Self { client: server.clone(), server });
        }
        let install = Install::at(&server).ok_or(ClusterError::NoBinaries)?;
        install.programs(&Install::all()).ok_or(ClusterError::NoClients { major: install.major })
    }
}

/// Whether the programs of a server are in a folder.
pub(super) fn has_server(dir: &Path) -> bool {
    SERVER_PROGRAMS.iter().all(|program| dir.join(program).is_file())
}

/// The libraries that come with programs from elsewhere: those name a folder that is not there, and what they load would
/// otherwise find the distribution's, which are of another version.
pub(super) fn libraries(bin_dir: &Path) -> Option<PathBuf> {
    let folder = bin_dir.parent()?.join("lib");
    folder.join("libpq.so.5").exists().then_some(folder)
}

/// Major and minor version in what a program says of itself: `postgres (PostgreSQL) 15.18 (Debian …)`.
fn version(said: &str) -> Option<(u32, u32)> {
    let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    Some((parts.next()?.parse().ok()?, parts.next().and_then(|part| part.parse().ok()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_programs_say() {
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some((15, 18)));
        assert_eq!(version("pg_dump (PostgreSQL) 18.6"), Some((18, 6)));
        assert_eq!(version("postgres (PostgreSQL) 19beta2"), Some((19, 2)));
        assert_eq!(version("initdb"), None);
    }

    #[test]
    fn clients_are_as_old_as_they_may_be() {
        let install = |major, minor, has_clients| Install {
            name: String::new(),
            bin_dir: PathBuf::from(format!("/{major}.{minor}")),
            major,
            minor,
            has_server: true,
            has_clients,
        };
        let all = [install(12, 22, false), install(14, 1, true), install(14, 23, true), install(18, 6, true)];
        let client = |server: &Install| server.programs(&all).map(|programs| programs.client);
        assert_eq!(client(&all[0]), Some("/14.23".into()));
        assert_eq!(client(&all[1]), Some("/14.1".into()), "its own");
        assert_eq!(client(&install(17, 1, false)), Some("/18.6".into()));
        assert_eq!(client(&install(19, 0, false)), None);
    }
}
