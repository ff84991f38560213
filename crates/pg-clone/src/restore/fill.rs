//! Fills a copy: hooks of a new database, settings, everything that is in the dump; with one job the second time, if several
//! stood in each other's way and nobody can tell what is there.

use crate::error::PgResult;
use crate::hook::{HookReport, Point};
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
use crate::options::RestoreOptions;
use crate::restore::build::{Built, build};
use crate::restore::checked::Checked;
use crate::restore::prepared::Restore;
use crate::restore::{clash, early_settings};

/// A copy, and what came of filling it.
pub(super) struct Filled {
    pub(super) temporary: Temporary,
    pub(super) built: PgResult<Built>,
}

/// Makes a copy for the lock's target and fills it.
///
/// # Errors
/// If none can be made, or the hooks of a new database are told to stop.
pub(super) async fn fill(
    restore: &Restore,
    source: &mut Checked,
    lock: &TargetLock,
    hooks: &mut Vec<HookReport>,
) -> PgResult<Filled> {
    let Restore { server, options, run, plan, .. } = restore;
    let temporary = Temporary::create(lock, &plan.key, source.settings()).await?;
    let built = Box::pin(attempt(restore, options, source, lock, &temporary, hooks)).await;
    let said = built.as_ref().err().and_then(clash::of_error).filter(|_| source.has_workers() && options.jobs > 1);
    let Some(said) = said else { return Ok(Filled { temporary, built }) };
    run.warn(format!(
        "the restore begins again with one job: with {} its workers stood in each other's way ({said})",
        options.jobs
    ));
    temporary.give_up(server, false, run).await;
    // What they did went with the copy.
    hooks.clear();
    source.begin_again();
    run.step("restore.again", &plan.target);
    let temporary = Temporary::create(lock, &plan.key, source.settings()).await?;
    let options = RestoreOptions { jobs: 1, ..options.clone() };
    let built = Box::pin(attempt(restore, &options, source, lock, &temporary, hooks)).await;
    Ok(Filled { temporary, built })
}

async fn attempt(
    restore: &Restore,
    options: &RestoreOptions,
    source: &Checked,
    lock: &TargetLock,
    temporary: &Temporary,
    hooks: &mut Vec<HookReport>,
) -> PgResult<Built> {
    restore.site(temporary.name()).run(Point::PostCreate, hooks).await?;
    early_settings::apply(&restore.server, lock, temporary, source.settings()).await?;
    restore.run.or_cancelled(Box::pin(build(restore, options, source, temporary))).await
}
