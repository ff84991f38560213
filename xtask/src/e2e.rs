//! The acceptance rows, on the binary that `cargo build` makes.

use std::os::unix::process::CommandExt as _;

use crate::python::python_with;
use crate::setup;
use crate::workspace::{Outcome, Profile, Workspace};

/// The S3 server that others wrote.
const MINISTACK: [&str; 1] = ["ministack==1.5.33"];

/// Asks for the rows that need it.
const MINISTACK_FLAG: &str = "--ministack";

/// Sets up, builds, and becomes the acceptance run.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Dev)?;
    let (flags, args): (Vec<String>, Vec<String>) =
        args.iter().cloned().partition(|argument| argument == MINISTACK_FLAG);
    let mut command = workspace.acceptance(Profile::Dev, "e2e", &args)?;
    if !flags.is_empty() {
        let python = python_with(workspace, "ministack", &MINISTACK)?;
        command.env("LASTGOOD_MINISTACK", python.with_file_name("ministack"));
    }
    Err(command.exec().into())
}
