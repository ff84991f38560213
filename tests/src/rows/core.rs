//! Locations, manifests and keys under bad input and bad luck: rows C1 to C18.

pub(super) mod craft;
mod damage;
pub(super) mod folder;
mod keys;
mod publish;
mod requests;
mod secrets;
mod upload;

use crate::harness::{Area, Locations, Row};

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::{Both, Folder, S3};
    vec![
        Row::new("C1", "put interrupted half-way: nothing visible, retried, swept", Area::Core, Both, |world| {
            Box::pin(upload::interrupted_put(world))
        }),
        Row::new("C2", "kill -9 between last part and manifest", Area::Core, Both, |world| {
            Box::pin(upload::killed_before_manifest(world))
        }),
        Row::new("C2-only", "kill -9 before the first manifest of a database", Area::Core, Both, |world| {
            Box::pin(upload::nothing_but_dead(world))
        }),
        Row::new("C3", "answer to a successful create lost", Area::Core, S3, |world| {
            Box::pin(publish::lost_response(world))
        }),
        Row::new("C4", "two writers publish one key: one wins, both named", Area::Core, Both, |world| {
            Box::pin(publish::two_writers(world))
        }),
        Row::new("C5", "a byte flipped in each stored object", Area::Core, Both, |world| {
            Box::pin(damage::flipped(world))
        }),
        Row::new("C6", "each stored object a byte shorter, a byte longer", Area::Core, Both, |world| {
            Box::pin(damage::resized(world))
        }),
        Row::new("C7", "manifest edited; unknown field of this format tolerated", Area::Core, Both, |world| {
            Box::pin(damage::edited_manifest(world))
        }),
        Row::new("C8", "manifest or location of a newer format", Area::Core, Both, |world| {
            Box::pin(damage::newer_format(world))
        }),
        Row::new("C9", "503 SlowDown five times, then ok", Area::Core, S3, |world| {
            Box::pin(requests::slow_down(world))
        }),
        Row::new("C10", "403 on put: no retry, the IAM action named", Area::Core, S3, |world| {
            Box::pin(requests::denied(world))
        }),
        Row::new("C11", "listing omits the newest", Area::Core, S3, |world| Box::pin(publish::lagging_listing(world))),
        Row::new("C12", "disk full while writing", Area::Core, Folder, |world| Box::pin(folder::full_disk(world))),
        Row::new("C13", "clock 2 h ahead, then corrected", Area::Core, Both, |world| {
            Box::pin(publish::clock_ahead(world))
        }),
        Row::new("C14", "hostile keys, typed and stored", Area::Core, Both, |world| {
            Box::pin(keys::hostile_keys(world))
        }),
        Row::new("C15", "endpoint that ignores conditional create", Area::Core, S3, |world| {
            Box::pin(publish::unconditional_store(world))
        }),
        Row::new("C16", "SIGTERM amid an upload: 143, nothing left", Area::Core, Both, |world| {
            Box::pin(upload::terminated(world))
        }),
        Row::new("C17", "random secrets through every failure: seen nowhere", Area::Core, Both, |world| {
            Box::pin(secrets::nowhere(world))
        }),
        Row::new("C18", "location 0755 warned about, password file 0644 refused", Area::Core, Folder, |world| {
            Box::pin(folder::open_to_others(world))
        }),
    ]
}
