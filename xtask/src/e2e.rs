//! The acceptance rows, on the binary that `cargo build` makes.

use crate::setup;
use crate::workspace::{Outcome, Profile, Workspace};

/// Sets up, builds, and becomes the acceptance run.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Dev)?;
    workspace.become_acceptance(Profile::Dev, "e2e", args)
}
