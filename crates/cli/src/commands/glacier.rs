//! `lastgood glacier`: which command it is, and what they share.

mod backup;
mod fetch;
mod hearing;
mod ls;
mod plan;
mod rebuild;
mod restore;
mod retrieve;
mod shared;
mod status;
mod watch;

use crate::args::glacier::{Catalogue, Glacier};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// Runs `command`. The futures hold whole pipelines, so that each is boxed.
pub(super) async fn run(command: Glacier, context: &Context) -> CliResult<Exit> {
    match command {
        Glacier::Backup(arguments) => Box::pin(backup::run(&arguments, context)).await,
        Glacier::Ls(arguments) => Box::pin(ls::run(&arguments, context)).await,
        Glacier::Status(arguments) => Box::pin(status::run(&arguments, context)).await,
        Glacier::Plan(arguments) => Box::pin(plan::run(&arguments, context)).await,
        Glacier::Retrieve(arguments) => Box::pin(retrieve::run(&arguments, context)).await,
        Glacier::Watch(arguments) => Box::pin(watch::run(&arguments, context)).await,
        Glacier::Fetch(arguments) => Box::pin(fetch::run(&arguments, context)).await,
        Glacier::Restore(arguments) => Box::pin(restore::run(&arguments, context)).await,
        Glacier::Catalogue(Catalogue::Rebuild(arguments)) => Box::pin(rebuild::run(&arguments, context)).await,
    }
}
