//! Removes what retention gave up, and what interrupted runs left.

mod names;

pub(crate) use names::{claimed_by, is_claim, is_tombstone, is_uses};
