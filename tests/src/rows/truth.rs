//! What once ended well and gave wrong, missing or foreign data: rows W1 to W12.

mod complete;
mod earlier;
mod enum_hash;
mod links;
mod listing;
mod location;
mod nothing;
mod plan;
mod records;
mod server;
mod source;
mod sqlite;
mod standby;
mod stores;

use crate::harness::Row;

/// A chain of files that DictDB 1.11 itself wrote.
const DICT_CHAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/dictstore-backup/tests/fixtures/chain");

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    [
        complete::rows(),
        earlier::rows(),
        source::rows(),
        nothing::rows(),
        records::rows(),
        stores::rows(),
        enum_hash::rows(),
        standby::rows(),
        sqlite::rows(),
        listing::rows(),
        links::rows(),
        server::rows(),
        location::rows(),
        plan::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
