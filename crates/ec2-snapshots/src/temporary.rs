//! What a replication makes for a while, found by its tag: in use as long as its run says so, and removed otherwise.
//!
//! A run tells that it goes on by counting in a tag. Whoever finds things of another run watches that tag with a stopwatch:
//! no clock is compared with another one.

mod beacon;
mod find;
mod remove;
mod watch;

#[cfg(test)]
mod tests;

pub use beacon::Beacon;
pub use find::{Leftover, Thing, of_region};
pub use remove::remove;
pub use watch::dead;

use crate::lineage;
use crate::model::Tags;

/// What the console shows as the name of such things.
const NAME: &str = "lastgood replicate";

/// Tags of what the run `id` makes.
#[must_use]
pub fn tags(id: &str) -> Tags {
    Tags::new().with("Name", NAME).with(lineage::TEMPORARY, id).with(lineage::BEAT, "0")
}

/// The name of a key pair or security group of the run `id`.
#[must_use]
pub fn name(id: &str) -> String {
    format!("lastgood-{id}")
}

/// The folder with the private key of the run `id`; none if that is no id of ours, as a tag may say anything.
#[must_use]
pub fn folder(id: &str) -> Option<std::path::PathBuf> {
    uuid::Uuid::parse_str(id).is_ok().then(|| std::env::temp_dir().join(name(id)))
}
