//! What a failed request to any service means: a pure decision by status and code.

use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::endpoint::shown;
use super::unfound;

/// Why a request failed, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The server answered with an error.
    Answer(Answer),
    /// There was no answer, or none that could be read.
    NoAnswer(String),
    /// No credentials could be found.
    NoCredentials(String),
    /// The server's certificate cannot be verified, so that nothing was sent.
    Untrusted(String),
    /// The request could not be made.
    Unmade(String),
}

/// A server's error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 for one error among several in an answer.
    pub status: u16,
    /// The service's code, such as `AccessDenied`; empty if it names none.
    pub code: String,
    /// What the service says.
    pub message: String,
}

/// What an answer means whatever the service. What a service alone knows is asked first by whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// The credentials are not accepted, or there are none.
    Unauthenticated,
    /// The credentials are accepted and not allowed to do this.
    Denied,
    /// What it is about is not there.
    Missing,
    /// Too many requests. This one was not carried out, and the same may succeed later.
    Throttled,
    /// The server cannot do it at all.
    Unsupported,
    /// The request is signed for another time than the service's: the clock of this machine, most likely, is wrong.
    Skewed,
    /// The service failed, and the same may succeed later. Whether this one was carried out is unknown.
    Failing,
    /// Anything else; permanent as far as is known.
    Other,
}

/// Codes of S3, EC2, EBS, Glacier, SNS, SQS and STS, and of servers that speak their language (AWS, "Common error types"
/// and "Error codes for the Amazon EC2 API"; the SDK's own tables for retries).
const UNAUTHENTICATED: [&str; 17] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotSignedUp",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClient",
    "UnrecognizedClientException",
];
const DENIED: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationError",
    "UnauthorizedOperation",
];
const MISSING: [&str; 4] = ["NoSuchKey", "NoSuchUpload", "NotFound", "ResourceNotFoundException"];
const UNSUPPORTED: [&str; 3] = ["MethodNotAllowed", "NotImplemented", "UnsupportedOperation"];
const SKEWED: [&str; 1] = ["RequestTimeTooSkewed"];
const THROTTLED: [&str; 12] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "SnapshotCreationPerVolumeRateExceeded",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
];
/// A body that arrived damaged (`BadDigest`) was damaged on its way; a conflict of two conditional writes says that one
/// of them is to be tried again.
const FAILING: [&str; 13] = [
    "BadDigest",
    "ConditionalRequestConflict",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
    "XAmzContentChecksumMismatch",
];

impl Answer {
    /// What it means whatever the service.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let code = self.code.as_str();
        match self.status {
            401 => Meaning::Unauthenticated,
            _ if UNAUTHENTICATED.contains(&code) => Meaning::Unauthenticated,
            _ if SKEWED.contains(&code) => Meaning::Skewed,
            405 | 501 => Meaning::Unsupported,
            _ if UNSUPPORTED.contains(&code) => Meaning::Unsupported,
            429 => Meaning::Throttled,
            _ if THROTTLED.contains(&code) => Meaning::Throttled,
            408 | 500 | 502 | 503 | 504 => Meaning::Failing,
            _ if FAILING.contains(&code) => Meaning::Failing,
            403 => Meaning::Denied,
            _ if DENIED.contains(&code) => Meaning::Denied,
            404 => Meaning::Missing,
            // EC2 says `InvalidSnapshot.NotFound` with status 400.
            _ if MISSING.contains(&code) || code.ends_with(".NotFound") => Meaning::Missing,
            _ => Meaning::Other,
        }
    }
}

