//! Checks for the programs the other commands need, and installs them where that is allowed.

use std::fs;
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::printer::say;
use crate::workspace::{Outcome, Workspace};

/// Debian's and Ubuntu's home of versioned PostgreSQL binaries.
const POSTGRES_HOME: &str = "/usr/lib/postgresql";

/// Home of the extensions' control files; `hstore` stands for the contrib modules.
const POSTGRES_SHARE: &str = "/usr/share/postgresql";

/// Oldest server the tests run against: ctid ranges are scans from 14 on.
const POSTGRES_MAJOR_MIN: u32 = 14;

/// Folder of server programs kept elsewhere; the testkit takes them from there too.
const POSTGRES_ELSEWHERE: &str = "LASTGOOD_PG_SERVER_BIN";

/// Debian's package of the newest server.
const SERVER_PACKAGE: &str = "postgresql";

/// Keeps Debian's package from creating and starting a cluster of its own, which nothing here uses.
const NO_MAIN_CLUSTER: (&str, &str) = (
    "/etc/postgresql-common/createcluster.d/lastgood.conf",
    "# Written by lastgood's `cargo xtask setup`: tests start their own throwaway clusters.\ncreate_main_cluster = false\n",
);

/// Extensions that rows of area `pg` put into databases, each as Debian names it after `postgresql-MAJOR-`.
const EXTENSIONS: [&str; 7] = ["cron", "hll", "ip4r", "partman", "periods", "pglogical", "postgis-3"];

/// One thing the machine must have.
#[derive(Debug)]
struct Need {
    what: &'static str,
    package: &'static str,
    found: Option<String>,
}

/// Checks, installs what is missing, and says what there is.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    components(&workspace.shell)?;
    provide(&workspace.shell, needs)
}

/// [`run`] of the little that the demo needs.
pub(crate) fn for_demo(workspace: &Workspace) -> Outcome {
    provide(&workspace.shell, demo_needs)
}

/// Packages that [`for_demo`] would install.
pub(crate) fn missing_for_demo() -> Vec<&'static str> {
    packages(&demo_needs())
}

/// Whether a missing package can be installed from here; otherwise the command is printed.
pub(crate) fn may_install(shell: &Shell) -> bool {
    is_root(shell) && on_path("apt-get").is_some()
}

fn provide(shell: &Shell, needs: fn() -> Vec<Need>) -> Outcome {
    let missing = packages(&needs());
    if !missing.is_empty() {
        install(shell, &missing)?;
    }
    for need in needs() {
        match need.found {
            Some(found) => say(&format!("setup: {} ({found})", need.what)),
            None => return Err(format!("`{}` is installed and {} is still missing", need.package, need.what).into()),
        }
    }
    Ok(())
}

fn demo_needs() -> Vec<Need> {
    vec![
        Need { what: "PostgreSQL server programs", package: SERVER_PACKAGE, found: servers().0 },
        Need { what: "C compiler", package: "build-essential", found: on_path("cc") },
    ]
}

/// Where the server's programs and its contrib modules are.
fn servers() -> (Option<String>, Option<String>) {
    match std::env::var(POSTGRES_ELSEWHERE) {
        Ok(folder) if !folder.is_empty() => (Some(folder), Some(format!("taken from {POSTGRES_ELSEWHERE}"))),
        _ => installed(),
    }
}

fn needs() -> Vec<Need> {
    let (server, contrib) = servers();
    vec![
        Need { what: "PostgreSQL server programs", package: SERVER_PACKAGE, found: server },
        Need { what: "PostgreSQL contrib modules", package: "postgresql-contrib", found: contrib },
        Need { what: "zstd, a peer of the benchmark", package: "zstd", found: on_path("zstd") },
        Need { what: "sqlite3, a peer of the benchmark", package: "sqlite3", found: on_path("sqlite3") },
        Need { what: "Python with its venv, for peers from PyPI", package: "python3-venv", found: python() },
        Need { what: "mkfs.xfs, for rows about freezing", package: "xfsprogs", found: on_path("mkfs.xfs") },
        Need { what: "systemd, whose unit a watchdog is", package: "systemd", found: on_path("systemd-run") },
        Need { what: "sshd, for copies between hosts", package: "openssh-server", found: on_path("sshd") },
        Need { what: "rsync, for copies between hosts", package: "rsync", found: on_path("rsync") },
        Need { what: "ip, for two hosts on one machine", package: "iproute2", found: on_path("ip") },
        Need { what: "C compiler", package: "build-essential", found: on_path("cc") },
    ]
}

/// Where the distribution's server and its contrib modules are.
fn installed() -> (Option<String>, Option<String>) {
    let Some((major, bin)) = postgres() else { return (None, None) };
    let control = Path::new(POSTGRES_SHARE).join(major.to_string()).join("extension/hstore.control");
    (Some(bin.display().to_string()), control.exists().then(|| control.display().to_string()))
}

/// The newest installed server: its major version and its folder of programs.
fn postgres() -> Option<(u32, PathBuf)> {
    let versions = fs::read_dir(POSTGRES_HOME).ok()?.flatten();
    versions
        .filter_map(|entry| {
            let major: u32 = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            let whole = ["initdb", "postgres", "pg_dump", "pg_restore", "psql"].iter().all(|p| bin.join(p).exists());
            (whole && major >= POSTGRES_MAJOR_MIN).then_some((major, bin))
        })
        .max()
}

