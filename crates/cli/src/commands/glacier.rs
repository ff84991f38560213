//! `lastgood glacier`: which command it is, and what they share.

mod adopt;
mod audit;
mod backup;
mod catalogue;
mod database;
mod fetch;
mod hearing;
mod inventory;
mod jobs;
mod ls;
mod orphans;
mod plan;
mod prune;
mod rebuild;
mod reconcile;
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
        Glacier::Orphans(command) => orphans::run(&command, context),
        Glacier::Jobs(arguments) => Box::pin(jobs::run(&arguments, context)).await,
        Glacier::Delete(arguments) => Box::pin(prune::delete(&arguments, context)).await,
        Glacier::Prune(arguments) => Box::pin(prune::run(&arguments, context)).await,
        Glacier::Inventory(arguments) => Box::pin(inventory::run(&arguments, context)).await,
        Glacier::Reconcile(arguments) => Box::pin(reconcile::run(&arguments, context)).await,
        Glacier::Audit(arguments) => Box::pin(audit::run(&arguments, context)).await,
        Glacier::Adopt(arguments) => Box::pin(adopt::run(&arguments, context)).await,
        Glacier::Catalogue(Catalogue::Rebuild(arguments)) => Box::pin(rebuild::run(&arguments, context)).await,
    }
}
