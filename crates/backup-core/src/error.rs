//! Errors of stores, formats and backups; callers decide by the variant.

use std::fmt;

use crate::failure::{Failure, Operation, Remedy, Setting};
use crate::retention::RetentionError;
use crate::run::Cancelled;
use crate::units;

/// The source of an error, kept for its chain of causes.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A failed store operation. Variants are decisions: retry code asks [`Failure::is_permanent`], never the text.
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
    /// Somebody else holds the lock of the location, and does not give it back.
    #[error("`{location}` is locked: {holder} holds its lock{}", waited(*seconds))]
    Locked {
        /// The location, as the user wrote it.
        location: String,
        /// Who, as far as it is known: `process 4711 (`lastgood`)`.
        holder: String,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// The credentials are valid and not allowed to do this.
    #[error("not allowed to {action} `{key}`")]
    PermissionDenied {
        /// The key or prefix acted on.
        key: String,
        /// What was tried, in the store's own words: an IAM action such as `s3:PutObject`, or a file operation.
        action: String,
        /// The next thing to do.
        help: Remedy,
        /// What the store said.
        #[source]
        source: Cause,
    },
    /// There are no credentials to ask with.
    #[error("no AWS credentials were found")]
    NoCredentials {
        /// Where was looked, and what was said there.
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
    /// Requests are signed for a time that the store does not accept.
    #[error("the clock of this machine is wrong: it says {here}{}", said_there(*there))]
    ClockWrong {
        /// What time it is here.
        here: jiff::Timestamp,
        /// What time it is there, if the store says.
        there: Option<jiff::Timestamp>,
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
        help: Remedy,
    },
    /// The bucket or folder is there, and nobody made it a location: see [`crate::location::Location::init`].
    #[error("`{location}` is not a backup location: {what}")]
    NotInitialized {
        /// The location, as the user wrote it.
        location: String,
        /// What is there instead.
        what: String,
        /// The next thing to do.
        help: Remedy,
    },
    /// The bucket or folder holds something else, so that it is not made a location.
    #[error("cannot create a backup location at `{location}`: {what}")]
    Occupied {
        /// The location, as the user wrote it.
        location: String,
        /// What is there.
        what: String,
        /// The next thing to do.
        help: Remedy,
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
    /// The server's certificate cannot be verified: nothing was sent.
    #[error("the certificate of {server} cannot be verified")]
    Untrusted {
        /// Who was asked.
        server: String,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The file system has room for content and none for another file.
    #[error("no inode left to make `{key}`: the file system has as many files as it can have")]
    NoInodes {
        /// The key being written.
        key: String,
        /// What the system said.
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
    /// The object is in cold storage, and nothing of it can be read before it is retrieved.
    #[error("`{key}` is in cold storage and was not retrieved")]
    Archived {
        /// The object.
        key: String,
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
        help: Remedy,
    },
    /// The store cannot do something that a store may lack.
    #[error("the store does not support {action}")]
    Unsupported {
        /// What was tried, in the store's own words.
        action: String,
        /// What the store said.
        #[source]
        source: Cause,
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

impl Failure for StoreError {
    crate::failure_kinds! {
        []
        NotFound: "store::not_found", Failed, permanent, "there is no object of that key";
        NotAnObject: "store::not_an_object", Integrity, permanent,
            "something is there that is neither an object nor a folder of objects, such as a link: it is not followed",
            ["nothing was read or changed through it. Put the file or folder itself there, or use ", Setting::Location,
             " with the folder that a link points to"];
        AlreadyExists: "store::already_exists", Failed, permanent, "an object of that key is there already";
        Precondition: "store::precondition", Failed, permanent, "somebody else changed the object meanwhile";
        Locked: "store::locked", Held, permanent, "somebody else holds the lock of the location",
            "nothing more was changed. Wait until that process has ended, or end it, and run the command again; the lock ends with \
             its process, and its file `.lastgood-lock` stays";
        PermissionDenied: "store::permission_denied", Failed, permanent,
            "the credentials are valid and not allowed to do this", "allow the action that the error names";
        NoCredentials: "store::no_credentials", Key, permanent, "there are no credentials for the store",
            "nothing was sent. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or attach a role to this machine";
        Unauthenticated: "store::unauthenticated", Key, permanent, "the store does not accept the credentials",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or attach a role to this machine";
        ClockWrong: "store::clock_wrong", Failed, permanent, "the clock of this machine is wrong, so that the store does not accept its requests",
            "set the clock, such as by `timedatectl set-ntp true`, and run the command again";
        NoLocation: "store::no_location", NoLocation, permanent, "the bucket or folder is missing",
            "create it, or choose another location";
        NotInitialized: "store::not_initialized", NoLocation, permanent,
            "the bucket or folder is not a location", ["run ", Operation::Init, " to make it one"];
        Occupied: "store::occupied", NoLocation, permanent,
            "the bucket or folder has other content, and is not made a location", "choose an empty one";
        Busy: "store::busy", Unreachable, passing, "the store asks to slow down, or failed in a way that may pass";
        Unreachable: "store::unreachable", Unreachable, passing,
            "the store did not answer; whether the request took effect is unknown";
        Untrusted: "store::untrusted", Unreachable, permanent, "the certificate of a server cannot be verified",
            "nothing was sent. If your own authority signed it, set AWS_CA_BUNDLE to that authority's certificate; otherwise the server \
             needs a valid one for the name it is asked by, or another server answered in its place";
        NoSpace: "store::no_space", Failed, permanent, "the disk or quota is full",
            ["nothing was published. Delete old backups with `prune`, which works on a full disk too, free up space otherwise, or choose another \
              location with ", Setting::Location];
        NoInodes: "store::no_inodes", Failed, permanent, "the file system has as many files as it can have",
            ["nothing was published. Delete old backups with `prune`, which works without a free inode too, delete other files (`df -i` \
              counts them), or choose another location with ", Setting::Location];
        Archived: "store::archived", Failed, permanent,
            "the object is in cold storage, and nothing of it can be read before it is retrieved",
            "retrieve it first, such as by `aws s3api restore-object`, and read it again once it is readable";
        Damaged: "store::damaged", Integrity, permanent,
            "the bytes that arrived are not those that were asked for, or not those that were written";
        Unsuitable: "store::unsuitable", Failed, permanent, "the store cannot do something that every store must",
            "choose another location";
        Unsupported: "store::unsupported", Failed, permanent, "the store cannot do something that a store may lack";
        Invalid: "store::invalid", Usage, permanent, "a key, location or option cannot be used";
        Other: "store::other", Failed, permanent, "the store failed in another way; the cause says how";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::PermissionDenied { help, .. }
            | Self::NoLocation { help, .. }
            | Self::NotInitialized { help, .. }
            | Self::Occupied { help, .. }
            | Self::Unsuitable { help, .. } => Some(help.clone()),
            _ => self.kind().remedy(),
        }
    }
}

impl StoreError {
    /// Whether the request may have taken effect although it failed. True for [`StoreError::Unreachable`] and
    /// [`StoreError::Busy`]: a 500 or a lost response says nothing about what was done.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }

    /// Whether there is no room for what was to be written, of whichever kind.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::NoSpace { .. } | Self::NoInodes { .. })
    }

    /// Whether the object simply is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the store cannot do what was asked of it, and need not.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported { .. })
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

/// How long something was waited for, if at all.
fn waited(seconds: u64) -> String {
    if seconds == 0 { String::new() } else { format!(" and did not give it back within {seconds} s") }
}

fn said_there(time: Option<jiff::Timestamp>) -> String {
    time.map(|time| format!(", and the store says {time}")).unwrap_or_default()
}

/// A manifest or other stored document that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
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
    /// Written by a newer version, in a way that this one must not ignore.
    #[error("`{key}` requires {}, which this version does not know", listed(features))]
    Requires {
        /// The document.
        key: String,
        /// The features it requires and this version does not know.
        features: Vec<String>,
    },
    /// It is there, and could not be read just now: that is not its own fault, as far as is known.
    #[error("`{key}` cannot be read now: {what}")]
    Unreadable {
        /// The document.
        key: String,
        /// Why not.
        what: String,
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
    /// Whether a newer version made it: what it refers to, and how, cannot be known, so that nothing around it is deleted.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. } | Self::Requires { .. })
    }

    /// Whether it may be as good as it ever was, and only could not be read: nobody acts as if it was not there.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }
}

impl Failure for FormatError {
    crate::failure_kinds! {
        []
        Newer: "format::newer", NewerFormat, permanent, "a stored document has a newer format than this version reads",
            "nothing was written. A newer version wrote it: upgrade lastgood";
        Requires: "format::requires", NewerFormat, permanent, "a stored document needs something that this version does not have",
            "nothing was written. A newer version wrote it: upgrade lastgood";
        Unreadable: "format::unreadable", Failed, permanent, "a stored document is there and cannot be read now",
            "let the user of this program read it, or retrieve it from cold storage, and run the command again";
        Digest: "format::digest", Integrity, permanent, "a stored document was changed after it was written",
            "restore from another backup";
        Invalid: "format::invalid", Integrity, permanent, "a stored document is not what it should be";
    }
}

/// `names` as words of a sentence.
fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
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
    Retention(#[from] RetentionError),
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
    /// A backup that is to be deleted owns something that nobody here can remove.
    #[error("`{key}` owns `{external}`, which this program cannot remove")]
    NoRemover {
        /// The manifest's key.
        key: String,
        /// What it owns, as `service:region:account:id`.
        external: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl Failure for CoreError {
    crate::failure_kinds! {
        [Store(StoreError), Format(FormatError), Retention(RetentionError)]
        Taken: "core::taken", Failed, permanent, "somebody else published another backup under the same key",
            "run only one of the two at a time, then run this one again";
        NoRemover: "core::no_remover", Failed, permanent, "a backup owns something outside the location that this program cannot delete",
            "prune with the command that made the backup, in its account and region; nothing was deleted";
        Cancelled: "core::cancelled", Interrupted, permanent, "the caller asked to stop";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Store(error) => error.remedy(),
            Self::Format(error) => error.remedy(),
            Self::Retention(error) => error.remedy(),
            Self::Taken { .. } | Self::NoRemover { .. } | Self::Cancelled => self.kind().remedy(),
        }
    }
}

impl From<Cancelled> for CoreError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}
