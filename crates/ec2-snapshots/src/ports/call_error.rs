//! Why one request failed, in terms of what to do next.

use std::fmt;

use crate::model::Region;

/// What a failed request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Too many requests; this one was not carried out.
    Throttled,
    /// The service failed; whether this one was carried out is unknown.
    Failing,
    /// There was no answer; whether it was carried out is unknown.
    NoAnswer,
    /// The credentials are not accepted.
    Unauthenticated,
    /// There are no credentials.
    NoCredentials,
    /// The certificate of the service cannot be verified, so that nothing was sent.
    Untrusted,
    /// The credentials are not allowed to do this.
    Denied,
    /// What it is about is not there, or not there yet.
    Missing,
    /// Anything else: the request was refused.
    Refused,
}

/// A request that failed, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The IAM action of the request, such as `ec2:DescribeSnapshots`.
    pub action: &'static str,
    /// The region asked.
    pub region: Region,
    /// What it means.
    pub fault: Fault,
    /// The service's code, such as `InvalidSnapshot.InUse`; empty if it names none.
    pub code: String,
    /// What the service or the connection says.
    pub message: String,
}

impl CallError {
    /// Whether trying the same again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self.fault, Fault::Throttled | Fault::Failing | Fault::NoAnswer)
    }

    /// Whether it may have been carried out all the same.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.fault, Fault::Failing | Fault::NoAnswer)
    }

    /// Whether the service gave this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.is_empty(), self.message.is_empty()) {
            (false, false) => write!(f, "{}: {}", self.code, self.message),
            (false, true) => f.write_str(&self.code),
            (true, false) => f.write_str(&self.message),
            (true, true) => f.write_str("the service gave no reason"),
        }
    }
}

impl std::error::Error for CallError {}
