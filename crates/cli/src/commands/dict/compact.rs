//! `lastgood dict compact`.

use std::sync::Arc;

use dictstore_backup::compact::{self, CompactOptions, plan_compact};
use dictstore_backup::{RestoreOptions, RestorePlan, RestoreTo, restore_from};

use crate::args::dict::Compact;
use crate::commands::dict::{at, semantics, warn};
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
        let plan = context.or_cancelled(async { Ok(Box::pin(plan_compact(&*store, &options)).await?) }).await?;
        let words = |plan: &RestorePlan| format!("{}\nNothing was changed (dry run)", restore_plan(plan));
        context.printer.result(&plan, words)?;
        // The plan is shown whatever stands against it; the end is the run's, which reads all of it first.
        drop(context.or_cancelled(async { Ok(Box::pin(restore_from(&*store, &options.restore)).await?) }).await?);
        return Ok(Exit::Ok);
    }
    let (clock, progress) = (Arc::clone(&context.run.clock), Arc::clone(&context.run.progress));
    let work = Box::pin(compact::compact(&store, &options, clock, progress));
    // Dropped at a signal: what has no manifest is no backup.
    let done = context.or_cancelled(async { Ok(work.await?) }).await?;
    warn(&done.restored.notes, context);
    context.printer.result(&done.written, |written| compacted(written.as_ref(), done.plan()))?;
    Ok(Exit::Ok)
}
