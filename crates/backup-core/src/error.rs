//! What can go wrong with a store, a format or a backup; each variant is a decision for the caller.

use crate::key::Key;

/// The source of an error, kept for its chain of causes.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A failed store operation. Variants are decisions: retry code asks [`StoreError::is_permanent`], never the text.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no object of that key.
    #[error("`{key}` does not exist")]
    #[diagnostic(code("store::not_found"))]
    NotFound {
        /// The key asked for.
        key: String,
    },
    /// Conditional create found an object of that key.
    #[error("`{key}` already exists")]
    #[diagnostic(code("store::already_exists"))]
    AlreadyExists {
        /// The key that was to be created.
        key: String,
    },
    /// Conditional replace found another version than the one expected.
    #[error("`{key}` was changed by somebody else")]
    #[diagnostic(code("store::precondition"))]
    Precondition {
        /// The key that was to be replaced.
        key: String,
    },
    /// The credentials are valid and not allowed to do this.
    #[error("not allowed to {action} `{key}`")]
    #[diagnostic(code("store::permission_denied"))]
    PermissionDenied {
        /// The key or prefix acted on.
        key: String,
        /// What was tried, in the store's own words: an IAM action such as `s3:PutObject`, or a file operation.
        action: String,
        /// The next thing to do.
        #[help]
        help: String,
        /// What the store said.
        #[source]
        source: Cause,
    },
    /// No usable credentials.
    #[error("the store does not accept the credentials")]
    #[diagnostic(
        code("store::unauthenticated"),
        help("set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or attach a role to this machine")
    )]
    Unauthenticated {
        /// What the store said.
        #[source]
        source: Cause,
    },
    /// The bucket or folder itself is missing.
    #[error("there is no `{location}`")]
    #[diagnostic(code("store::no_location"))]
    NoLocation {
        /// The location, as the user wrote it.
        location: String,
        /// The next thing to do.
        #[help]
        help: String,
    },
    /// The store asks to slow down, or failed in a way that may pass: 429, 500, 502, 503, 504.
    #[error("the store is busy or failing for now ({action} `{key}`)")]
    #[diagnostic(code("store::busy"))]
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
    #[diagnostic(code("store::unreachable"))]
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
    #[error("no space left to write {bytes_needed} more bytes of `{key}`")]
    #[diagnostic(code("store::no_space"), help("free space or choose another location with -r; nothing was published"))]
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
    #[diagnostic(code("store::damaged"))]
    Damaged {
        /// The object.
        key: String,
        /// What differs.
        what: String,
    },
    /// The store cannot do something every store must.
    #[error("the store cannot be used: {what}")]
    #[diagnostic(code("store::unsuitable"))]
    Unsuitable {
        /// The missing capability.
        what: String,
        /// The next thing to do.
        #[help]
        help: String,
    },
    /// A key, location or option that cannot be used.
    #[error("{what}")]
    #[diagnostic(code("store::invalid"))]
    Invalid {
        /// What is wrong with it, and where.
        what: String,
    },
    /// Anything else; permanent as far as is known.
    #[error("{action} `{key}` failed")]
    #[diagnostic(code("store::other"))]
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

    /// Says what it means that something being written is not there: the bare words would send people looking for a
    /// lost object.
    pub(crate) fn while_writing(self) -> Self {
        match self {
            Self::NotFound { key } => Self::Other {
                key,
                action: "write".to_owned(),
                source: "its upload was given up meanwhile, as by a prune whose grace is shorter than this run".into(),
            },
            other => other,
        }
    }

    /// [`StoreError::NotFound`] for `key`.
    #[must_use]
    pub fn not_found(key: &Key) -> Self {
        Self::NotFound { key: key.to_string() }
    }

    /// [`StoreError::AlreadyExists`] for `key`.
    #[must_use]
    pub fn already_exists(key: &Key) -> Self {
        Self::AlreadyExists { key: key.to_string() }
    }
}

/// A manifest or other stored document that cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum FormatError {
    /// Written by a newer major format.
    #[error("`{key}` has format {found}; this version reads up to {supported}")]
    #[diagnostic(code("format::newer"), help("it was made by a newer version: upgrade lastgood. Nothing was written"))]
    Newer {
        /// The document.
        key: String,
        /// Its format number.
        found: u64,
        /// The newest format this version reads.
        supported: u64,
    },
    /// Its own digest does not match: edited, truncated or damaged.
    #[error("`{key}` does not have the digest it claims: it was changed after it was written")]
    #[diagnostic(code("format::digest"), help("restore from another backup; `lastgood pg ls` lists them"))]
    Digest {
        /// The document.
        key: String,
    },
    /// Not the document it should be.
    #[error("`{key}` cannot be read: {what}")]
    #[diagnostic(code("format::invalid"))]
    Invalid {
        /// The document.
        key: String,
        /// What is wrong, with position where known.
        what: String,
    },
}

/// Either of the two, for functions that read stored documents.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum CoreError {
    /// The store failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// A stored document cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Format(#[from] FormatError),
    /// Retention would do what it must never do.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Retention(#[from] crate::retention::RetentionError),
    /// Somebody else published another backup under the same key.
    #[error("`{key}` was published by `{theirs}` before `{ours}` could; that backup is untouched")]
    #[diagnostic(code("core::taken"), help("let only one of the two run at a time, then run this one again"))]
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
    #[diagnostic(code("core::cancelled"))]
    Cancelled,
}
