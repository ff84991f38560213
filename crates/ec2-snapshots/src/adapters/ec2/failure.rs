//! What a failed request to EC2 means.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use backup_core::aws::{Answer, Meaning, RequestError};

use crate::model::Region;
use crate::ports::{CallError, Fault};

/// Why a request failed, in terms of what to do next.
pub(super) fn failed<E>(
    action: &'static str,
    region: &Region,
    error: &SdkError<E, aws_sdk_ec2::config::http::HttpResponse>,
) -> CallError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let error = RequestError::of(error);
    let fault = match &error {
        RequestError::Answer(answer) => meaning(answer),
        RequestError::NoAnswer(_) => Fault::NoAnswer,
        RequestError::NoCredentials(_) => Fault::NoCredentials,
        RequestError::Untrusted(_) => Fault::Untrusted,
        RequestError::Unmade(_) => Fault::Refused,
    };
    let (code, message) = match error {
        RequestError::Answer(answer) => (answer.code, answer.message),
        RequestError::NoAnswer(text)
        | RequestError::NoCredentials(text)
        | RequestError::Untrusted(text)
        | RequestError::Unmade(text) => (String::new(), text),
    };
    CallError { action, region: region.clone(), fault, code, message }
}

fn meaning(answer: &Answer) -> Fault {
    match answer.meaning() {
        Meaning::Unauthenticated => Fault::Unauthenticated,
        Meaning::Denied => Fault::Denied,
        Meaning::Missing => Fault::Missing,
        Meaning::Throttled => Fault::Throttled,
        Meaning::Failing => Fault::Failing,
        _ => Fault::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_others_share_is_no_throttling() {
        let answer = |status, code: &str| Answer { status, code: code.to_owned(), message: String::new() };
        assert_eq!(meaning(&answer(400, "ResourceLimitExceeded")), Fault::Refused);
        assert_eq!(meaning(&answer(503, "RequestLimitExceeded")), Fault::Throttled);
        assert_eq!(meaning(&answer(400, "InvalidSnapshot.NotFound")), Fault::Missing);
        assert_eq!(meaning(&answer(400, "InvalidSnapshot.InUse")), Fault::Refused);
    }
}
