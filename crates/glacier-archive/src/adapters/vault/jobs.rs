//! Jobs: requested once, and found again by their description.

use std::ops::Range;

use aws_sdk_glacier::types::{GlacierJobDescription, JobParameters, StatusCode};
use backup_core::retry::{self, RetryPolicy};
use backup_core::{CoreError, StoreError};
use jiff::{SignedDuration, Timestamp};

use super::failure::Failed;
use super::{Vault, VaultArchive};
use crate::class::Tier;
use crate::error::{GlacierError, GlacierResult};
use crate::lifecycle::Event;

/// How long the output of a job stays at least ("GetJobOutput").
const OUTPUT_STAYS: SignedDuration = SignedDuration::from_hours(24);

/// A retrieval at the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultJob {
    /// What the service calls it.
    pub id: String,
    /// What it was called when it was requested.
    pub description: Option<String>,
    /// The archive it retrieves; absent if it retrieves the inventory.
    pub archive: Option<String>,
    /// Which bytes of it.
    pub range: Option<Range<u64>>,
    /// When it was requested.
    pub created: Option<Timestamp>,
    /// Bytes of its output, if it is an inventory that is ready.
    pub inventory_bytes: Option<u64>,
    /// How far it is.
    pub state: JobState,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// The service works on it.
    Running,
    /// Its output can be read.
    Succeeded {
        /// Until when at least, where the service says when it was done.
        until: Option<Timestamp>,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: String,
    },
}

impl VaultJob {
    /// What it means for the lifecycle of its archive.
    #[must_use]
    pub fn event(&self) -> Event {
        let job = Some(self.id.clone());
        match &self.state {
            JobState::Running => Event::Running { job },
            JobState::Succeeded { until } => Event::Finished { job, until: *until },
            JobState::Failed { reason } => Event::Failed { job, reason: reason.clone() },
        }
    }
}

impl Vault {
    /// Requests an archive, or a range of it in whole mebibytes. Costs money. `description` must be of this request alone: if the
    /// answer is lost, the job is found by it, and not requested again.
    ///
    /// # Errors
    /// [`GlacierError::NoCapacity`] if it was surely not taken; what the service says.
    pub async fn request(
        &self,
        archive: &VaultArchive,
        range: Option<Range<u64>>,
        tier: Tier,
        description: &str,
    ) -> GlacierResult<String> {
        let parameters = JobParameters::builder()
            .r#type("archive-retrieval")
            .archive_id(&archive.id)
            .description(description)
            .tier(tier.as_str())
            .set_retrieval_byte_range(range.map(|range| format!("{}-{}", range.start, range.end - 1)))
            .build();
        self.initiate(parameters, description).await
    }

    /// Requests the inventory of the vault, as it was made last: about once a day.
    ///
    /// # Errors
    /// [`GlacierError::NoInventory`] if none was made yet; what the service says.
    pub async fn request_inventory(&self, description: &str) -> GlacierResult<String> {
        let parameters =
            JobParameters::builder().r#type("inventory-retrieval").format("JSON").description(description).build();
        match self.initiate(parameters, description).await {
            // The vault is there: its jobs were listed.
            Err(GlacierError::Core(CoreError::Store(StoreError::NotFound { .. }))) => {
                Err(GlacierError::NoInventory { vault: self.name.clone() })
            }
            requested => requested,
        }
    }

    /// Requests a job. One whose answer was lost is looked for before anybody thinks of another.
    async fn initiate(&self, parameters: JobParameters, description: &str) -> GlacierResult<String> {
        let cancelled = self.run.cancel.cancelled();
        let told = |failed: &retry::FailedAttempt<'_, Failed>| {
            tracing::debug!(error = %failed.error.error, attempt = failed.failed, "trying again");
        };
        let send = || async {
            let request = self.client.initiate_job().vault_name(&self.name).job_parameters(parameters.clone());
            request.send().await.map_err(|error| self.failed("glacier:InitiateJob", &error))
        };
        let is_final = |failed: &Failed| failed.is_permanent() || failed.is_ambiguous();
        match retry::run(RetryPolicy::default(), send, is_final, cancelled, told).await {
            Ok(done) => done.job_id().map(str::to_owned).ok_or_else(|| GlacierError::internal("a job without an id")),
            Err(failed) => {
                if failed.is_ambiguous()
                    && let Some(job) = self.find_job(description).await?
                {
                    return Ok(job.id);
                }
                Err(failed.into_error())
            }
        }
    }

    /// The job with this description that is running or can be read, if there is one.
    ///
    /// # Errors
    /// What the service says.
    pub async fn find_job(&self, description: &str) -> GlacierResult<Option<VaultJob>> {
        let jobs = self.jobs().await?;
        let is_it = |job: &VaultJob| {
            job.description.as_deref() == Some(description) && !matches!(job.state, JobState::Failed { .. })
        };
        Ok(jobs.into_iter().find(is_it))
    }

    /// All jobs of the vault whose output has not expired, a page of fifty a request.
    ///
    /// # Errors
    /// What the service says.
    pub async fn jobs(&self) -> GlacierResult<Vec<VaultJob>> {
        let (mut jobs, mut marker) = (Vec::new(), None::<String>);
        loop {
            let page = self.retried(|| async {
                let request = self.client.list_jobs().vault_name(&self.name).set_marker(marker.clone());
                request.send().await.map_err(|error| self.failed("glacier:ListJobs", &error))
            });
            let page = page.await.map_err(Failed::into_error)?;
            jobs.extend(page.job_list().iter().filter_map(job));
            match page.marker() {
                Some(next) if Some(next) != marker.as_deref() => marker = Some(next.to_owned()),
                _ => return Ok(jobs),
            }
        }
    }
}

fn job(told: &GlacierJobDescription) -> Option<VaultJob> {
    let state = match told.status_code() {
        Some(StatusCode::Succeeded) => {
            let done = told.completion_date().and_then(|date| date.parse::<Timestamp>().ok());
            JobState::Succeeded { until: done.and_then(|done| done.checked_add(OUTPUT_STAYS).ok()) }
        }
        Some(StatusCode::Failed) => {
            JobState::Failed { reason: told.status_message().unwrap_or("the service does not say why").to_owned() }
        }
        _ => JobState::Running,
    };
    let (first, last) = told.retrieval_byte_range().and_then(|range| range.split_once('-')).unzip();
    let range = first.zip(last).and_then(|(first, last)| {
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        Some(first..last.checked_add(1)?)
    });
    Some(VaultJob {
        id: told.job_id()?.to_owned(),
        description: told.job_description().map(str::to_owned),
        archive: told.archive_id().map(str::to_owned),
        range,
        created: told.creation_date().and_then(|date| date.parse().ok()),
        inventory_bytes: told.inventory_size_in_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
        state,
    })
}
