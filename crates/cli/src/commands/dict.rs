//! `lastgood dict`: which command it is, and what they share.

mod asked;
mod compact;
mod convert;
mod diff;
mod lock;
mod ls;
mod prune;
mod restore;
mod show;
mod verify;
mod watch;

use crate::args::dict::Dict;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// Runs `command`. The futures hold whole pipelines, so that each is boxed.
pub(super) async fn run(command: Dict, context: &Context) -> CliResult<Exit> {
    match command {
        Dict::Ls(arguments) => Box::pin(ls::run(&arguments, context)).await,
        Dict::Show(arguments) => Box::pin(show::run(&arguments, context)).await,
        Dict::Verify(arguments) => Box::pin(verify::run(&arguments, context)).await,
        Dict::Restore(arguments) => Box::pin(restore::run(&arguments, context)).await,
        Dict::Compact(arguments) => Box::pin(compact::run(&arguments, context)).await,
        Dict::Diff(arguments) => Box::pin(diff::run(&arguments, context)).await,
        Dict::Convert(arguments) => convert::run(&arguments, context),
        Dict::Prune(arguments) => Box::pin(prune::run(&arguments, context)).await,
        Dict::Watch(arguments) => Box::pin(watch::run(&arguments, context)).await,
    }
}
