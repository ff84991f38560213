//! What a failed request means: a pure decision by status and code.

use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::StoreError;
use crate::key::Key;
use crate::store::{PutMode, StoreResult};

/// Where the objects are.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) bucket: String,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
}

/// What is tried: an IAM action on a key or prefix, conditionally or not.
#[derive(Debug)]
pub(super) struct Deed<'a> {
    action: &'static str,
    key: &'a str,
    mode: Option<&'a PutMode>,
}

impl<'a> Deed<'a> {
    pub(super) fn new(action: &'static str, key: &'a str) -> Self {
        Self { action, key, mode: None }
    }

    pub(super) fn with_mode(self, mode: &'a PutMode) -> Self {
        Self { mode: Some(mode), ..self }
    }
}

/// Why a request failed, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failure {
    /// The server answered with an error.
    Answer(Answer),
    /// There was no answer, or none that could be read.
    NoAnswer(String),
    /// No credentials could be found.
    NoCredentials(String),
    /// The request could not be made.
    Unmade(String),
}

/// A server's error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Answer {
    status: u16,
    code: String,
    message: String,
    /// Where the bucket is, if the server says so.
    region: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            0 => {}
            status => write!(f, "{status} ")?,
        }
        f.write_str(if self.code.is_empty() { "without a code" } else { &self.code })?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl std::error::Error for Answer {}

impl Place {
    pub(super) fn new(bucket: &str, prefix: &str) -> StoreResult<Self> {
        if bucket.is_empty() || bucket.contains('/') {
            return Err(StoreError::Invalid { what: format!("`{bucket}` is not the name of a bucket") });
        }
        if prefix.is_empty() {
            return Ok(Self { bucket: bucket.to_owned(), prefix: String::new() });
        }
        let folder = Key::new(prefix)?;
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{folder}/") })
    }

    /// The key as the bucket has it.
    pub(super) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(super) fn error<E>(&self, deed: &Deed<'_>, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.mean(deed, failure(&error))
    }

    pub(super) fn key_error(&self, deed: &Deed<'_>, failed: &aws_sdk_s3::types::Error) -> StoreError {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let answer = Answer { code: text(failed.code()), message: text(failed.message()), ..Answer::default() };
        self.mean(deed, Failure::Answer(answer))
    }

    fn mean(&self, deed: &Deed<'_>, failure: Failure) -> StoreError {
        let (key, action) = (deed.key.to_owned(), deed.action.to_owned());
        match failure {
            Failure::Answer(answer) => self.mean_answer(deed, answer),
            Failure::NoAnswer(text) => StoreError::Unreachable { key, action, source: text.into() },
            Failure::NoCredentials(text) => StoreError::Unauthenticated { source: text.into() },
            Failure::Unmade(text) => StoreError::Other { key, action, source: text.into() },
        }
    }

    fn mean_answer(&self, deed: &Deed<'_>, answer: Answer) -> StoreError {
        let (key, action) = (deed.key.to_owned(), deed.action.to_owned());
        match (answer.status, answer.code.as_str()) {
            (_, "NoSuchBucket") => StoreError::NoLocation {
                location: self.to_string(),
                missing: format!("bucket `{}`", self.bucket),
                help: format!("create the bucket `{}`, or choose another location with `-r`", self.bucket),
            },
            (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
            | (301, _) => self.elsewhere(&answer),
            (
                _,
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "TokenRefreshRequired"
                | "RequestTimeTooSkewed"
                | "NotSignedUp",
            )
            | (401, _) => StoreError::Unauthenticated { source: answer.into() },
            (_, "PreconditionFailed") | (412, _) => match deed.mode {
                Some(PutMode::Create) => StoreError::AlreadyExists { key },
                _ => StoreError::Precondition { key },
            },
            (_, code) if is_passing(answer.status, code) => StoreError::Busy { key, action, source: answer.into() },
            (_, "InvalidRange") | (416, _) => {
                StoreError::Damaged { key, what: "it ends before the requested bytes".to_owned() }
            }
            (_, "EntityTooSmall" | "EntityTooLarge" | "InvalidStorageClass" | "InvalidPart" | "InvalidPartOrder") => {
                StoreError::Invalid { what: format!("`{key}` cannot be written: {answer}") }
            }
            (_, "InvalidObjectState") => StoreError::Other { key, action, source: answer.into() },
            (_, "AccessDenied" | "AllAccessDisabled" | "AccountProblem") | (403, _) => {
                StoreError::PermissionDenied { help: self.permission(deed.action), key, action, source: answer.into() }
            }
            (_, "NoSuchKey" | "NoSuchUpload" | "NotFound") | (404, _) => match deed.mode {
                // `If-Match` on an object that is gone.
                Some(PutMode::IfMatch(_)) if answer.code != "NoSuchUpload" => StoreError::Precondition { key },
                _ => StoreError::NotFound { key },
            },
            _ => StoreError::Other { key, action, source: answer.into() },
        }
    }

    fn elsewhere(&self, answer: &Answer) -> StoreError {
        let region = match &answer.region {
            Some(region) => format!("is in the region `{region}`: set AWS_REGION={region}"),
            None => "is in another region: set AWS_REGION to it".to_owned(),
        };
        StoreError::Invalid { what: format!("the bucket `{}` {region}", self.bucket) }
    }

    /// What an administrator has to allow.
    fn permission(&self, action: &str) -> String {
        let of_bucket = action.starts_with("s3:List");
        let below = if of_bucket { String::new() } else { format!("/{}*", self.prefix) };
        format!("allow `{action}` on `arn:aws:s3:::{}{below}` for these credentials", self.bucket)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.strip_suffix('/') {
            None => write!(f, "s3://{}", self.bucket),
            Some(prefix) => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}

/// Whether the same request may succeed later. A body that arrived damaged (`BadDigest`) was damaged on its way; a
/// conflict of two conditional writes says that one of them is to be tried again.
fn is_passing(status: u16, code: &str) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
        || matches!(
            code,
            "SlowDown"
                | "InternalError"
                | "ServiceUnavailable"
                | "RequestTimeout"
                | "Throttling"
                | "ThrottlingException"
                | "TooManyRequests"
                | "BadDigest"
                | "XAmzContentChecksumMismatch"
                | "ConditionalRequestConflict"
                | "OperationAborted"
        )
}

fn failure<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let raw = service.raw();
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            Failure::Answer(Answer {
                status: raw.status().as_u16(),
                code: text(service.err().code()),
                message: text(service.err().message()),
                region: raw.headers().get("x-amz-bucket-region").map(str::to_owned),
            })
        }
        SdkError::ResponseError(response) if response.raw().status().as_u16() >= 300 => {
            Failure::Answer(Answer { status: response.raw().status().as_u16(), ..Answer::default() })
        }
        SdkError::ConstructionFailure(_) => unsent(chain(error), Failure::Unmade),
        _ => unsent(chain(error), Failure::NoAnswer),
    }
}

