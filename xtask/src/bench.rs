//! Speed and memory against the peers, on the binary users run.

use xshell::cmd;

use crate::printer::say;
use crate::setup;
use crate::workspace::{Outcome, Profile, Workspace};

/// The peer of `bench pgclone` and what it needs, as PyPI has them.
const PGCLONE: [&str; 3] = ["django-pgclone==3.8.0", "Django==5.2.*", "psycopg2-binary==2.9.*"];

/// Sets up, builds for release, and becomes the benchmark.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Release)?;
    let mut args = args.to_vec();
    let names_python = args.iter().any(|argument| argument.starts_with("--python"));
    if args.first().is_some_and(|what| what == "pgclone") && !names_python {
        args.extend(["--python".to_owned(), pgclone(workspace)?]);
    }
    workspace.become_acceptance(Profile::Release, "bench", &args)
}

/// A virtual environment with django-pgclone, made once.
fn pgclone(workspace: &Workspace) -> Outcome<String> {
    let shell = &workspace.shell;
    let folder = workspace.target.join("peers").join("pgclone");
    let python = folder.join("bin").join("python");
    if !folder.join("bin").join("django-admin").exists() {
        say(&format!("setup: django-pgclone from PyPI, into `{}`", folder.display()));
        cmd!(shell, "python3 -m venv {folder}")
            .run()
            .map_err(|error| format!("{error}; on Debian: sudo apt-get install -y python3-venv"))?;
        cmd!(shell, "{python} -m pip install --quiet --disable-pip-version-check {PGCLONE...}").run()?;
    }
    Ok(python.display().to_string())
}
