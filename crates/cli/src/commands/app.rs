//! `lastgood app`: which command it is, and what they share.

mod asked;
mod backup;
mod cat;
mod ends;
mod lifecycle;
mod ls;
mod prune;
mod restore;
mod show;
mod tags;
mod verify;

use crate::args::app::App;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// Runs `command`. The futures hold whole pipelines, so that each is boxed.
pub(super) async fn run(command: App, context: &Context) -> CliResult<Exit> {
    match command {
        App::Backup(arguments) => Box::pin(backup::run(&arguments, context)).await,
        App::Ls(arguments) => Box::pin(ls::run(&arguments, context)).await,
        App::Show(arguments) => Box::pin(show::run(&arguments, context)).await,
        App::Verify(arguments) => Box::pin(verify::run(&arguments, context)).await,
        App::Cat(arguments) => Box::pin(cat::run(&arguments, context)).await,
        App::Restore(arguments) => Box::pin(restore::run(&arguments, context)).await,
        App::Prune(arguments) => Box::pin(prune::run(&arguments, context)).await,
        App::Tag(command) => Box::pin(tags::run(&command, context)).await,
        App::Lifecycle(arguments) => Box::pin(lifecycle::run(&arguments, context)).await,
    }
}
