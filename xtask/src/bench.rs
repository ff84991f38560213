//! Speed and memory against the peers, on the binary users run.

use crate::python::python_with;
use crate::setup;
use crate::workspace::{Outcome, Profile, Workspace};

/// The peer of `bench pgclone` and what it needs, as PyPI has them.
const PGCLONE: [&str; 3] = ["django-pgclone==3.8.0", "Django==5.2.*", "psycopg2-binary==2.9.*"];

/// The peer of `bench object`, and what of its backends it needs.
const GLUDB: [&str; 3] = ["gludb==0.2.0", "boto==2.49.0", "json-delta==2.0.2"];

/// Sets up, builds for release, and becomes the benchmark.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Release)?;
    let mut args = args.to_vec();
    let names_python = args.iter().any(|argument| argument.starts_with("--python"));
    let asks_for_help = args.iter().any(|argument| argument == "--help" || argument == "-h");
    if !names_python && !asks_for_help {
        let python = match args.first().map(String::as_str) {
            Some("pgclone") => Some(python_with(workspace, "pgclone", &PGCLONE)?),
            Some("object") => Some(python_with(workspace, "gludb", &GLUDB)?),
            _ => None,
        };
        args.extend(python.into_iter().flat_map(|python| ["--python".to_owned(), python.display().to_string()]));
    }
    workspace.become_acceptance(Profile::Release, "bench", &args)
}
