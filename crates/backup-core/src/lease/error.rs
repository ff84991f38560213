//! What can become of a lease.

use crate::clock::Timestamp;
use crate::error::{CoreError, FormatError, StoreError};

/// Result of something that is done with a lease.
pub type LeaseResult<T> = Result<T, LeaseError>;

/// Why a lease cannot be had, or is not ours any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("`{key}` is held by `{holder}`")]
    Held {
        /// The lease.
        key: String,
        /// Who has it.
        holder: String,
        /// When it can be taken over if it is not renewed, by the store's clock.
        until: Timestamp,
    },
    /// It was ours, and is not any more.
    #[error("the lease `{key}` was lost (generation {generation}): {why}")]
    Lost {
        /// The lease.
        key: String,
        /// The number of the claim that was lost.
        generation: u64,
        /// What happened to it.
        why: String,
    },
    /// The store failed, or its object cannot be read.
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl LeaseError {
    /// A short name of what happened, which stays the same from version to version.
    #[must_use]
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "lease::held",
            Self::Lost { .. } => "lease::lost",
            Self::Core(error) => error.error_code(),
        }
    }

    /// The next thing to do, and what is still safe, where there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::Held { .. } => {
                Some("nothing was changed. Wait until it is released, or until it expires if its holder has died")
            }
            Self::Lost { .. } => Some("nothing that a later holder wrote was overwritten. Run it again"),
            Self::Core(error) => error.remedy(),
        }
    }
}

impl From<StoreError> for LeaseError {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

impl From<FormatError> for LeaseError {
    fn from(error: FormatError) -> Self {
        Self::Core(error.into())
    }
}
