//! Inventories of vaults, read piece by piece: one of a million archives takes no more memory than one of ten.
//!
//! AWS makes an inventory about once a day, so that it does not tell what happened since. Ids may begin with `-`.

mod csv;
mod json;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use backup_core::digest::Sha256Digest;
use jiff::Timestamp;

use crate::error::{GlacierError, GlacierResult};

/// Longest line of an inventory in CSV: an id and a description of 1,024 characters, each of them escaped, and some more.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// An archive, as an inventory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedArchive {
    /// What the service calls it.
    pub id: String,
    /// What it was called when it was uploaded.
    pub description: String,
    /// When it was uploaded.
    pub created: Timestamp,
    /// Its bytes.
    pub bytes: u64,
    /// The root of its tree.
    pub tree_hash: Sha256Digest,
}

/// What an inventory says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The ARN of the vault; CSV does not tell it.
    pub vault: Option<String>,
    /// When it was made; CSV does not tell it.
    pub made: Option<Timestamp>,
    /// Archives in it.
    pub archives: u64,
}

/// The values of one archive, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    id: String,
    description: String,
    created: String,
    size: String,
    tree_hash: String,
}

/// Reads an inventory, which is JSON or CSV, and gives `each` its archives one by one, in its order.
///
/// # Errors
/// [`GlacierError::Damaged`] for anything else; what `each` returns.
pub fn read(mut input: impl BufRead, each: impl FnMut(ListedArchive) -> GlacierResult<()>) -> GlacierResult<Inventory> {
    let buffered = input.fill_buf().map_err(damaged)?;
    match buffered.iter().copied().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => json::read(input, each),
        Some(_) => csv::read(input, each),
        None => Err(damaged("it is empty")),
    }
}

fn damaged(why: impl ToString) -> GlacierError {
    GlacierError::damaged("inventory", why.to_string())
}
