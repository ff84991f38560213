//! `lastgood app prune`.

use object_backup::retain::{self, RetainOptions, RetainPlan};

use crate::args::app::Prune;
use crate::args::retention::duration;
use crate::confirm;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::app::{PrunePlan, Pruned, prune_plan, pruned};
use crate::render::units::{bytes, counted};

pub(super) async fn run(arguments: &Prune, context: &Context) -> CliResult<Exit> {
    let options = options(arguments)?;
    let store = context.open().await?;
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
    agreed(&plan, context).await?;
    // Not dropped half-way at a signal: each step is quick, and what is begun is better finished than found later.
    let outcome = retain::apply(&*store, &plan, &*context.run.clock, &*context.run.progress).await?;
    let report = Pruned::of(&outcome);
    context.printer.result(&report, pruned)?;
    if report.failures.is_empty() {
        return Ok(Exit::Ok);
    }
    let failed = counted(report.failures.len() as u64, "object", "objects");
    Err(CliError::Partial {
        what: format!("{failed} could not be deleted"),
        help: "the same command goes on with them; every kept backup is whole".to_owned(),
    })
}

fn options(arguments: &Prune) -> CliResult<RetainOptions> {
    let policy = arguments.keep.policy()?;
    // Without a rule and without `--incomplete`, retention refuses.
    let policy = (!policy.rules.is_empty() || !arguments.incomplete).then_some(policy);
    let mut options = RetainOptions::new(policy);
    options.name.clone_from(&arguments.name);
    if let Some(grace) = &arguments.grace {
        options.grace = duration("--grace", grace)?;
    }
    Ok(options)
}

/// Deleting backups is asked about; what never became one goes without.
async fn agreed(plan: &RetainPlan, context: &Context) -> CliResult<()> {
    let deleted = plan.removals.removals.len() as u64;
    if deleted == 0 || context.global.yes {
        return Ok(());
    }
    if confirm::somebody_is_there() {
        context.printer.stderr(&prune_plan(&PrunePlan::of(plan)));
    }
    let freed = bytes(plan.removals.freed_bytes);
    let what = format!("this deletes {} and frees {freed}", counted(deleted, "backup", "backups"));
    confirm::go_on(&what, &context.run.cancel).await
}
