//! Jobs: requested once, and found again by their description.

use std::ops::Range;

use aws_sdk_glacier::types::{GlacierJobDescription, JobParameters, StatusCode};
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
        let sent = self.client.initiate_job().vault_name(&self.name).job_parameters(parameters).send().await;
        let failed = match sent {
            Ok(done) => {
                return done.job_id().map(str::to_owned).ok_or_else(|| GlacierError::internal("a job without an id"));
            }
            Err(error) => self.failed("glacier:InitiateJob", &error),
        };
        if failed.is_ambiguous()
            && let Some(job) = self.find_job(description).await?
        {
            return Ok(job.id);
        }
        Err(failed.into_error())
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
    let description = told.job_description().map(str::to_owned);
    Some(VaultJob { id: told.job_id()?.to_owned(), description, state })
}
