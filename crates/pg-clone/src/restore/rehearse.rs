//! A restore without the swap, to test hooks on a scratch database filled from a dump.

use std::time::Instant;
use tracing::Instrument;

use crate::error::PgResult;
use crate::hook::{DUMP_POINTS, Point, Trial, scratch_target};
use crate::live::target_lock::TargetLock;
use crate::restore::checked::{Checked, Reading};
use crate::restore::fill::{Filled, fill};
use crate::restore::prepared::Restore;

impl Restore {
    /// Does what [`Restore::run`] does up to the switch, with its hooks, and drops the copy. Hooks of
    /// dumps run before those of the complete copy, hooks for after the switch behind them.
    ///
    /// # Errors
    /// As [`Restore::run`]. A hook's failure is part of the result.
    pub async fn rehearse(self) -> PgResult<Trial> {
        let span = self.span();
        Box::pin(self.rehearse_here().instrument(span)).await
    }

    async fn rehearse_here(self) -> PgResult<Trial> {
        let Self { server, options, run, plan, .. } = &self;
        options.hooks.check(&DUMP_POINTS)?;
        let begun = Instant::now();
        plan.refuse_problems_of_the_dump()?;
        let mut source = run.or_cancelled(Checked::open(&self, Reading::Everything)).await?;
        run.step("hooks.create", &plan.target);
        let lock = run.or_cancelled(TargetLock::acquire(server, &scratch_target())).await?;
        let mut reports = Vec::new();
        let Filled { temporary, built } = Box::pin(fill(&self, &mut source, &lock, &mut reports)).await?;
        let site = self.site(temporary.name());
        let ended = async {
            built?;
            site.run(Point::PreDump, &mut reports).await?;
            site.before_the_swap(source.settings(), &mut reports).await?;
            site.run(Point::PostSwap, &mut reports).await
        };
        let ended = Box::pin(ended).await;
        temporary.give_up(server, options.keep_failed && ended.is_err(), run).await;
        Trial::new(Some(&plan.key), reports, ended, begun)
    }
}
