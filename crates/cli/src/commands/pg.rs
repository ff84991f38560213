//! `lastgood pg`: which command it is.

pub(super) mod asked;
mod config_name;
mod copy;
mod drop_local;
mod dump;
mod hints;
mod hooks;
mod local_restore;
mod ls;
mod prune;
mod recover;
mod restore;
mod show;
mod tags;
mod verify;

use crate::args::pg::{Hooks, Pg};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

#[cfg(feature = "glacier")]
pub(super) use self::hooks::redact;
#[cfg(feature = "glacier")]
pub(super) use self::restore::confirm as confirmed;

/// Runs `command`. The futures hold whole pipelines, so that each is boxed.
pub(super) async fn run(command: Pg, context: &Context) -> CliResult<Exit> {
    match command {
        Pg::Dump(arguments) => Box::pin(dump::run(&arguments, context)).await,
        Pg::Ls(arguments) => Box::pin(ls::run(&arguments, context)).await,
        Pg::Show(arguments) => Box::pin(show::run(&arguments, context)).await,
        Pg::Verify(arguments) => Box::pin(verify::run(&arguments, context)).await,
        Pg::Restore(arguments) => Box::pin(restore::run(&arguments, context)).await,
        Pg::Copy(arguments) => Box::pin(copy::run(&arguments, context)).await,
        Pg::DropLocal(arguments) => Box::pin(drop_local::run(&arguments, context)).await,
        Pg::Recover(arguments) => Box::pin(recover::run(&arguments, context)).await,
        Pg::Tag(command) => Box::pin(tags::run(&command, context)).await,
        Pg::Prune(arguments) => Box::pin(prune::run(&arguments, context)).await,
        Pg::Hooks(Hooks::Test(arguments)) => Box::pin(hooks::test(&arguments, context)).await,
        Pg::Hooks(Hooks::RdsPrep) => hooks::rds_prep(context),
    }
}
