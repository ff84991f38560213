//! Identities: each kind a type of its own, so that a volume is never deleted as a snapshot.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The arbitrary one that EC2 gives.
const ARBITRARY_VOLUME: &str = "vol-ffffffff";

macro_rules! ids {
    ($($(#[$about:meta])* $name:ident;)+) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as EC2 writes it.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as EC2 writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id as EC2 writes it.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }
    )+};
}

ids! {
    /// `snap-…`
    SnapshotId;
    /// `vol-…`
    VolumeId;
    /// `i-…`
    InstanceId;
    /// `ami-…`
    ImageId;
    /// What the snapshots of one call have in common: a UUID (version 7, RFC 9562) in the tag `lastgood:set`.
    SetId;
}

impl VolumeId {
    /// Whether it names a volume. Snapshots that `CopySnapshot` or `StartSnapshot` made have an "arbitrary volume ID that
    /// should not be used for any purpose" (EC2 API reference, data type `Snapshot`); a hand-made list may have none.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.0.is_empty() && self.0 != ARBITRARY_VOLUME
    }
}

impl SetId {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }
}
