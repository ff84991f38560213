//! Holds file systems of an instance still while its snapshots are begun, and frees what a dead run left frozen.
//!
//! The work is done on the host by one program for POSIX's `sh`, which holds a descriptor of each file system and thaws as
//! soon as nobody talks to it any more. Before it freezes anything it arms a watchdog beside it, and writes a record for
//! [`thaw()`]. What may be frozen is decided here, from a survey of the host: [`plan`](plan::plan) is pure.
//!
//! Seen on Linux 6.18 with util-linux 2.38: `fsfreeze -f` on a folder or a bind mount freezes the whole file system and
//! ends with 0; a file system that is swapped to is frozen all the same; `umount` of a frozen one ends with 0, it stays
//! frozen, and is so again when it is mounted; `/proc/self/fd/N` thaws it also after `umount -l`.

mod device;
pub mod error;
mod held;
mod hooks;
pub mod plan;
mod quiesce;
mod said;
mod script;
mod survey;
mod thaw;

#[cfg(test)]
mod tests;

pub use device::DeviceNumber;
pub use error::FreezeError;
pub use held::{DEADLINE, DEADLINE_MAX, Held, Request, Thawed, survey};
pub use hooks::{HOOK_LIMIT, HOOK_LIMIT_MAX, Hooks};
pub use quiesce::{Freezer, Reach, ThroughSystemsManager};
pub use survey::{Disk, Located, Mount, Survey};
pub use thaw::{Found, Verdict, thaw};
