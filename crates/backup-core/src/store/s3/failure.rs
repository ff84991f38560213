//! What a failed request to S3 means for the store: a pure decision by its own codes, then by those of all services.

use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

use super::moment::moment;
use crate::aws::{Answer, Meaning, RequestError};
use crate::clock::{Clock as _, SystemClock};
use crate::error::StoreError;
use crate::failure::Setting;
use crate::key::Key;
use crate::remedy;
use crate::store::{PutMode, StoreResult};

/// Where the objects are.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) bucket: String,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
    /// Who is asked, if that is not Amazon.
    pub(super) endpoint: Option<String>,
}

/// What the head of an answer says beside its error.
#[derive(Clone, Copy, Debug, Default)]
struct Head<'a> {
    /// Where the bucket is.
    region: Option<&'a str>,
    /// What time it is there.
    date: Option<&'a str>,
}

/// What is tried: an IAM action on a key or prefix, conditionally or not.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    action: &'static str,
    key: &'a str,
    mode: Option<&'a PutMode>,
}

impl<'a> Operation<'a> {
    pub(super) fn new(action: &'static str, key: &'a str) -> Self {
        Self { action, key, mode: None }
    }

    pub(super) fn with_mode(self, mode: &'a PutMode) -> Self {
        Self { mode: Some(mode), ..self }
    }
}

impl Place {
    pub(super) fn new(bucket: &str, prefix: &str) -> StoreResult<Self> {
        if bucket.is_empty() || bucket.contains('/') {
            return Err(StoreError::Invalid { what: format!("`{bucket}` is not the name of a bucket") });
        }
        if prefix.is_empty() {
            return Ok(Self { bucket: bucket.to_owned(), prefix: String::new(), endpoint: None });
        }
        let folder = Key::new(prefix)?;
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{folder}/"), endpoint: None })
    }

    /// The key as the bucket has it.
    pub(super) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(super) fn error<E>(&self, operation: &Operation<'_>, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let header = |name| error.raw_response().and_then(|raw| raw.headers().get(name));
        let head = Head { region: header("x-amz-bucket-region"), date: header("date") };
        self.store_error(operation, RequestError::of(&error), head)
    }

    pub(super) fn key_error(&self, operation: &Operation<'_>, failed: &aws_sdk_s3::types::Error) -> StoreError {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let answer = Answer { code: text(failed.code()), message: text(failed.message()), ..Answer::default() };
        self.store_error(operation, RequestError::Answer(answer), Head::default())
    }

    fn store_error(&self, operation: &Operation<'_>, failure: RequestError, head: Head<'_>) -> StoreError {
        let (key, action) = (operation.key.to_owned(), operation.action.to_owned());
        match failure {
            RequestError::Answer(answer) => self.answered(operation, answer, head),
            // A server that was asked for something it does not know may answer with something else.
            RequestError::NoAnswer(text) if text.contains(OTHER_ANSWER) => {
                StoreError::Unsupported { action, source: text.into() }
            }
            RequestError::NoAnswer(text) => {
                let asked = self.endpoint.as_deref().map(|endpoint| format!("{endpoint}: ")).unwrap_or_default();
                StoreError::Unreachable { key, action, source: format!("{asked}{text}").into() }
            }
            RequestError::NoCredentials(text) => StoreError::NoCredentials { source: text.into() },
            RequestError::Untrusted(text) => {
                StoreError::Untrusted { server: self.endpoint.clone().unwrap_or(self.to_string()), source: text.into() }
            }
            RequestError::Unmade(what) => StoreError::Invalid { what },
        }
    }

