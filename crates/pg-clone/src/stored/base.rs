//! What a dump says of the server's history, so that a later one need not read what did not change since.
//!
//! What each field protects from is in `docs/decisions/0050-what-did-not-change-is-not-read-again.md`.

use std::fmt;
use std::str::FromStr;

use backup_core::digest::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::stored::row_hash::RowHash;

/// A position in the write-ahead log (PostgreSQL manual, `pg_lsn`); text form is `16/B374D848`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Lsn(pub u64);

/// A text that is no position in the write-ahead log.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no position in the write-ahead log")]
pub struct InvalidLsn(String);

impl FromStr for Lsn {
    type Err = InvalidLsn;

    fn from_str(text: &str) -> Result<Self, InvalidLsn> {
        let half = |text: &str| {
            let is_hex = !text.is_empty() && text.len() <= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
        };
        let halves = text.split_once('/').and_then(|(high, low)| Some((half(high)?, half(low)?)));
        halves.map(|(high, low)| Self(high << 32 | low)).ok_or_else(|| InvalidLsn(text.to_owned()))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & u64::from(u32::MAX))
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

impl TryFrom<String> for Lsn {
    type Error = InvalidLsn;

    fn try_from(text: String) -> Result<Self, InvalidLsn> {
        text.parse()
    }
}

/// From where on changes count for what a dump has: every transaction that its snapshot does not see as ended began after
/// `lsn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The position: where a checkpoint began.
    pub lsn: Lsn,
    /// The number that the next transaction had then, with its epoch: the snapshot sees all before it as ended.
    pub next_xid: u64,
    /// The timeline that the position is on.
    pub timeline: u32,
    /// When the server had been started, in microseconds since 1970: a disk is put back only under a server that is not running.
    pub instance: u64,
    /// The oid of the database.
    pub database: u32,
    /// Digest of what the text of all rows depends on beside them: the version, the role, settings, extensions.
    pub text: Sha256Digest,
    /// The last summaries up to that position. Another history has others.
    pub history: Vec<Summary>,
}

/// A summary of the write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Where it begins.
    pub start: Lsn,
    /// Where it ends.
    pub end: Lsn,
    /// Entries in it.
    pub entries: u64,
    /// The sum of their hashes, as the server computes them.
    pub hash: String,
}

/// Where a table was, and what its text depended on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableBase {
    /// The oid of its tablespace.
    pub tablespace: u32,
    /// The number of its file.
    pub filenode: u32,
    /// The number of the file of its TOAST table; 0 if it has none.
    pub toast: u32,
    /// Pages it had.
    pub pages: u64,
    /// Pages of a range; absent if it was read in one piece, whatever its size.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<u64>,
    /// Digest of columns and types.
    pub text: Sha256Digest,
    /// Its ranges of pages, in order. The frames of the table are those of its ranges, one after the other.
    pub ranges: Vec<RangeBase>,
}

/// A range of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeBase {
    /// How many frames its rows are in.
    pub frames: u64,
    /// Order-independent hash of its rows.
    pub row_hash: RowHash,
}

/// How a dump was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The dump whose rows were kept where they had not changed, by its key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<String>,
    /// Why all rows were read, if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read_all: Option<String>,
    /// Why a later dump cannot keep rows of this one, if that is so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub no_base: Option<String>,
}

/// How a table was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReading {
    /// Ranges of pages it has.
    pub ranges: u64,
    /// Those of them that were kept as an earlier dump has them.
    pub kept: u64,
    /// Why not all of them were.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_the_server_writes_them() {
        for (text, position) in [("0/0", 0), ("16/B374D848", 0x16_B374_D848), ("FFFFFFFF/FFFFFFFF", u64::MAX)] {
            assert_eq!(text.parse::<Lsn>().unwrap(), Lsn(position));
            assert_eq!(Lsn(position).to_string(), text);
        }
        // As servers from 19 on write it.
        assert_eq!("0/000000FF".parse::<Lsn>().unwrap(), Lsn(255));
        for wrong in ["", "/", "0", "0/", "g/0", "+1/0", "0/123456789", "0/0/0"] {
            assert!(wrong.parse::<Lsn>().is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_string(&Lsn(255)).unwrap(), "\"0/FF\"");
    }
}
