//! Peers from PyPI, each in a virtual environment of its own below the target folder.

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Workspace};

/// The Python of a virtual environment called `name` that has `packages`, made once. What the packages install stands beside it.
pub(crate) fn python_with(workspace: &Workspace, name: &str, packages: &[&str]) -> Outcome<std::path::PathBuf> {
    let shell = &workspace.shell;
    let folder = workspace.target.join("peers").join(name);
    let python = folder.join("bin").join("python");
    // Written last: an installation that was interrupted is made again.
    let complete = folder.join("complete");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&complete).ok().as_ref() != Some(&wanted) {
        say(&format!("setup: {} from PyPI, into `{}`", packages.join(", "), folder.display()));
        cmd!(shell, "python3 -m venv {folder}")
            .run()
            .map_err(|error| format!("{error}; on Debian: sudo apt-get install -y python3-venv"))?;
        cmd!(shell, "{python} -m pip install --quiet --disable-pip-version-check {packages...}").run()?;
        std::fs::write(&complete, wanted)?;
    }
    Ok(python)
}
