//! Inventories of vaults, read piece by piece: one of a million archives takes no more memory than one of ten.
//!
//! AWS makes an inventory about once a day, so that it does not tell what happened since. Ids may begin with `-`.

mod csv;
mod json;
mod listed;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use self::listed::damaged;
pub use self::listed::{Inventory, ListedArchive};
use crate::error::GlacierResult;

/// Reads an inventory, which is JSON or CSV, and gives `each` its archives one by one, in its order.
///
/// # Errors
/// [`crate::GlacierError::Damaged`] for anything else; what `each` returns.
pub fn read(mut input: impl BufRead, each: impl FnMut(ListedArchive) -> GlacierResult<()>) -> GlacierResult<Inventory> {
    let buffered = input.fill_buf().map_err(damaged)?;
    match buffered.iter().copied().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => json::read(input, each),
        Some(_) => csv::read(input, each),
        None => Err(damaged("it is empty")),
    }
}
