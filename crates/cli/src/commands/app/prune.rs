//! `lastgood app prune`.

use object_backup::list::Filter;
use object_backup::retain::{self, RetainOptions};

use crate::args::app::Prune;
use crate::commands::prune::{confirm_deletion, exit_of};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::{PrunePlan, Pruned, prune_plan, pruned};

pub(super) async fn run(arguments: &Prune, context: &Context) -> CliResult<Exit> {
    let options = options(arguments)?;
    let store = context.open_to_change().await?;
    let now = context.run.clock.now();
    let plan = context.or_cancelled(async { Ok(retain::plan(&*store, &options, now).await?) }).await?;
    for warning in &plan.retention.warnings {
        context.printer.warn(warning);
    }
    if arguments.dry_run.dry_run {
        let words = |plan: &PrunePlan| format!("{}\nNothing was changed (dry run)", prune_plan(plan));
        context.printer.result(&PrunePlan::of(&plan), words)?;
        return Ok(Exit::Ok);
    }
    let removals = &plan.removals;
    let words = ("backup", "backups");
    let shown = || prune_plan(&PrunePlan::of(&plan));
    confirm_deletion((removals.removals.len() as u64, removals.freed_bytes), words, shown, context).await?;
    // Not dropped half-way at a signal: each step is quick, and what is begun is better finished than found later.
    let outcome = retain::apply(&*store, &plan, &context.run).await?;
    let report = Pruned::of(&outcome);
    context.printer.result(&report, pruned)?;
    exit_of(report.failures.len())
}

fn options(arguments: &Prune) -> CliResult<RetainOptions> {
    let policy = arguments.keep.policy();
    // Without a rule and without `--incomplete`, retention refuses.
    let policy = (!policy.rules.is_empty() || !arguments.unfinished.incomplete).then_some(policy);
    let mut options = RetainOptions::new(policy);
    options.filter = Filter { name: arguments.name.clone(), source: arguments.of.source.clone() };
    options.grace = arguments.unfinished.grace();
    Ok(options)
}
