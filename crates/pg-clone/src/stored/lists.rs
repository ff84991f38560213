//! Lists: what a manifest would say of tables, sequences and frames, in parts of the dump, where it is too much for one
//! document.
//!
//! A list is lines of JSON, compressed. Each is a part like any other, so that whoever prunes, copies or verifies dumps knows
//! of it, and the manifest's SHA-256 of it makes it as good as the manifest. A list is read whole and no more than one at a
//! time; of a tebibyte of rows 40 MiB of frames stay in memory.

mod read;
mod write;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use self::read::{ListFault, contradiction, each_frame, read, read_frames, read_tables};
pub(crate) use self::write::{ListSpace, is_larger, write};

use crate::stored::base::{TableBase, TableReading};
use crate::stored::detail::{RowData, SequenceState, TableDump, TableKind};
use crate::stored::frames::{Frames, Listed};
use crate::stored::row_hash::RowHash;

/// Bytes of the detail after which a manifest has lists. Commands read up to 32 manifests at once, of which each may take so
/// much; with twice as much they would need more than 256 MiB. It is about 45 GiB of rows, or ten thousand tables: what is
/// smaller can be read by versions that know no lists.
pub(crate) const LISTS_OVER_BYTES: u64 = 4 * 1024 * 1024;

/// Frames in a list: some megabytes of text, and 100 GiB of rows.
const LIST_FRAMES: usize = 32 * 1024;

/// Bytes of text after which a list of tables is closed.
const LIST_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// Longest list that is read, in bytes of text: one is closed after [`LIST_TEXT_BYTES`], and the line of a table with as many
/// columns as PostgreSQL allows and as many ranges as are noted has some mebibytes.
const LIST_TEXT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most frames of a dump: those of 160 TiB of rows and more. Their places take 128 bytes each in the memory of whoever restores all.
pub(crate) const FRAMES_MAX: u64 = 64 * 1024 * 1024;

/// A line of a list of tables and sequences.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Table(ListedTable),
    Sequence(SequenceState),
}

/// A table without its frames.
#[derive(Debug, Serialize, Deserialize)]
struct ListedTable {
    schema: String,
    name: String,
    kind: TableKind,
    columns: Vec<String>,
    rows: u64,
    row_hash: RowHash,
    content_bytes: u64,
    /// How many frames of the lists are this table's.
    frames: u64,
    /// Bytes they occupy.
    stored_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    base: Option<TableBase>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    reading: Option<TableReading>,
}

impl From<TableDump> for ListedTable {
    fn from(table: TableDump) -> Self {
        let TableDump { schema, name, kind, columns, base, reading, data } = table;
        let (frames, stored_bytes) = (data.frames.count(), data.frames.stored_bytes());
        let RowData { rows, row_hash, content_bytes, .. } = data;
        Self { schema, name, kind, columns, rows, row_hash, content_bytes, frames, stored_bytes, base, reading }
    }
}

impl ListedTable {
    /// The table, whose first frame is number `first` of those in lists.
    fn with_frames_from(self, first: u64) -> TableDump {
        let Self { schema, name, kind, columns, rows, row_hash, content_bytes, frames, stored_bytes, base, reading } =
            self;
        let frames = Frames::listed(Listed { first, count: frames, stored_bytes });
        let data = RowData { rows, row_hash, content_bytes, frames };
        TableDump { schema, name, kind, columns, base, reading, data }
    }
}
