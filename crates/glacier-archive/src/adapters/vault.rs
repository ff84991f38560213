//! A vault of the Glacier service, for accounts that have one: archives in parts, jobs, and their output.
//!
//! An archive is always uploaded in parts, even if it is one: the completion of an upload is idempotent, while a lost answer
//! to `UploadArchive` makes a second archive that is paid for. Nothing that is downloaded is believed before its tree hash
//! was checked; the SDK does not check it.

mod buffers;
mod download;
mod failure;
mod inventory;
mod jobs;
mod store;
mod upload;
mod wire;

use std::sync::{Arc, Mutex};

use aws_sdk_glacier::Client;
use aws_sdk_glacier::config::Builder;
use aws_sdk_glacier::config::http::HttpResponse;
use aws_sdk_glacier::error::{ProvideErrorMetadata, SdkError};
use backup_core::aws::{Settings, timeouts};
use backup_core::retry::{self, RetryPolicy};
use backup_core::run::Run;
use tokio::sync::Semaphore;

use self::failure::Failed;
use crate::error::GlacierResult;
pub use crate::vaulted::VaultArchive;

pub use inventory::InventoryFile;
pub use jobs::{JobState, VaultJob};
pub use store::VaultStore;
pub use wire::PARTS_IN_FLIGHT;

/// The largest part that is sent: ten of them are in memory at once.
const PART_BYTES_SENT_MAX: usize = 64 * 1024 * 1024;

/// A vault.
#[derive(Clone, Debug)]
pub struct Vault {
    client: Client,
    name: String,
    run: Run,
    /// Turns of parts on the wire.
    wire: Arc<Semaphore>,
    /// The upload that was begun last, until something is done with it: it has no parts, and nobody need ask.
    begun: Arc<Mutex<Option<String>>>,
}

impl Vault {
    /// The vault `name` of the account that the settings are of. No request is made. Requests that failed for now are tried
    /// again until `run` is cancelled.
    #[must_use]
    pub fn new(settings: &Settings, name: &str, run: &Run) -> Self {
        // A part is sent in one request, and the largest that this client sends decides how long that may take.
        let config = Builder::from(settings.sdk()).timeout_config(timeouts(PART_BYTES_SENT_MAX)).build();
        let wire = Arc::new(Semaphore::new(PARTS_IN_FLIGHT));
        let client = Client::from_conf(config);
        Self { client, name: name.to_owned(), run: run.clone(), wire, begun: Arc::default() }
    }

    /// Makes the vault; one that is there stays as it is.
    ///
    /// # Errors
    /// [`GlacierError::NoVaults`](crate::GlacierError::NoVaults) if AWS makes none for this account; what the service says.
    pub async fn create(&self) -> GlacierResult<()> {
        let made = self.retried(|| async {
            let sent = self.client.create_vault().vault_name(&self.name).send().await;
            sent.map(drop).map_err(|error| self.failed("glacier:CreateVault", &error))
        });
        made.await.map_err(Failed::into_error)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is there: whoever writes asks first, so that the first thing to be said of a vault that is not is that.
    ///
    /// # Errors
    /// [`GlacierError::NoVaults`](crate::GlacierError::NoVaults) if it is not, or AWS has none for this account; what the
    /// service says.
    pub async fn look(&self) -> GlacierResult<()> {
        let found = self.retried(|| async {
            let sent = self.client.describe_vault().vault_name(&self.name).send().await;
            sent.map(drop).map_err(|error| self.failed("glacier:DescribeVault", &error))
        });
        match found.await {
            Err(failed) if failed.code() == "ResourceNotFoundException" => {
                Err(crate::GlacierError::NoVaults { vault: self.name.clone() })
            }
            found => found.map_err(Failed::into_error),
        }
    }

    /// Deletes an archive; one that is gone already is no error.
    ///
    /// # Errors
    /// What the service says.
    pub async fn delete(&self, id: &str) -> GlacierResult<()> {
        let gone = self.retried(|| async {
            let sent = self.client.delete_archive().vault_name(&self.name).archive_id(id).send().await;
            sent.map(drop).map_err(|error| self.failed("glacier:DeleteArchive", &error))
        });
        match gone.await {
            Err(failed) if failed.code() == "ResourceNotFoundException" => Ok(()),
            gone => gone.map_err(Failed::into_error),
        }
    }

    fn failed<E>(&self, action: &'static str, error: &SdkError<E, HttpResponse>) -> Failed
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        Failed::of(&self.name, action, error)
    }

    /// Tries again what may succeed later and does no harm twice.
    async fn retried<T, F>(&self, request: impl FnMut() -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let cancelled = self.run.cancel.cancelled();
        let told = |failed: &retry::FailedAttempt<'_, Failed>| {
            tracing::debug!(error = %failed.error.error, attempt = failed.failed, "trying again");
        };
        retry::run(RetryPolicy::default(), request, Failed::is_permanent, cancelled, told).await
    }
}
