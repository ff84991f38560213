//! Where an archive is, and what users are told of it.

use serde::{Deserialize, Serialize};

/// What users are told, in the order of GlacierOnRails: a backup has the lowest of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is archived, and must be retrieved before it can be read.
    Available,
    /// A retrieval was asked for.
    Pending,
    /// It can be fetched.
    Ready,
    /// It was fetched and verified.
    Local,
    /// The file is in its folder: nothing needs to be done.
    Exists,
}

/// Where an archive is in its lifecycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nothing was asked for.
    #[default]
    Available,
    /// A retrieval is about to be requested, or was, and nobody knows whether the request arrived.
    Requested,
    /// The service works on it.
    Pending,
    /// It can be read.
    Ready,
    /// It is being read; or whoever read it died.
    Downloading,
    /// All that was wanted of it was read and had the right digest.
    Local,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 6] =
        [Self::Available, Self::Requested, Self::Pending, Self::Ready, Self::Downloading, Self::Local];

    /// What users are told.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Available => Status::Available,
            Self::Requested | Self::Pending => Status::Pending,
            Self::Ready | Self::Downloading => Status::Ready,
            Self::Local => Status::Local,
        }
    }
}
