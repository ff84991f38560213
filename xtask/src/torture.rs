//! Torture of the built binary at random, on what `cargo build` makes.

use crate::setup;
use crate::workspace::{Outcome, Profile, Workspace};

/// Minutes of a run of CI.
const BRIEF: &str = "2";

/// Sets up, builds, and becomes the run.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Dev)?;
    workspace.become_acceptance(Profile::Dev, "torture", args)
}

/// Two minutes, on what was built before.
pub(crate) fn briefly(workspace: &Workspace) -> Outcome {
    let args = ["--minutes", BRIEF].map(str::to_owned);
    let status = workspace.acceptance(Profile::Dev, "torture", &args)?.status()?;
    if status.success() { Ok(()) } else { Err(format!("`torture` ended with {status}").into()) }
}
