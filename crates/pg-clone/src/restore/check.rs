//! What a restore refuses before it creates anything, so that a dry run ends as the run would.

use tracing::Instrument;

use crate::error::PgResult;
use crate::live::silence;
use crate::restore::checked::{Checked, Reading};
use crate::restore::prepared::Restore;
use crate::stored::verify;

impl Restore {
    /// Refuses what [`Restore::run`] would refuse before it makes anything, in the same order,
    /// and changes nothing. Two things only the run itself finds: damage within stored objects, whose presence and size are
    /// looked at here and whose every byte the run reads; and that nobody has confirmed yet, for whoever only looks need not.
    ///
    /// # Errors
    /// As [`Restore::run`].
    pub async fn check(&self) -> PgResult<()> {
        Box::pin(self.look().instrument(self.span())).await
    }

    async fn look(&self) -> PgResult<()> {
        let Self { server, store, options, run, plan } = self;
        server.refuse_if_guarded(&plan.target)?;
        plan.refuse_problems()?;
        if options.confirm.is_some() {
            plan.refuse_unconfirmed(options)?;
        }
        match plan.manifest() {
            Some(manifest) if plan.is_data_only() => {
                run.or_cancelled(verify::check_presence(&**store, manifest, plan.part.is_some())).await?;
            }
            _ => drop(run.or_cancelled(Checked::open(self, Reading::Presence)).await?),
        }
        run.or_cancelled(silence::refuse_if_held(server, &plan.target)).await
    }
}
