//! Streams of bytes into and out of any store: coalesced, hashed once, several parts in flight, bounded memory.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use backup_core::key::Key;
//! use backup_core::pipeline::{ObjectWriter, UploadBudget, read_all};
//! use backup_core::store::{PutMode, PutOptions, memory::MemoryStore};
//!
//! let store = Arc::new(MemoryStore::new());
//! let key = Key::new("pg/shop/data/p00000.pack")?;
//! let budget = UploadBudget::default(); // one for all writers of a run
//! let mut writer = ObjectWriter::new(store.clone(), key.clone(), PutOptions::new(PutMode::Create), budget);
//! writer.write(bytes::Bytes::from_static(b"some ")).await?;
//! writer.write(bytes::Bytes::from_static(b"rows")).await?;
//! let stored = writer.finish().await?;
//! assert_eq!(stored.bytes, 9);
//! assert_eq!(read_all(&store, &key, 100).await?, "some rows");
//! # Ok::<(), backup_core::StoreError>(())
//! # }).unwrap();
//! ```

mod assemble;
mod budget;
mod hash;
mod read;
mod write;

pub use budget::{BUDGET_BYTES, UploadBudget};
pub use read::{read_all, read_part, verified};
pub use write::{ObjectWriter, PARTS_IN_FLIGHT, Stored, part_bytes_for};
