//! Errors of stores, formats and backups; callers decide by the variant.

use std::fmt;

use crate::run::Cancelled;
use crate::units;

/// The source of an error, kept for its chain of causes.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A failed store operation. Variants are decisions: retry code asks [`StoreError::is_permanent`], never the text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no object of that key.
    #[error("`{key}` does not exist")]
    NotFound {
        /// The key asked for.
        key: String,
    },
    /// Something is there that is neither an object nor a folder of objects, such as a link: it is not followed, and neither
    /// counts as missing.
    #[error("`{key}` is {what}")]
    NotAnObject {
        /// The key, or the folder on the way to the key that was asked for.
        key: String,
        /// What is there.
        what: String,
    },
    /// Conditional create found an object of that key.
    #[error("`{key}` already exists")]
    AlreadyExists {
        /// The key that was to be created.
        key: String,
    },
    /// Conditional replace found another version than the one expected.
    #[error("`{key}` was changed by somebody else")]
    Precondition {
        /// The key that was to be replaced.
        key: String,
    },
    /// The credentials are valid and not allowed to do this.
    #[error("not allowed to {action} `{key}`")]
    PermissionDenied {
        /// The key or prefix acted on.
        key: String,
        /// What was tried, in the store's own words: an IAM action such as `s3:PutObject`, or a file operation.
        action: String,
        /// The next thing to do.
        help: String,
        /// What the store said.
        #[source]
        source: Cause,
    },
    /// No usable credentials.
    #[error("the store rejected the credentials")]
    Unauthenticated {
        /// What the store said.
        #[source]
        source: Cause,
    },
    /// The bucket or folder itself is missing.
    #[error("there is no {missing}")]
    NoLocation {
        /// The location, as the user wrote it.
        location: String,
        /// What is missing of it: the folder, or the bucket.
        missing: String,
        /// The next thing to do.
        help: String,
    },
    /// The bucket or folder is there, and nobody made it a location: see [`crate::location::Location::init`].
    #[error("`{location}` is not a backup location: {what}")]
    NotInitialized {
        /// The location, as the user wrote it.
        location: String,
        /// What is there instead.
        what: String,
        /// The next thing to do.
        help: String,
    },
    /// The bucket or folder holds something else, so that it is not made a location.
    #[error("cannot create a backup location at `{location}`: {what}")]
    Occupied {
        /// The location, as the user wrote it.
        location: String,
        /// What is there.
        what: String,
        /// The next thing to do.
        help: String,
    },
    /// The store asks to slow down, or failed in a way that may pass: 429, 500, 502, 503, 504.
    #[error("the store is temporarily busy or failing ({action} `{key}`)")]
    Busy {
        /// The key or prefix acted on.
        key: String,
        /// What was tried.
        action: String,
        /// What the store said.
        #[source]
        source: Cause,
    },
    /// No answer: refused, reset, timed out. What happened to the request is **unknown**.
    #[error("the store did not answer ({action} `{key}`)")]
    Unreachable {
        /// The key or prefix acted on.
        key: String,
        /// What was tried.
        action: String,
        /// What the transport said.
        #[source]
        source: Cause,
    },
    /// The disk or quota is full.
    #[error("no space left to write {} more of `{key}`", units::bytes(*bytes_needed))]
    NoSpace {
        /// The key being written.
        key: String,
        /// Bytes of the write that failed.
        bytes_needed: u64,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The bytes that arrived are not the bytes that were asked for, or not those that were written.
    #[error("`{key}` is damaged: {what}")]
    Damaged {
        /// The object.
        key: String,
        /// What differs.
        what: String,
    },
    /// The store cannot do something every store must.
    #[error("the store cannot be used: {what}")]
    Unsuitable {
        /// The missing capability.
        what: String,
        /// The next thing to do.
        help: String,
    },
    /// A key, location or option that cannot be used.
    #[error("{what}")]
    Invalid {
        /// What is wrong with it, and where.
        what: String,
    },
    /// Anything else; permanent as far as is known.
    #[error("{action} `{key}` failed")]
    Other {
        /// The key or prefix acted on.
        key: String,
        /// What was tried.
        action: String,
        /// What the store said.
        #[source]
        source: Cause,
    },
}

