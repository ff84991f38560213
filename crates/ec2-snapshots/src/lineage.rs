//! Tags we write on snapshots. Copies lose the id of their volume, so that where a snapshot came from is on itself.

/// Id of the set: what was snapshotted in one call.
pub const SET: &str = "lastgood:set";

/// How many snapshots the set has. Only on the originals: a set may be copied in part.
pub const SET_SIZE: &str = "lastgood:set-size";

/// How consistent the set is: `crash`, `fs` or `app`; the level that was reached.
pub const CONSISTENCY: &str = "lastgood:consistency";

/// How a replica was made if not by EC2: `rsync` or `blocks`.
pub const COPIED_BY: &str = "lastgood:copied-by";

/// On what a replication makes for a while: the id of its run.
pub const TEMPORARY: &str = "lastgood:temporary";

/// On the same: how often the run has said that it goes on.
pub const BEAT: &str = "lastgood:beat";

/// On a volume that becomes a replica: the snapshot that it is a replica of.
pub const REPLICATING: &str = "lastgood:replicating";

/// The region of the volume.
pub const SRC_REGION: &str = "lastgood:src-region";

/// The volume that was snapshotted.
pub const SRC_VOLUME: &str = "lastgood:src-volume";

/// The device its instance knew it by, such as `/dev/sda1`.
pub const DEVICE: &str = "lastgood:device";

/// Only on copies and imports: when the volume was as they have it, in RFC 3339. Their start time is that of the copy, and
/// their description need not say it.
pub const TIME: &str = "lastgood:time";

/// Only on copies: the snapshot that was copied, which may itself be a copy.
pub const SRC_SNAPSHOT: &str = "lastgood:src-snapshot";

/// What all of them begin with.
pub const PREFIX: &str = "lastgood:";
