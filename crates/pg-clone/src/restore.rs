//! The restore: verify everything, fill a temporary database, swap it in with one transaction.

mod archive_toc;
mod build;
pub(crate) mod carry;
mod check;
mod checked;
mod clash;
mod data_only;
mod dependents;
mod differences;
mod early_settings;
pub(crate) mod extensions;
mod failed_entry;
mod failed_rows;
mod fill;
mod frames;
mod hints;
pub(crate) mod hooks;
mod index_conflict;
mod index_progress;
mod large_objects;
mod load;
mod load_again;
mod load_small;
mod load_unit;
mod loading;
pub mod messages;
pub(crate) mod newer_syntax;
pub mod outside;
mod owners;
mod pg_restore;
mod plan;
mod prepare;
mod prepared;
mod problem;
mod read_back;
mod rehearse;
mod report;
mod reroute;
mod row_hashes;
mod search_path;
mod second_chance;
mod select;
pub mod selection;
mod single_file;
mod statistics;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod test_readers;
mod tools;
mod units;
pub mod unrestored;
use tracing::Instrument;

use crate::adapters::sql::{database_settings, databases};
use crate::error::{PgError, PgResult};
use crate::live::local::{self, CopyRole, copy_name, duplicate};
use crate::live::recover;
use crate::live::silence;
use crate::live::swap::{Swap, SwapReport, SwapRequest};
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
pub use crate::options::RestoreOptions;
use crate::restore::build::build_later;
pub use crate::restore::carry::present;
pub use crate::restore::carry::rows::CarriedRows;
use crate::restore::carry::rows::CarryOver;
pub use crate::restore::carry::table::CarriedTable;
use crate::restore::checked::{Checked, Reading};
pub use crate::restore::data_only::{DataPlan, DataTable};
use crate::restore::fill::{Filled, fill};
pub use crate::restore::plan::RestorePlan;
pub use crate::restore::prepared::Restore;
pub use crate::restore::problem::Replaced;
use crate::restore::problem::refuse_incomplete;
pub(crate) use crate::restore::problem::{may_replace, name_problem, refuse_unconfirmed};
pub use crate::restore::report::RestoreReport;
use crate::restore::unrestored::{Unrestored, note};

impl Restore {
    /// Restores what the plan says.
    ///
    /// # Errors
    /// [`PgError`]; on every one of them the live database is as it was, and the copy is dropped unless
    /// [`RestoreOptions::keep_failed`] is set.
    pub async fn run(self) -> PgResult<RestoreReport> {
        let span = self.span();
        Box::pin(self.carry_out().instrument(span)).await
    }

    async fn carry_out(self) -> PgResult<RestoreReport> {
        if self.plan.is_data_only() {
            return Box::pin(data_only::restore(&self)).await;
        }
        let Self { server, options, run, plan, .. } = &self;
        let begun = std::time::Instant::now();
        server.refuse_if_guarded(&plan.target)?;
        recover::recover_patiently(server, run).await?;
        plan.refuse_problems()?;
        plan.refuse_unconfirmed(options)?;
        let mut source = run.or_cancelled(Checked::open(&self, Reading::Everything)).await?;
        run.step("restore.lock", &plan.target);
        let lock = silence::acquire(server, &plan.target, run, begun).await?;
        run.step("restore.create", &plan.target);
        let (mut hooks, mut pristine) = (Vec::new(), None);
        let Filled { temporary, built } = Box::pin(fill(&self, &mut source, &lock, &mut hooks)).await?;
        let site = self.site(temporary.name());
        let work = async {
            let built = built.map_err(PgError::before_the_swap)?;
            if options.reversible {
                // Before any hook sees it.
                run.step("restore.current", temporary.name());
                pristine = Some(duplicate::duplicate(server, &lock, temporary.name(), &plan.key, run).await?.0);
            }
            site.before_the_swap(source.settings(), &mut hooks).await?;
            // After the hooks, which may change what there is, and while the copy can still be entered by us.
            let carry =
                Box::pin(carry::definitions(&self, &lock, &temporary)).await.map_err(PgError::before_the_swap)?;
            let swap = switch(&self, &lock, &temporary, pristine.as_ref(), &source, carry, &built.missing).await?;
            Ok((built, swap))
        };
        let switched: PgResult<_> = Box::pin(work).await;
        match switched {
            Ok((mut built, (swap, warnings))) => {
                built.warnings.extend(warnings);
                if let Some(later) = source.later() {
                    built.add(Box::pin(build_later(&self, later)).await);
                }
                let hook_failure = site.after_the_swap(&mut hooks).await;
                run.step("restore.done", &plan.target);
                Ok(RestoreReport {
                    key: plan.key.clone(),
                    database: plan.target.clone(),
                    replaced: swap.replaced,
                    tables: built.tables,
                    rows: built.rows,
                    outage_ms: swap.outage_ms,
                    disconnected: swap.terminated,
                    warnings: built.warnings,
                    copies: plan.copies.clone(),
                    carried_over: swap.carried_over,
                    missing: built.missing,
                    seconds: begun.elapsed().as_secs_f64(),
                    hooks,
                    hook_failure,
                    data_only: None,
                })
            }
            Err(error) => {
                if let Some(pristine) = pristine {
                    pristine.give_up(server, false, run).await;
                }
                temporary.give_up(server, options.keep_failed, run).await;
                Err(error)
            }
        }
    }
}

