//! `lastgood app restore`.

use object_backup::list::{self, State};
use object_backup::restore::{RestoreOptions, RestorePlan, plan_restore};

use crate::args::app::Restore;
use crate::commands::app::ends::target;
use crate::commands::app::{surroundings, wanted};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::{restore_plan, restored};

pub(super) async fn run(arguments: &Restore, context: &Context) -> CliResult<Exit> {
    let into = target(&arguments.to, context)?;
    let options = RestoreOptions { types: wanted(&arguments.types), on_conflict: arguments.on_conflict };
    let store = context.open().await?;
    let name = arguments.which.name.as_deref();
    let entry = context.or_cancelled(async { Ok(list::find(&*store, &arguments.which.key, name).await?) }).await?;
    if entry.state == State::Partial {
        context.printer.warn(&format!("`{}` is partial: types that could not be read are missing in it", entry.key));
    }
    let run = surroundings(context);
    if arguments.dry_run.dry_run {
        let plan = Box::pin(plan_restore(&store, &entry, std::sync::Arc::clone(&into), &options, &run)).await?;
        let words = |plan: &RestorePlan| format!("{}\nNothing was changed (dry run)", restore_plan(plan));
        context.printer.result(&plan, words)?;
        // The plan is shown whatever stands against it; the end is the run's.
        Box::pin(object_backup::restore::rehearse(&store, &entry, into, &options, &run)).await?;
        return Ok(Exit::Ok);
    }
    // Not dropped at a signal: it gives up by itself, and a commit is not left in the middle.
    let done = Box::pin(object_backup::restore(&store, &entry, into, &options, &run)).await?;
    for restoring in &done.plan.types {
        for column in restoring.columns.iter().filter(|column| !column.derived) {
            context.printer.warn(&format!(
                "the column `{}` of `{}` did not repeat a field of its records: it is empty until the application saves them",
                column.name, restoring.key.table
            ));
        }
    }
    context.printer.result(&done, restored)?;
    Ok(Exit::Ok)
}