    fn answered(&self, operation: &Operation<'_>, answer: Answer, head: Head<'_>) -> StoreError {
        let key = operation.key.to_owned();
        match (answer.status, answer.code.as_str()) {
            (_, "NoSuchBucket") => StoreError::NoLocation {
                location: self.to_string(),
                missing: format!("bucket `{}`", self.bucket),
                help: remedy![
                    format!("create the bucket `{}`, or choose another location with ", self.bucket),
                    Setting::Location
                ],
            },
            (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
            | (301, _) => self.elsewhere(head.region),
            (_, "PreconditionFailed") | (412, _) => match operation.mode {
                Some(PutMode::Create) => StoreError::AlreadyExists { key },
                _ => StoreError::Precondition { key },
            },
            (_, "InvalidRange") | (416, _) => {
                StoreError::Damaged { key, what: "it ends before the requested bytes".to_owned() }
            }
            (_, "EntityTooSmall" | "EntityTooLarge" | "InvalidStorageClass" | "InvalidPart" | "InvalidPartOrder") => {
                StoreError::Invalid { what: format!("`{key}` cannot be written: {answer}") }
            }
            // S3 says 403 of it, whatever the credentials may read.
            (_, "InvalidObjectState") => StoreError::Archived { key },
            _ => self.answered_as_any_service(operation, answer, head),
        }
    }

    fn answered_as_any_service(&self, operation: &Operation<'_>, answer: Answer, head: Head<'_>) -> StoreError {
        let (key, action) = (operation.key.to_owned(), operation.action.to_owned());
        match answer.meaning() {
            Meaning::Unauthenticated => StoreError::Unauthenticated { source: answer.into() },
            Meaning::Throttled | Meaning::Failing => StoreError::Busy { key, action, source: answer.into() },
            Meaning::Denied => {
                // Encryption has keys of its own, which others may hand out.
                let (action, help) = match other_right(&answer.message) {
                    Some((right, on)) => (right.to_owned(), format!("allow `{right}` on `{on}` for these credentials")),
                    None => (action, self.permission(operation.action)),
                };
                StoreError::PermissionDenied { key, action, help: help.into(), source: answer.into() }
            }
            Meaning::Skewed => {
                let there = head.date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
                let there = there.as_ref().and_then(moment);
                StoreError::ClockWrong { here: SystemClock.now(), there, source: answer.into() }
            }
            Meaning::Unsupported => StoreError::Unsupported { action, source: answer.into() },
            Meaning::Missing => match operation.mode {
                // `If-Match` on an object that is gone.
                Some(PutMode::IfMatch(_)) if answer.code != "NoSuchUpload" => StoreError::Precondition { key },
                _ => StoreError::NotFound { key },
            },
            Meaning::Other => StoreError::Other { key, action, source: answer.into() },
        }
    }

    fn elsewhere(&self, region: Option<&str>) -> StoreError {
        let region = match region {
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

/// How the SDK says that an answer is about something else.
const OTHER_ANSWER: &str = "XML root";

/// The right that a refusal names, and on what, if it is of another service than S3: AWS says `… is not authorized to perform:
/// kms:GenerateDataKey on resource: arn:aws:kms:… because …`.
fn other_right(message: &str) -> Option<(&str, &str)> {
    let word_after = |phrase: &str| message.split_once(phrase)?.1.split_whitespace().next();
    let right = word_after("not authorized to perform: ")?;
    let (service, name) = right.split_once(':')?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (service != "s3" && plain(service) && plain(name)).then_some(())?;
    Some((right, word_after("on resource: ").map_or("*", |on| on.trim_end_matches(['.', ',']))))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.strip_suffix('/') {
            None => write!(f, "s3://{}", self.bucket),
            Some(prefix) => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure as _;

    fn error(status: u16, code: &str, mode: Option<&PutMode>) -> StoreError {
        let place = Place::new("bucket", "team/shop").unwrap();
        let operation = Operation { action: "s3:PutObject", key: "pg/x", mode };
        let answer = Answer { status, code: code.to_owned(), ..Answer::default() };
        place.store_error(&operation, RequestError::Answer(answer), Head::default())
    }

    #[test]
    fn what_encryption_refuses_names_its_own_right() {
        let place = Place::new("bucket", "team").unwrap();
        let message = "User: arn:aws:iam::1:user/b is not authorized to perform: kms:GenerateDataKey on resource: \
                       arn:aws:kms:eu-west-1:1:key/2 because no identity-based policy allows the kms:GenerateDataKey action";
        let denied = |message: &str| {
            let answer = Answer { status: 403, code: "AccessDenied".to_owned(), message: message.to_owned() };
            let operation = Operation::new("s3:PutObject", "x");
            let error = place.store_error(&operation, RequestError::Answer(answer), Head::default());
            let StoreError::PermissionDenied { action, help, .. } = error else { panic!("{error:?}") };
            (action, help.to_string())
        };
        let (action, help) = denied(message);
        assert_eq!(action, "kms:GenerateDataKey");
        assert!(help.contains("allow `kms:GenerateDataKey` on `arn:aws:kms:eu-west-1:1:key/2`"), "{help}");
        for other in ["", "not authorized to perform: s3:PutObject on resource: x", "not authorized to perform: <x>:y"]
        {
            assert_eq!(denied(other).0, "s3:PutObject");
        }
    }

    #[test]
    fn a_wrong_clock_is_told_with_both_times_and_what_is_not_there_as_that() {
        let place = Place::new("bucket", "").unwrap();
        let answered = |status, code: &str| {
            let answer = Answer { status, code: code.to_owned(), message: String::new() };
            let head = Head { date: Some("Sat, 21 Nov 2026 03:00:00 GMT"), region: None };
            place.store_error(&Operation::new("s3:ListBucket", ""), RequestError::Answer(answer), head)
        };
        let error = answered(403, "RequestTimeTooSkewed");
        assert!(
            error.is_permanent() && error.to_string().ends_with("and the store says 2026-11-21T03:00:00Z"),
            "{error}"
        );
        for (status, code) in [(501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "NotImplemented")] {
            assert!(answered(status, code).is_unsupported(), "{code}");
        }
        let text = "encountered invalid XML root: expected ListMultipartUploadsResult but got ListBucketResult";
        let other =
            place.store_error(&Operation::new("x", ""), RequestError::NoAnswer(text.to_owned()), Head::default());
        assert!(other.is_unsupported());
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
            let error = error(status, code, Some(&PutMode::Create));
            assert!(matches!(error, StoreError::Busy { .. }), "{status} {code}: {error:?}");
        }
    }

    #[test]
    fn c10_what_is_denied_names_the_action_and_where() {
        for (status, code) in [(403, "AccessDenied"), (403, ""), (0, "AccessDenied")] {
            let error = error(status, code, None);
            assert!(error.is_permanent());
            let StoreError::PermissionDenied { action, help, .. } = error else { panic!("{error:?}") };
            assert_eq!(action, "s3:PutObject");
            assert!(help.to_string().contains("`s3:PutObject` on `arn:aws:s3:::bucket/team/shop/*`"), "{help}");
        }
        let listing = Place::new("bucket", "team").unwrap().permission("s3:ListBucket");
        assert!(listing.contains("`arn:aws:s3:::bucket`"), "{listing}");
    }

    #[test]
    fn conditions_are_told_by_their_mode() {
        let tag = PutMode::IfMatch(crate::store::Tag("1".to_owned()));
        assert!(matches!(error(412, "PreconditionFailed", Some(&PutMode::Create)), StoreError::AlreadyExists { .. }));
        assert!(matches!(error(412, "PreconditionFailed", Some(&tag)), StoreError::Precondition { .. }));
        assert!(matches!(error(404, "NoSuchKey", Some(&tag)), StoreError::Precondition { .. }));
        assert!(matches!(error(404, "NoSuchUpload", Some(&tag)), StoreError::NotFound { .. }));
        assert!(matches!(error(404, "", None), StoreError::NotFound { .. }));
    }

    #[test]
    fn other_decisions_are_permanent() {
        assert!(matches!(error(404, "NoSuchBucket", None), StoreError::NoLocation { .. }));
        assert!(matches!(error(403, "InvalidAccessKeyId", None), StoreError::Unauthenticated { .. }));
        assert!(matches!(error(403, "SignatureDoesNotMatch", None), StoreError::Unauthenticated { .. }));
        assert!(matches!(error(400, "ExpiredToken", None), StoreError::Unauthenticated { .. }));
        assert!(matches!(error(416, "InvalidRange", None), StoreError::Damaged { .. }));
        assert!(matches!(error(301, "PermanentRedirect", None), StoreError::Invalid { .. }));
        assert!(matches!(error(400, "EntityTooSmall", None), StoreError::Invalid { .. }));
        assert!(matches!(error(418, "", None), StoreError::Other { .. }));
    }
}