/// Carries the settings of the live database over, or those of the dump where there is none, and swaps.
async fn switch(
    restore: &Restore,
    lock: &TargetLock,
    temporary: &Temporary,
    pristine: Option<&Temporary>,
    source: &Checked,
    carry: Option<CarryOver>,
    missing: &[Unrestored],
) -> PgResult<(SwapReport, Vec<String>)> {
    let Restore { server, options, run, plan, .. } = restore;
    run.step("restore.settings", &plan.target);
    let admin = server.connect_admin_for(&plan.target).await?;
    let live = database_settings::read_if_exists(&admin, &plan.target).await?;
    let wanted = live.as_ref().or_else(|| source.settings());
    let mut warnings = Vec::new();
    if let Some(wanted) = wanted {
        // In place of what it was built under.
        let within = database_settings::within(server, temporary.name(), wanted).await?;
        let by = within.as_ref().unwrap_or(&admin);
        warnings = database_settings::replace(by, temporary.name(), wanted, options.no_owner, options.no_acl).await?;
        if let Some(pristine) = pristine {
            // What the role may not set was told already.
            let within = database_settings::within(server, pristine.name(), wanted).await?;
            let by = within.as_ref().unwrap_or(&admin);
            database_settings::apply(by, pristine.name(), wanted, options.no_owner, options.no_acl).await?;
        }
    }
    run.stop_if_cancelled()?;
    let mut comment = None;
    if !missing.is_empty() {
        if live.is_some() {
            refuse_incomplete(&plan.target, options)?;
        }
        let own = wanted.and_then(|wanted| wanted.comment.clone());
        comment = Some(own.into_iter().chain([note(&plan.key, missing)]).collect::<Vec<_>>().join("\n"));
    }
    let void = local::void_copies(lock, options.reversible, live.is_some()).await?;
    let mut request = SwapRequest::new(lock, temporary, wanted.cloned())
        .force(options.force)
        .may_replace(may_replace(&plan.target, plan.replaces.as_ref(), options))
        .discarding(void)
        .carrying(carry)
        .commented(comment);
    if let Some(pristine) = pristine {
        let [previous, current] = [CopyRole::Previous, CopyRole::Current].map(|role| copy_name(&plan.target, role));
        request = request.reversible(previous, pristine, current, &plan.key);
    }
    let report = Swap::prepare(server, request, run).await?.run().await?;
    if let Some(wanted) = wanted.filter(|_| missing.is_empty())
        && let Err(error) = databases::comment_within(server, &plan.target, wanted).await
    {
        warnings
            .push(format!("the comment of `{}` may not be readable: setting it within failed: {error}", plan.target));
    }
    Ok((report, warnings))
}
