//! Why a message of SNS is not acted upon.

/// Why a message has no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is no message of SNS.
    #[error("it is no message of SNS: {0}")]
    Malformed(String),
    /// SNS did not sign it, or not for us.
    #[error("it is not authentic: {0}")]
    Forged(String),
    /// Nobody can tell now, because its certificate cannot be had. The same message may be accepted later.
    #[error("its certificate cannot be had: {0}")]
    Undecided(String),
}