/// A Python that can make virtual environments: Debian packs that apart.
fn python() -> Option<String> {
    let python = on_path("python3")?;
    let looked = std::process::Command::new(&python).args(["-c", "import ensurepip, venv"]).output().ok()?;
    looked.status.success().then_some(python)
}

fn on_path(program: &str) -> Option<String> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|p| p.is_file())
        .map(|p| p.display().to_string())
}

fn packages(needs: &[Need]) -> Vec<&'static str> {
    needs.iter().filter(|need| need.found.is_none()).map(|need| need.package).collect()
}

/// rustfmt and clippy come with the toolchain, not with the distribution.
fn components(shell: &Shell) -> Outcome {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if cmd!(shell, "cargo {tool} --version").quiet().ignore_stderr().read().is_err() {
            return Err(format!("`cargo {tool}` is missing: run `rustup component add {component}`").into());
        }
    }
    Ok(())
}

/// Installs the package that has `program`, if that is missing.
pub(crate) fn require(shell: &Shell, program: &str, package: &str) -> Outcome {
    if on_path(program).is_some() { Ok(()) } else { install(shell, &[package]) }
}

/// Installs the extensions that the distribution packages for its server. Where that is not allowed, their rows are
/// skipped and say so; a run in CI counts a skipped row as failed.
pub(crate) fn extensions(shell: &Shell) -> Outcome {
    let Some((major, _)) = postgres() else { return Ok(()) };
    let names = EXTENSIONS.map(|extension| format!("postgresql-{major}-{extension}"));
    let is_there = |name: &String| {
        let format = "--showformat=${db:Status-Status}";
        let status = cmd!(shell, "dpkg-query --show {format} {name}");
        status.quiet().ignore_stderr().read().is_ok_and(|status| status == "installed")
    };
    if !is_root(shell) || on_path("apt-cache").is_none() {
        return Ok(());
    }
    let missing: Vec<&str> = names.iter().filter(|name| !is_there(name)).map(String::as_str).collect();
    let is_packaged = |name: &&str| {
        let name = *name;
        cmd!(shell, "apt-cache show {name}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
    };
    // Lists of packages may be absent, and then nothing seems to be packaged.
    if !missing.is_empty() && !missing.iter().any(is_packaged) {
        cmd!(shell, "apt-get -o Dpkg::Use-Pty=0 -qq update").run()?;
    }
    let packaged: Vec<&str> = missing.into_iter().filter(is_packaged).collect();
    if packaged.is_empty() { Ok(()) } else { install(shell, &packaged) }
}

/// Whether we are root, who may install packages and may not run servers.
pub(crate) fn is_root(shell: &Shell) -> bool {
    cmd!(shell, "id -u").quiet().read().is_ok_and(|id| id == "0")
}

/// The line that installs `packages`, and no cluster with the server: that one would run on the machine's usual port from then on.
fn by_hand(packages: &[&str]) -> String {
    let install = format!("apt-get update && apt-get install -y {}", packages.join(" "));
    if !packages.contains(&SERVER_PACKAGE) {
        return format!("sudo sh -c '{install}'");
    }
    let (path, _) = NO_MAIN_CLUSTER;
    let folder = Path::new(path).parent().unwrap_or(Path::new("/")).display();
    format!("sudo sh -c 'mkdir -p {folder} && echo create_main_cluster = false > {path} && {install}'")
}

fn install(shell: &Shell, packages: &[&str]) -> Outcome {
    let by_hand = by_hand(packages);
    if !may_install(shell) {
        return Err(format!("{} missing and only root may install it: run `{by_hand}`", packages.join(", ")).into());
    }
    say(&format!("setup: installing {}", packages.join(", ")));
    let (path, text) = NO_MAIN_CLUSTER;
    if !Path::new(path).exists() {
        shell.write_file(path, text)?;
    }
    let apt = || {
        cmd!(shell, "apt-get -o Dpkg::Use-Pty=0 -qq install -y --no-install-recommends {packages...}")
            .env("DEBIAN_FRONTEND", "noninteractive")
    };
    // Package lists may be absent (a bare image) or stale; refresh them only when they prove useless.
    if apt().run().is_err() {
        cmd!(shell, "apt-get -o Dpkg::Use-Pty=0 -qq update").run()?;
        apt().run().map_err(|error| format!("{error}; by hand: `{by_hand}`"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_installs_by_hand_and_starts_no_cluster() {
        assert_eq!(by_hand(&["zstd", "rsync"]), "sudo sh -c 'apt-get update && apt-get install -y zstd rsync'");
        assert_eq!(
            by_hand(&["postgresql"]),
            "sudo sh -c 'mkdir -p /etc/postgresql-common/createcluster.d && \
             echo create_main_cluster = false > /etc/postgresql-common/createcluster.d/lastgood.conf && \
             apt-get update && apt-get install -y postgresql'"
        );
    }

    #[test]
    fn only_what_was_not_found_is_installed() {
        let need = |package, found: Option<&str>| Need { what: "", package, found: found.map(str::to_owned) };
        assert_eq!(packages(&[need("a", None), need("b", Some("/usr/bin/b")), need("c", None)]), ["a", "c"]);
    }
}
