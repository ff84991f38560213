//! The hooks of a restore: in the new temporary database, in the complete one, and in the live one.

use crate::adapters::connection::Server;
use crate::adapters::sql::database_settings;
use crate::error::PgResult;
use crate::hook::{self, HookFailure, HookReport, Point, Scene};
use crate::options::RestoreOptions;
use crate::run::Run;
use crate::stored::database_settings::DatabaseSettings;

/// What the hooks of one restore have in common.
pub(crate) struct Site<'a> {
    pub(crate) server: &'a Server,
    /// The database it is about.
    pub(crate) target: &'a str,
    /// The dump, if it is one that is restored.
    pub(crate) key: Option<&'a str>,
    /// The database that will have the target's name.
    pub(crate) copy: &'a str,
    pub(crate) options: &'a RestoreOptions,
    pub(crate) run: &'a Run,
}

impl Site<'_> {
    /// Runs the hooks of `point` on the copy.
    pub(crate) async fn run(&self, point: Point, reports: &mut Vec<HookReport>) -> PgResult<()> {
        self.run_on(self.copy, point, reports).await
    }

    /// Runs the hooks of the complete copy, under the parameters that it will have: a search path that is set for the live
    /// database decides what a migration finds.
    pub(crate) async fn before_the_swap(
        &self,
        dumped: Option<&DatabaseSettings>,
        reports: &mut Vec<HookReport>,
    ) -> PgResult<()> {
        if self.options.hooks.pre_swap.is_empty() {
            return Ok(());
        }
        let admin = self.server.connect_admin_for(self.target).await?;
        let live = database_settings::read_if_exists(&admin, self.target).await?;
        if let Some(wanted) = live.as_ref().or(dumped) {
            // Owner and privileges come with the swap, and so do the warnings: from then on we may not get in any more.
            let within = database_settings::within(self.server, self.copy, wanted).await?;
            database_settings::apply(within.as_ref().unwrap_or(&admin), self.copy, wanted, true, true).await?;
        }
        drop(admin);
        self.run(Point::PreSwap, reports).await
    }

    /// Runs the hooks of the live database. What fails now is told and stops nothing: there is nothing left to stop.
    pub(crate) async fn after_the_swap(&self, reports: &mut Vec<HookReport>) -> Option<HookFailure> {
        let ran = self.run_on(self.target, Point::PostSwap, reports).await;
        let done = reports.iter().filter(|report| report.point == Point::PostSwap).count();
        let stopped_at = self.options.hooks.post_swap.get(done).map(ToString::to_string).unwrap_or_default();
        ran.err().map(|error| HookFailure::new(Point::PostSwap, stopped_at, error))
    }

    async fn run_on(&self, database: &str, point: Point, reports: &mut Vec<HookReport>) -> PgResult<()> {
        let Self { server, target, key, options, run, .. } = *self;
        let scene = Scene { server, database, target, key, run };
        // Boxed: most restores have no hooks.
        Box::pin(hook::run_all(&options.hooks, point, &scene, reports)).await
    }
}
