//! A lease: an object that says who alone may do something, and until when.
//!
//! It is claimed by conditional create, renewed by compare-and-swap, and taken over once it has expired by the *store's*
//! clock, [`StoreWrite::now`]: the clocks of machines are never compared. Its holder counts from before it asked for that
//! time, by a stopwatch that goes on while the machine sleeps, and so gives up before anybody may take over. No two hold one
//! lease at a time as long as answers of the store's clock keep to [`CLOCK_BOUND`] and stopwatches gain or lose less than one
//! part in [`DRIFT_PARTS`].
//!
//! A process that is stopped does not see its time run out, and a request sent in time can arrive late. Therefore each claim
//! has a generation, which only grows, and what is written under a lease is written through [`Lease::document`]: the store
//! itself refuses a holder that has lost the lease.
//!
//! [`StoreWrite::now`]: crate::store::StoreWrite::now
//! [`CLOCK_BOUND`]: crate::store::CLOCK_BOUND

mod document;
mod error;
mod held;
mod record;
pub(crate) mod versioned;

pub use self::document::{DOCUMENT_BYTES_MAX, Document};
pub use self::error::{LeaseError, LeaseResult};
pub use self::held::{Lease, Terms};
pub use self::record::{DRIFT_PARTS, RECORD_BYTES_MAX, TTL_MAX, TTL_MIN};

#[cfg(test)]
mod tests;