impl StoreError {
    /// A short name of what happened, which stays the same from version to version.
    #[must_use]
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "store::not_found",
            Self::NotAnObject { .. } => "store::not_an_object",
            Self::AlreadyExists { .. } => "store::already_exists",
            Self::Precondition { .. } => "store::precondition",
            Self::PermissionDenied { .. } => "store::permission_denied",
            Self::Unauthenticated { .. } => "store::unauthenticated",
            Self::NoLocation { .. } => "store::no_location",
            Self::NotInitialized { .. } => "store::not_initialized",
            Self::Occupied { .. } => "store::occupied",
            Self::Busy { .. } => "store::busy",
            Self::Unreachable { .. } => "store::unreachable",
            Self::NoSpace { .. } => "store::no_space",
            Self::Damaged { .. } => "store::damaged",
            Self::Unsuitable { .. } => "store::unsuitable",
            Self::Invalid { .. } => "store::invalid",
            Self::Other { .. } => "store::other",
        }
    }

    /// The next thing to do, and what is still safe, where there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::NotAnObject { .. } => Some(
                "nothing was read or changed through it. Put the file or folder itself there, or use `-r` with the \
                 folder that a link points to",
            ),
            Self::PermissionDenied { help, .. } => Some(help),
            Self::Unauthenticated { .. } => Some(
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or attach a role to this machine",
            ),
            Self::NoLocation { help, .. } | Self::NotInitialized { help, .. } | Self::Occupied { help, .. } => {
                Some(help)
            }
            Self::NoSpace { .. } => Some("nothing was published. Free up space, or choose another location with `-r`"),
            Self::Unsuitable { help, .. } => Some(help),
            _ => None,
        }
    }
}

impl StoreError {
    /// Whether trying the same again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }

    /// Whether the request may have taken effect although it failed. True for [`StoreError::Unreachable`] and
    /// [`StoreError::Busy`]: a 500 or a lost response says nothing about what was done.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }

    /// Whether the object simply is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether something is there that is neither an object nor a folder of objects.
    #[must_use]
    pub fn is_not_an_object(&self) -> bool {
        matches!(self, Self::NotAnObject { .. })
    }

    /// Says what it means that something being written is not there: the bare words would send people looking for a
    /// lost object.
    pub(crate) fn while_writing(self) -> Self {
        match self {
            Self::NotFound { key } => Self::Other {
                key,
                action: "write".to_owned(),
                source: "its upload was aborted meanwhile, for example by a prune with a grace shorter than this run"
                    .into(),
            },
            other => other,
        }
    }

    /// [`StoreError::NotFound`] for `key`.
    #[must_use]
    pub fn not_found(key: &impl fmt::Display) -> Self {
        Self::NotFound { key: key.to_string() }
    }

    /// [`StoreError::AlreadyExists`] for `key`.
    #[must_use]
    pub fn already_exists(key: &impl fmt::Display) -> Self {
        Self::AlreadyExists { key: key.to_string() }
    }
}

/// A manifest or other stored document that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Written by a newer major format.
    #[error("`{key}` has format {found}, but this version supports formats up to {supported}")]
    Newer {
        /// The document.
        key: String,
        /// Its format number.
        found: u64,
        /// The newest format this version reads.
        supported: u64,
    },
    /// Its own digest does not match: edited, truncated or damaged.
    #[error("`{key}` does not match its own digest: it was changed after it was written")]
    Digest {
        /// The document.
        key: String,
    },
    /// Not the document it should be.
    #[error("`{key}` cannot be read: {what}")]
    Invalid {
        /// The document.
        key: String,
        /// What is wrong, with position where known.
        what: String,
    },
}

impl FormatError {
    /// A short name of what happened, which stays the same from version to version.
    #[must_use]
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "format::newer",
            Self::Digest { .. } => "format::digest",
            Self::Invalid { .. } => "format::invalid",
        }
    }

    /// The next thing to do, and what is still safe, where there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::Newer { .. } => Some("nothing was written. A newer version wrote it: upgrade lastgood"),
            Self::Digest { .. } => Some("restore from another backup; `lastgood pg ls` lists them"),
            _ => None,
        }
    }
}

/// Either of the two, for functions that read stored documents.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored document cannot be used.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Retention would do what it must never do.
    #[error(transparent)]
    Retention(#[from] crate::retention::RetentionError),
    /// Somebody else published another backup under the same key.
    #[error("`{key}` was already published by `{theirs}`; `{ours}` left that backup untouched")]
    Taken {
        /// The manifest's key.
        key: String,
        /// Host and process of this writer.
        ours: String,
        /// Host and process of the other.
        theirs: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl CoreError {
    /// A short name of what happened, which stays the same from version to version.
    #[must_use]
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.error_code(),
            Self::Format(error) => error.error_code(),
            Self::Retention(error) => error.error_code(),
            Self::Taken { .. } => "core::taken",
            Self::Cancelled => "core::cancelled",
        }
    }

    /// The next thing to do, and what is still safe, where there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::Store(error) => error.remedy(),
            Self::Format(error) => error.remedy(),
            Self::Retention(error) => error.remedy(),
            Self::Taken { .. } => Some("run only one of the two at a time, then run this one again"),
            _ => None,
        }
    }
}

impl From<Cancelled> for CoreError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}
