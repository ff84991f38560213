//! What a failed request means here.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use backup_core::StoreError;
use backup_core::aws::{Answer, Meaning, RequestError};

use crate::error::GlacierError;

/// No capacity for an expedited retrieval now (AWS, "RestoreObject"): 503, and trying again at once does not help.
const NO_CAPACITY: &str = "GlacierExpeditedRetrievalNotAvailable";

/// Where the archives are.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) bucket: String,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
}

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: RequestError,
    action: &'static str,
    key: String,
    /// Where it is.
    bucket: String,
    permission: String,
}

impl Place {
    /// The key as the bucket has it.
    pub(super) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(super) fn failed<E>(&self, action: &'static str, key: &str, error: &SdkError<E, HttpResponse>) -> Failed
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let below = if action.starts_with("s3:List") { String::new() } else { format!("/{}*", self.prefix) };
        let permission = format!("allow `{action}` on `arn:aws:s3:::{}{below}` for these credentials", self.bucket);
        let bucket = format!("s3://{}", self.bucket);
        Failed { error: RequestError::of(error), action, key: key.to_owned(), bucket, permission }
    }
}

impl Failed {
    /// The service's code; empty if there is none.
    pub(super) fn code(&self) -> &str {
        match &self.error {
            RequestError::Answer(answer) => &answer.code,
            _ => "",
        }
    }

    pub(super) fn is_permanent(&self) -> bool {
        self.code() == NO_CAPACITY || self.error.is_permanent()
    }

    pub(super) fn into_error(self) -> GlacierError {
        let Self { error, action, key, bucket, permission } = self;
        let action = action.to_owned();
        match error {
            RequestError::Answer(answer) if answer.code == NO_CAPACITY => {
                GlacierError::NoCapacity { key, why: answer.to_string() }
            }
            RequestError::Answer(answer) => answered(answer, key, action, permission).into(),
            RequestError::NoAnswer(text) => StoreError::Unreachable { key, action, source: text.into() }.into(),
            RequestError::NoCredentials(text) => StoreError::NoCredentials { source: text.into() }.into(),
            RequestError::Untrusted(text) => StoreError::Untrusted { server: bucket, source: text.into() }.into(),
            RequestError::Unmade(what) => StoreError::Invalid { what }.into(),
        }
    }
}

fn answered(answer: Answer, key: String, action: String, help: String) -> StoreError {
    match answer.meaning() {
        Meaning::Unauthenticated => StoreError::Unauthenticated { source: answer.into() },
        Meaning::Throttled | Meaning::Failing => StoreError::Busy { key, action, source: answer.into() },
        // S3 says 403 of what is archived, too: that is the object's state and nobody's permission.
        Meaning::Denied if answer.code != "InvalidObjectState" => {
            StoreError::PermissionDenied { key, action, help: help.into(), source: answer.into() }
        }
        Meaning::Missing => StoreError::NotFound { key },
        _ => StoreError::Other { key, action, source: answer.into() },
    }
}
