//! `lastgood app restore`.

use object_backup::list::Sought;
use object_backup::restore::{RestoreOptions, RestorePlan, plan_restore};

use crate::args::app::Restore;
use crate::commands::app::asked::{found, sought, wanted};
use crate::commands::app::ends::{here, target};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::{restore_plan, restore_warnings, restored};

pub(super) async fn run(arguments: &Restore, context: &Context) -> CliResult<Exit> {
    let into = target(&arguments.to, context)?;
    let here = here(&arguments.to, context).await?;
    let store = context.open().await?;
    let which = &arguments.which;
    let sought = Sought { here: here.as_ref(), ..sought(&which.key, which.name.as_deref(), &which.of) };
    let found = found(&*store, sought, context).await?;
    let options = RestoreOptions { types: wanted(&arguments.types), on_conflict: arguments.on_conflict, here };
    if arguments.dry_run.dry_run {
        let plan = Box::pin(plan_restore(&store, &found, std::sync::Arc::clone(&into), &options, &context.run)).await?;
        let words = |plan: &RestorePlan| format!("{}\nNothing was changed (dry run)", restore_plan(plan));
        context.printer.result(&plan, words)?;
        // The plan is shown whatever stands against it; the end is the run's.
        Box::pin(object_backup::restore::rehearse(&store, &found, into, &options, &context.run)).await?;
        return Ok(Exit::Ok);
    }
    // Not dropped at a signal: it gives up by itself, and a commit is not left in the middle.
    let done = Box::pin(object_backup::restore(&store, &found, into, &options, &context.run)).await?;
    for note in restore_warnings(&done.plan) {
        context.printer.warn(&note);
    }
    for restoring in &done.plan.types {
        for column in restoring.columns.iter().filter(|column| !column.derived) {
            context.printer.warn(&format!(
                "the column `{}` of `{}` stays empty until the application saves its records: the backup does not have its values",
                column.name, restoring.key.table
            ));
        }
    }
    context.printer.result(&done, restored)?;
    Ok(Exit::Ok)
}
