//! Does what a plan says.

use backup_core::run::Run;

use super::plan::TrimPlan;
use crate::delete::{self, Deleted, Doomed};
use crate::error::Ec2Result;
use crate::ports::Cloud;
use crate::run_regions::Failed;

/// Deletes what `plan` deletes. `failures` are those of [`super::prepare()`].
///
/// # Errors
/// [`crate::Ec2Error::Interrupted`] if nothing was done yet; what fails is in [`Deleted::failures`].
pub async fn run(cloud: &dyn Cloud, plan: &TrimPlan, failures: Vec<Failed>, run: &Run) -> Ec2Result<Deleted> {
    let doomed = plan.deleted().map(|one| Doomed {
        region: one.region.clone(),
        id: one.id.clone(),
        volume: one.volume.to_string(),
    });
    let mut deleted = delete::all(cloud, doomed.collect(), run).await?;
    deleted.failures.extend(failures);
    Ok(deleted)
}

#[cfg(test)]
mod tests;
