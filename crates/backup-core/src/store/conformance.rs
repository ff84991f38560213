//! What every store must do, as checks anyone can run against their own: each panics where the contract is broken.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use backup_core::store::{conformance, memory::MemoryStore};
//!
//! conformance::run(Arc::new(MemoryStore::new())).await;
//! # });
//! ```
//!
//! Each check works in a folder of its own and leaves it empty. That what was written survives a power cut (5 of the
//! contract) and that ambiguous errors say so (4) cannot be seen from inside: the latter is checked through faults.

mod clock;
mod folder;
mod listing;
mod objects;
mod uploads;

pub use clock::the_clock_goes_on_and_is_the_same_for_everybody;
pub use listing::{children_are_first_segments, lists_in_key_order, lists_many, pages_go_on_after_a_key};
pub use objects::{
    concurrent_creates_have_one_winner, concurrent_replacements_have_one_winner, create_refuses_what_exists,
    deleting_what_is_not_there_succeeds, dropped_puts_leave_nothing_half_done, if_match_refuses_what_changed,
    ranges_are_exact, reads_what_was_written, what_is_not_there_is_not_found,
};
pub use uploads::{
    aborted_uploads_are_gone, completes_respect_their_mode, dropped_uploads_are_never_visible,
    parts_come_in_any_order_and_repeatedly, unfinished_uploads_are_listed_and_swept, uploads_with_holes_are_refused,
};

use super::SharedStore;

/// Every check, one after the other.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn run(store: SharedStore) {
    reads_what_was_written(&store).await;
    the_clock_goes_on_and_is_the_same_for_everybody(&store).await;
    what_is_not_there_is_not_found(&store).await;
    ranges_are_exact(&store).await;
    create_refuses_what_exists(&store).await;
    if_match_refuses_what_changed(&store).await;
    concurrent_creates_have_one_winner(&store).await;
    concurrent_replacements_have_one_winner(&store).await;
    deleting_what_is_not_there_succeeds(&store).await;
    dropped_puts_leave_nothing_half_done(&store).await;
    lists_in_key_order(&store).await;
    pages_go_on_after_a_key(&store).await;
    lists_many(&store).await;
    children_are_first_segments(&store).await;
    parts_come_in_any_order_and_repeatedly(&store).await;
    completes_respect_their_mode(&store).await;
    uploads_with_holes_are_refused(&store).await;
    aborted_uploads_are_gone(&store).await;
    dropped_uploads_are_never_visible(&store).await;
    unfinished_uploads_are_listed_and_swept(&store).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::store::fs::FsStore;
    use crate::store::memory::MemoryStore;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn memory_conforms() {
        super::run(Arc::new(MemoryStore::new())).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_folder_conforms() {
        let folder = tempfile::tempdir().unwrap();
        super::run(Arc::new(FsStore::create(folder.path()).unwrap())).await;
    }

    #[tokio::test]
    async fn a_shared_store_conforms() {
        super::run(Arc::new(Arc::new(MemoryStore::new()))).await;
    }
}
