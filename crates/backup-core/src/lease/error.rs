//! What can become of a lease.

use crate::clock::Timestamp;
use crate::error::{CoreError, FormatError, StoreError};
use crate::failure::{Failure, Remedy};

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

impl Failure for LeaseError {
    crate::failure_kinds! {
        [Core(CoreError)]
        Held: "lease::held", Held, passing, "somebody else holds the lease",
            "nothing was changed. Wait until it is released, or until it expires if its holder has died";
        Lost: "lease::lost", Held, permanent, "the lease was lost while it was used",
            "nothing that a later holder wrote was overwritten. Run it again";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Core(error) => error.remedy(),
            Self::Held { .. } | Self::Lost { .. } => self.kind().remedy(),
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
