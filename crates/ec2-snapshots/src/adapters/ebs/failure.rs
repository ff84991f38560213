//! What a failed request of EBS direct means.

use aws_sdk_ebs::config::http::HttpResponse;
use aws_sdk_ebs::error::{ProvideErrorMetadata, SdkError};
use backup_core::aws::{Meaning, RequestError};

use crate::model::Region;
use crate::ports::{CallError, Fault};

/// A request that was made.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) action: &'static str,
    pub(super) region: &'a Region,
}

impl Asked<'_> {
    /// Why it failed.
    pub(super) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> CallError
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let (fault, code, message) = match RequestError::of(error) {
            RequestError::Answer(answer) => {
                let fault = match answer.meaning() {
                    Meaning::Throttled => Fault::Throttled,
                    Meaning::Failing => Fault::Failing,
                    Meaning::Unauthenticated => Fault::Unauthenticated,
                    Meaning::Denied => Fault::Denied,
                    Meaning::Missing => Fault::Missing,
                    _ => Fault::Refused,
                };
                let code = reason(error).unwrap_or(answer.code);
                (fault, code, answer.message)
            }
            RequestError::NoAnswer(text) => (Fault::NoAnswer, String::new(), text),
            RequestError::NoCredentials(text) => (Fault::NoCredentials, String::new(), text),
            RequestError::Untrusted(text) => (Fault::Untrusted, String::new(), text),
            RequestError::Unmade(text) => (Fault::Refused, String::new(), text),
        };
        CallError { action: self.action, region: self.region.clone(), fault, code, message }
    }

    /// Its answer broke off.
    pub(super) fn lost(&self, error: &dyn std::error::Error) -> CallError {
        let (code, message) = (String::new(), error.to_string());
        CallError { action: self.action, region: self.region.clone(), fault: Fault::NoAnswer, code, message }
    }

    /// It, or its answer, makes no sense.
    pub(super) fn odd(&self, message: String) -> CallError {
        CallError {
            action: self.action,
            region: self.region.clone(),
            fault: Fault::Refused,
            code: String::new(),
            message,
        }
    }
}

/// The reason in the body of a `ValidationException` or `ResourceNotFoundException` (EBS direct APIs reference, "Common
/// errors"), which says more than the code.
fn reason<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let SdkError::ServiceError(service) = error else { return None };
    let body: serde_json::Value = serde_json::from_slice(service.raw().body().bytes()?).ok()?;
    let status = service.raw().status().as_u16();
    matches!(status, 400 | 404).then(|| body["Reason"].as_str().map(str::to_owned)).flatten()
}
