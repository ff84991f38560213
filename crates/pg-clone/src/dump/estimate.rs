//! Whether a dump could be published in the end: estimated before anything of it is copied.
//!
//! What grows with tables and rows is in lists ([`lists`](crate::stored::lists)). What is left in the manifest are the packs,
//! whose number is bounded, and names.

use backup_core::FormatError;
use backup_core::catalogue::MANIFEST_BYTES_MAX;
use backup_core::units::{self, count};
use serde::Serialize;

use super::leader::Leader;
use crate::error::{PgError, PgResult};
use crate::options::DumpOptions;
use crate::stored::frame_cut::FRAME_CONTENT_BYTES_MIN;
use crate::stored::lists::FRAMES_MAX;
use crate::stored::pack::pack_bytes;

/// Bytes that the manifest has of a pack: its key, its digest and its sizes.
const PACK_ENTRY_BYTES: u64 = 400;

/// Refuses what the manifest could not name.
///
/// # Errors
/// [`PgError::ManifestTooLarge`].
pub(super) fn refuse_unpublishable(leader: &Leader, options: &DumpOptions) -> PgResult<()> {
    let names =
        [bytes_of(&leader.selection.filters)?, bytes_of(&leader.excluded_foreign_keys)?, bytes_of(&options.tags)?];
    let tables = leader.sources.iter().map(|source| source.table_bytes);
    let fault = Estimate::of(tables, names.iter().sum()).fault();
    fault.map_or(Ok(()), |what| Err(PgError::ManifestTooLarge { database: options.database.clone(), what }))
}

fn bytes_of<T: Serialize>(said: &T) -> PgResult<u64> {
    let text = serde_json::to_vec(said)
        .map_err(|error| FormatError::Invalid { key: "manifest.json".to_owned(), what: error.to_string() })?;
    Ok(text.len() as u64)
}

/// How much there will be of what is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Estimate {
    /// Frames of tables: their text takes about as much as they take on the server.
    frames: u64,
    /// Bytes of the manifest that name what is left out.
    names_bytes: u64,
    /// Bytes of the manifest.
    manifest_bytes: u64,
}

impl Estimate {
    /// Of tables of these bytes.
    fn of(tables: impl Iterator<Item = u64>, names_bytes: u64) -> Self {
        let (mut frames, mut table_bytes) = (0_u64, 0_u64);
        for bytes in tables {
            frames += bytes.div_ceil(FRAME_CONTENT_BYTES_MIN as u64);
            table_bytes = table_bytes.saturating_add(bytes);
        }
        let packs = table_bytes.div_ceil(pack_bytes(table_bytes));
        Self { frames, names_bytes, manifest_bytes: names_bytes + packs * PACK_ENTRY_BYTES }
    }

    /// What is too much.
    fn fault(self) -> Option<String> {
        if self.frames > FRAMES_MAX {
            let (frames, most) = (count(self.frames), count(FRAMES_MAX));
            return Some(format!("its rows would be in about {frames} pieces, and a dump has {most} at most"));
        }
        (self.manifest_bytes > MANIFEST_BYTES_MAX as u64).then(|| {
            format!(
                "its manifest would have about {}, {} of them names of tables that are left out; the limit is {}",
                units::bytes(self.manifest_bytes),
                units::bytes(self.names_bytes),
                units::bytes(MANIFEST_BYTES_MAX as u64)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    const TIB: u64 = 1 << 40;

    #[test]
    fn a_hundred_tebibytes_and_two_hundred_thousand_tables_can_be_published() {
        assert_eq!(Estimate::of(iter::once(100 * TIB), 10_000).fault(), None);
        assert_eq!(Estimate::of(iter::repeat_n(8192, 200_000), 10_000).fault(), None);
        assert_eq!(Estimate::of(iter::empty(), 0), Estimate { frames: 0, names_bytes: 0, manifest_bytes: 0 });
    }

    #[test]
    fn what_cannot_be_published_is_said_with_its_limit() {
        let pieces = Estimate::of(iter::once(300 * TIB), 0).fault().unwrap();
        assert!(pieces.contains("about 125,829,120 pieces, and a dump has 67,108,864"), "{pieces}");
        let names = Estimate::of(iter::once(TIB), MANIFEST_BYTES_MAX as u64).fault().unwrap();
        assert!(names.contains("64 MiB of them names") && names.contains("the limit is 64 MiB"), "{names}");
    }
}
