//! `lastgood app restore`.

use object_backup::{Restore, RestoreOptions};

use crate::args::app;
use crate::commands::app::asked::{found, sought, wanted};
use crate::commands::app::ends::{here, target};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::{restore_plan, restore_warnings, restored};

pub(super) async fn run(arguments: &app::Restore, context: &Context) -> CliResult<Exit> {
    let into = target(&arguments.to, context)?;
    let here = here(&arguments.to, context).await?;
    let store = context.open().await?;
    let which = &arguments.which;
    let sought = sought(&which.key, which.name.as_deref(), &which.of).preferring(here.as_ref());
    let sought = sought.allow_older(arguments.allow_older);
    let found = found(&*store, sought, context).await?;
    let options = RestoreOptions::new().types(wanted(&arguments.types)).on_conflict(arguments.on_conflict).here(here);
    // Not dropped at a signal: it gives up by itself, and a commit is not left in the middle.
    let restore = Restore::prepare(&store, &found, into, options, &context.run).await?;
    if arguments.dry_run.dry_run {
        context.printer.dry_run(restore.plan(), restore_plan)?;
        // The plan is shown whatever stands against it; the end is the run's.
        restore.rehearse().await?;
        return Ok(Exit::Ok);
    }
    let done = restore.run().await?;
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
    context.printer.done(&done, true, restored)?;
    Ok(Exit::Ok)
}
