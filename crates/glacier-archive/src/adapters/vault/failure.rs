//! What a failed request to the Glacier service means.

use aws_sdk_glacier::config::http::HttpResponse;
use aws_sdk_glacier::error::{ProvideErrorMetadata, SdkError};
use backup_core::StoreError;
use backup_core::aws::{Answer, Meaning, RequestError};

use crate::error::GlacierError;

/// No capacity for an expedited retrieval, and a policy of the account that forbids one ("InitiateJob"): trying again at
/// once does not help.
const REFUSALS: [&str; 2] = ["InsufficientCapacityException", "PolicyEnforcedException"];

/// AWS makes no vaults for this account ("Amazon Glacier availability change").
const NO_LONGER_SUPPORTED: &str = "NoLongerSupportedException";

/// Who is asked.
const SERVICE: &str = "Amazon Glacier";

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: RequestError,
    action: &'static str,
    vault: String,
}

impl Failed {
    /// A request about `vault` that failed.
    pub(super) fn of<E>(vault: &str, action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        Self { error: RequestError::of(error), action, vault: vault.to_owned() }
    }

    /// What arrived is not what was asked for: the line may have changed it, and the next attempt may be good.
    pub(super) fn broken(vault: &str, action: &'static str, what: String) -> Self {
        Self { error: RequestError::NoAnswer(what), action, vault: vault.to_owned() }
    }

    /// The service's code; empty if there is none.
    pub(super) fn code(&self) -> &str {
        match &self.error {
            RequestError::Answer(answer) => &answer.code,
            _ => "",
        }
    }

    pub(super) fn is_permanent(&self) -> bool {
        REFUSALS.contains(&self.code()) || self.error.is_permanent()
    }

    /// Whether the request may have been carried out all the same.
    pub(super) fn is_ambiguous(&self) -> bool {
        !REFUSALS.contains(&self.code()) && self.error.is_ambiguous()
    }

    pub(super) fn into_error(self) -> GlacierError {
        let Self { error, action, vault } = self;
        let (key, action) = (vault, action.to_owned());
        match error {
            RequestError::Answer(answer) if REFUSALS.contains(&answer.code.as_str()) => {
                GlacierError::NoCapacity { key, why: answer.to_string() }
            }
            RequestError::Answer(answer) if answer.code == NO_LONGER_SUPPORTED => GlacierError::NoVaults { vault: key },
            RequestError::Answer(answer) => answered(answer, key, action).into(),
            RequestError::NoAnswer(text) => StoreError::Unreachable { key, action, source: text.into() }.into(),
            RequestError::NoCredentials(text) => StoreError::NoCredentials { source: text.into() }.into(),
            RequestError::Untrusted(text) => {
                StoreError::Untrusted { server: SERVICE.to_owned(), source: text.into() }.into()
            }
            RequestError::Unmade(what) => StoreError::Invalid { what }.into(),
        }
    }
}

fn answered(answer: Answer, key: String, action: String) -> StoreError {
    let help = format!("allow `{action}` on the vault `{key}` for these credentials");
    match answer.meaning() {
        Meaning::Unauthenticated => StoreError::Unauthenticated { source: answer.into() },
        Meaning::Throttled | Meaning::Failing => StoreError::Busy { key, action, source: answer.into() },
        Meaning::Denied => StoreError::PermissionDenied { key, action, help: help.into(), source: answer.into() },
        Meaning::Missing => StoreError::NotFound { key: format!("{key}: {}", answer.message) },
        _ => StoreError::Other { key, action, source: answer.into() },
    }
}
