//! Snapshots as blocks, through EBS direct: verified against a replica, exported to a location, imported from one.
//!
//! # Facts this room relies on
//! - A block is 512 KiB ([`BLOCK_BYTES`]). A block that was never written is not listed; one that was written with zeros is,
//!   and is not the same: a volume made from an encrypted snapshot reads noise where a block is absent
//!   (awslabs/coldsnap #395). Both are kept apart everywhere.
//! - Tokens of blocks change with every listing and say nothing about content (EBS User Guide, "Concepts for EBS direct
//!   APIs"): they are never compared, and a run that goes on later lists again.
//! - What is read has the SHA-256 that comes with it, or is read again.
//!
//! # An export
//! `ec2/exports/REGION/SNAPSHOT.export/` has packs of blocks, an index for every 32 GiB of the volume, and the manifest, which
//! is written last. A pack consists of zstd frames, one block each, and is named by the SHA-256 of the list of them that it
//! ends with; a block is stored once per 32 GiB, whatever the number of its places. An export that builds on an earlier one
//! refers to its packs.

mod digests;
mod export;
mod fetch;
mod image;
mod import;
mod index;
pub mod key;
mod listing;
mod pack;
mod sample;
mod size;
mod stored;
mod verify;

pub use export::{ExportPlan, ExportReport, Parent, export, plan_export, readable};
pub use image::{ImageReport, refuse_existing, write_image};
pub use import::{
    IMPORTED_TAG, ImportOptions, ImportPlan, ImportReport, TIMEOUT_MINUTES, import, imported_export, plan_import,
};
pub use sample::{Sample, confidence};
pub use size::{BLOCK_BYTES, BLOCKS_HELD, BLOCKS_PER_GIB, IN_FLIGHT};
pub use stored::{ExportDetail, Stored};
pub use verify::{Differences, VerifyOptions, VerifyReport, verify};