/// Tells missing credentials from other reasons why a request was not sent: the chain of providers has no code for it.
fn unsent(text: String, other: fn(String) -> Failure) -> Failure {
    let phrases =
        ["credential provider", "credentials provider", "load credentials", "providers in chain", "no identity"];
    let lower = text.to_lowercase();
    let credentials = phrases.iter().any(|phrase| lower.contains(phrase));
    if credentials { Failure::NoCredentials(text) } else { other(text) }
}

/// The error and its sources as one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(status: u16, code: &str, mode: Option<&PutMode>) -> StoreError {
        let place = Place::new("bucket", "team/shop").unwrap();
        let deed = Deed { action: "s3:PutObject", key: "pg/x", mode };
        let answer = Answer { status, code: code.to_owned(), ..Answer::default() };
        place.mean(&deed, Failure::Answer(answer))
    }

    #[test]
    fn c9_what_may_pass_is_tried_again() {
        for (status, code) in [
            (503, "SlowDown"),
            (500, "InternalError"),
            (502, ""),
            (504, ""),
            (429, ""),
            (400, "RequestTimeout"),
            (400, "BadDigest"),
            (409, "ConditionalRequestConflict"),
            (0, "InternalError"),
        ] {
            let error = mean(status, code, Some(&PutMode::Create));
            assert!(matches!(error, StoreError::Busy { .. }), "{status} {code}: {error:?}");
        }
    }

    #[test]
    fn c10_what_is_denied_names_the_action_and_where() {
        for (status, code) in [(403, "AccessDenied"), (403, ""), (0, "AccessDenied")] {
            let error = mean(status, code, None);
            assert!(error.is_permanent());
            let StoreError::PermissionDenied { action, help, .. } = error else { panic!("{error:?}") };
            assert_eq!(action, "s3:PutObject");
            assert!(help.contains("`s3:PutObject` on `arn:aws:s3:::bucket/team/shop/*`"), "{help}");
        }
        let listing = Place::new("bucket", "team").unwrap().permission("s3:ListBucket");
        assert!(listing.contains("`arn:aws:s3:::bucket`"), "{listing}");
    }

    #[test]
    fn conditions_are_told_by_their_mode() {
        let tag = PutMode::IfMatch(crate::store::Tag("1".to_owned()));
        assert!(matches!(mean(412, "PreconditionFailed", Some(&PutMode::Create)), StoreError::AlreadyExists { .. }));
        assert!(matches!(mean(412, "PreconditionFailed", Some(&tag)), StoreError::Precondition { .. }));
        assert!(matches!(mean(404, "NoSuchKey", Some(&tag)), StoreError::Precondition { .. }));
        assert!(matches!(mean(404, "NoSuchUpload", Some(&tag)), StoreError::NotFound { .. }));
        assert!(matches!(mean(404, "", None), StoreError::NotFound { .. }));
    }

    #[test]
    fn other_decisions_are_permanent() {
        assert!(matches!(mean(404, "NoSuchBucket", None), StoreError::NoLocation { .. }));
        assert!(matches!(mean(403, "InvalidAccessKeyId", None), StoreError::Unauthenticated { .. }));
        assert!(matches!(mean(403, "SignatureDoesNotMatch", None), StoreError::Unauthenticated { .. }));
        assert!(matches!(mean(400, "ExpiredToken", None), StoreError::Unauthenticated { .. }));
        assert!(matches!(mean(416, "InvalidRange", None), StoreError::Damaged { .. }));
        assert!(matches!(mean(301, "PermanentRedirect", None), StoreError::Invalid { .. }));
        assert!(matches!(mean(400, "EntityTooSmall", None), StoreError::Invalid { .. }));
        assert!(matches!(mean(418, "", None), StoreError::Other { .. }));
    }
}
