//! The acceptance rows, on the binary that `cargo build` makes.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::workspace::{Outcome, Profile, Workspace};
use crate::{peers, setup};

/// The rows that need an S3 server which others wrote: by area, and by name.
const ELSEWHERE: [&str; 4] = ["app", "A10", "glacier", "GL20"];

/// Sets up, builds, and becomes the acceptance run.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Dev)?;
    Err(command(workspace, args)?.exec().into())
}

/// The acceptance run, with what its rows need besides.
pub(crate) fn command(workspace: &Workspace, args: &[String]) -> Outcome<Command> {
    let mut command = workspace.acceptance(Profile::Dev, "e2e", args)?;
    if wants_elsewhere(args) {
        let python = peers::python(workspace, &peers::MINISTACK)?;
        command.env("LASTGOOD_MINISTACK", Path::new(&python).with_file_name("ministack"));
    }
    Ok(command)
}

/// Whether rows that need that server are among those asked for.
fn wants_elsewhere(args: &[String]) -> bool {
    let is = |flag: &str| args.iter().any(|argument| argument == flag || argument.starts_with(&format!("{flag}=")));
    if is("--sql") || is("--list") || is("--help") || is("-h") {
        return false;
    }
    !is("--only") || args.iter().any(|argument| ELSEWHERE.contains(&argument.trim_start_matches("--only=")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_fetched_for_those_who_need_it() {
        let wanted = |args: &[&str]| wants_elsewhere(&args.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(wanted(&[]) && wanted(&["--only", "pg", "app"]) && wanted(&["--only=A10"]) && wanted(&["--keep"]));
        assert!(!wanted(&["--only", "pg"]) && !wanted(&["--sql", "app.sql"]) && !wanted(&["--list"]));
    }
}
