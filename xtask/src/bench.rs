//! Speed and memory against the peers, on the binary users run.

use crate::setup;
use crate::workspace::{Outcome, Profile, Workspace};

/// Sets up, builds for release, and becomes the benchmark.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Release)?;
    workspace.become_acceptance(Profile::Release, "bench", args)
}
