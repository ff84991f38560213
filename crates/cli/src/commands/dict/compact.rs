//! `lastgood dict compact`.

use dictstore_backup::compact::{self, CompactOptions, plan_compact};
use dictstore_backup::{RestoreOptions, RestorePlan, RestoreTo, restore_from};

use crate::args::dict::Compact;
use crate::commands::dict::asked::{at, semantics, warn};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::dict::{compacted, restore_plan};

pub(super) async fn run(arguments: &Compact, context: &Context) -> CliResult<Exit> {
    let store = at(&arguments.place, context)?.open_to_change().await?;
    let (semantics, source) = (semantics(arguments.dictdb_semantics), arguments.of.source.clone());
    let restore = RestoreOptions { to: RestoreTo::Latest, semantics, source };
    let options = CompactOptions { restore, format: arguments.format, allow_empty: arguments.allow_empty };
    if arguments.dry_run.dry_run {
        let plan = Box::pin(plan_compact(&*store, &options, &context.run)).await?;
        let words = |plan: &RestorePlan| format!("{}\nNothing was changed (dry run)", restore_plan(plan));
        context.printer.result(&plan, words)?;
        // The plan is shown whatever stands against it; the end is the run's, which reads all of it first.
        drop(Box::pin(restore_from(&*store, &options.restore, &context.run)).await?);
        return Ok(Exit::Ok);
    }
    let done = Box::pin(compact::compact(&store, &options, &context.run)).await?;
    warn(&done.restored.notes, context);
    context.printer.result(&done.written, |written| compacted(written.as_ref(), done.plan()))?;
    Ok(Exit::Ok)
}