impl RequestError {
    /// Why the request failed.
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        // Where credentials are asked for has a certificate too.
        if let Some(why) = of_certificate(error) {
            return Self::Untrusted(why);
        }
        if let Some(failure) = of_credentials(error) {
            return failure;
        }
        match error {
            SdkError::ServiceError(service) => {
                let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                Self::Answer(Answer {
                    status: service.raw().status().as_u16(),
                    code: text(service.err().code()),
                    message: text(service.err().message()),
                })
            }
            SdkError::ResponseError(response) if response.raw().status().as_u16() >= 300 => {
                Self::Answer(Answer { status: response.raw().status().as_u16(), ..Answer::default() })
            }
            SdkError::ConstructionFailure(_) => unsent(chain(error), Self::Unmade),
            // What is configured cannot be used, and our own client says so instead of sending anything.
            SdkError::DispatchFailure(failure) if failure.is_user() => Self::Unmade(innermost(error)),
            _ => unsent(chain(error), Self::NoAnswer),
        }
    }

    /// Whether trying the same again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Answer(answer) => !matches!(answer.meaning(), Meaning::Throttled | Meaning::Failing),
            Self::NoAnswer(_) => false,
            Self::NoCredentials(_) | Self::Untrusted(_) | Self::Unmade(_) => true,
        }
    }

    /// Whether the request may have been carried out although it failed: one that makes something anew each time, as
    /// EC2's create calls do, must not be sent again before somebody looked.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Answer(answer) => answer.meaning() == Meaning::Failing,
            Self::NoAnswer(_) => true,
            Self::NoCredentials(_) | Self::Untrusted(_) | Self::Unmade(_) => false,
        }
    }
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

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => answer.fmt(f),
            Self::NoAnswer(text) | Self::NoCredentials(text) | Self::Untrusted(text) | Self::Unmade(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for RequestError {}

/// What a profile for IAM Identity Center is told: signing in there takes two more SDKs, and `aws` does it already.
const SSO: &str = "the profile signs in by IAM Identity Center (SSO), which this program does not do by itself: run `aws sso login`, and \
                   choose a profile whose `credential_process` is `aws configure export-credentials` for this one";

/// How the SDK calls the service that gives a machine of EC2 its credentials.
const MACHINE: &str = "IMDS";

/// Whether this is a machine of EC2, whose service may answer the next time (AWS, "Identify EC2 Linux instances").
fn is_of_ec2() -> bool {
    let vendor = std::fs::read_to_string("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let hypervisor = std::fs::read_to_string("/sys/hypervisor/uuid").unwrap_or_default();
    vendor.trim() == "Amazon EC2" || hypervisor.starts_with("ec2")
}

/// Why there are no credentials, if that is what stopped the request. What they were asked of may answer later only if it did
/// not answer at all.
fn of_credentials(error: &(dyn std::error::Error + 'static)) -> Option<RequestError> {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let failed = causes.find_map(|cause| cause.downcast_ref::<CredentialsError>())?;
    let mut causes = std::iter::successors(std::error::Error::source(failed), |error| error.source());
    let text = chain(failed);
    if text.contains("feature(s) enabled: sso") {
        return Some(RequestError::NoCredentials(SSO.to_owned()));
    }
    // It is asked last of all: nothing else has any. Outside of EC2 nobody will ever answer there.
    if text.contains(MACHINE) && !is_of_ec2() {
        tracing::debug!(target: "backup_core::aws", "{text}");
        return Some(RequestError::NoCredentials(unfound::here()));
    }
    let unanswered = causes
        .any(|cause| cause.downcast_ref::<ConnectorError>().is_some_and(|error| error.is_io() || error.is_timeout()));
    let timed_out = matches!(failed, CredentialsError::ProviderTimedOut(_));
    Some(if unanswered || timed_out { RequestError::NoAnswer(text) } else { RequestError::NoCredentials(text) })
}

/// What is wrong with the server's certificate, if that is what stopped the request. The same certificate is shown to whoever
/// asks again.
fn of_certificate(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    causes(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>()? {
        error @ (rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Some(error.to_string())
        }
        _ => None,
    })
}

/// The error, and what caused it, also what an I/O error wraps: that one shows only the causes of what it wraps.
fn causes<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| match error.downcast_ref::<std::io::Error>() {
        Some(wrapping) => wrapping.get_ref().map(|wrapped| wrapped as &(dyn std::error::Error + 'static)),
        None => error.source(),
    })
}

/// The first cause.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Tells missing credentials from other reasons why a request was not sent: the chain of providers has no code for it.
fn unsent(text: String, other: fn(String) -> RequestError) -> RequestError {
    let phrases =
        ["credential provider", "credentials provider", "load credentials", "providers in chain", "no identity"];
    // The SDK shows the whole request there.
    if let Some((_, rest)) = text.split_once("failed to apply endpoint `") {
        let (endpoint, why) =
            (rest.split('`').next().unwrap_or_default(), rest.rsplit(": ").next().unwrap_or_default());
        return RequestError::Unmade(format!("the endpoint `{}` cannot be used: {why}", shown(endpoint)));
    }
    if let Some((_, rest)) = text.split_once("Custom endpoint `") {
        let endpoint = shown(rest.split('`').next().unwrap_or_default());
        return RequestError::Unmade(format!(
            "the endpoint `{endpoint}` cannot be used: write it as `https://HOST:PORT`"
        ));
    }
    let lower = text.to_lowercase();
    let credentials = phrases.iter().any(|phrase| lower.contains(phrase));
    if credentials { RequestError::NoCredentials(text) } else { other(text) }
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

    fn answer(status: u16, code: &str) -> RequestError {
        RequestError::Answer(Answer { status, code: code.to_owned(), message: String::new() })
    }

    #[test]
    fn what_may_pass_is_told_from_what_was_surely_not_done() {
        for (status, code) in [(503, "SlowDown"), (503, "RequestLimitExceeded"), (400, "Throttling"), (429, "")] {
            let failure = answer(status, code);
            assert!(!failure.is_permanent() && !failure.is_ambiguous(), "{failure}");
        }
        for (status, code) in
            [(500, "InternalError"), (503, ""), (500, "Unavailable"), (408, "RequestTimeoutException")]
        {
            let failure = answer(status, code);
            assert!(!failure.is_permanent() && failure.is_ambiguous(), "{failure}");
        }
        let lost = RequestError::NoAnswer("reset".to_owned());
        assert!(!lost.is_permanent() && lost.is_ambiguous());
        let unsent = unsent("no providers in chain provided credentials".to_owned(), RequestError::NoAnswer);
        assert!(unsent.is_permanent() && !unsent.is_ambiguous(), "{unsent}");
    }

    #[test]
    fn a_program_that_gives_no_credentials_is_quoted_and_not_run_again() {
        let of = |error: CredentialsError| of_credentials(&ConnectorError::other(error.into(), None)).unwrap();
        let failed =
            of(CredentialsError::provider_error("external process exited with code 3. Stderr: vault is sealed"));
        assert!(failed.is_permanent() && failed.to_string().contains("vault is sealed"), "{failed}");
        let sso = "This behavior requires following cargo feature(s) enabled: sso. ";
        let failed = of(CredentialsError::invalid_configuration(sso));
        assert!(failed.is_permanent() && failed.to_string().contains("aws configure export-credentials"), "{failed}");
        let lost = ConnectorError::io("connection refused".into());
        assert!(!of(CredentialsError::provider_error(lost)).is_permanent());
        assert!(of_credentials(&ConnectorError::io("connection refused".into())).is_none());
    }

    #[test]
    fn a_certificate_that_cannot_be_verified_is_told_at_once() {
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = std::io::Error::other(std::io::Error::new(std::io::ErrorKind::InvalidData, unknown));
        let failed: SdkError<aws_smithy_types::error::ErrorMetadata, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::io(wrapped.into()));
        let failure = RequestError::of(&failed);
        assert_eq!(failure, RequestError::Untrusted("invalid peer certificate: UnknownIssuer".to_owned()));
        assert!(failure.is_permanent() && !failure.is_ambiguous());
        // Neither is what else may happen while a connection is made.
        for passing in [std::io::Error::other(rustls::Error::DecryptError), std::io::ErrorKind::ConnectionReset.into()]
        {
            assert_eq!(of_certificate(&ConnectorError::io(passing.into())), None);
        }
    }

    #[test]
    fn what_our_own_client_refuses_to_send_is_told_in_its_words() {
        let failed: SdkError<aws_smithy_types::error::ErrorMetadata, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::user("the certificates in `x` cannot be used: no".into()));
        let failure = RequestError::of(&failed);
        assert_eq!(failure, RequestError::Unmade("the certificates in `x` cannot be used: no".to_owned()));
        assert!(failure.is_permanent());
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_named_and_not_tried_again() {
        let text = "dispatch failure: other: failed to apply endpoint `nonsense` to request `Request { body: SdkBody }`: \
                    endpoint must contain scheme";
        let unmade = unsent(text.to_owned(), RequestError::NoAnswer);
        assert!(unmade.is_permanent());
        assert_eq!(unmade.to_string(), "the endpoint `nonsense` cannot be used: endpoint must contain scheme");
    }

    #[test]
    fn each_service_says_the_same_in_its_own_words() {
        for (status, code, expected) in [
            (403, "InvalidAccessKeyId", Meaning::Unauthenticated),
            (401, "AuthFailure", Meaning::Unauthenticated),
            (400, "UnrecognizedClientException", Meaning::Unauthenticated),
            (403, "UnauthorizedOperation", Meaning::Denied),
            (400, "AccessDeniedException", Meaning::Denied),
            (403, "", Meaning::Denied),
            (400, "InvalidSnapshot.NotFound", Meaning::Missing),
            (404, "ResourceNotFoundException", Meaning::Missing),
            (400, "LimitExceededException", Meaning::Other),
            (403, "RequestTimeTooSkewed", Meaning::Skewed),
            (501, "NotImplemented", Meaning::Unsupported),
            (405, "", Meaning::Unsupported),
            (400, "VcpuLimitExceeded", Meaning::Other),
        ] {
            let RequestError::Answer(answer) = answer(status, code) else { panic!("an answer") };
            assert_eq!(answer.meaning(), expected, "{answer}");
        }
    }
}
