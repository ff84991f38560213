//! The main job on a sample database, step by step, for somebody who has just cloned this.

use crate::setup;
use crate::workspace::{Outcome, Profile, Workspace};

/// Sets up, builds for release, and becomes the demo.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Release)?;
    workspace.become_acceptance(Profile::Release, "demo", args)
}
