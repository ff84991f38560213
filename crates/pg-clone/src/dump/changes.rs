//! Reading only what changed since an earlier dump: on servers that summarize their write-ahead log, ranges of pages that no
//! summary names are kept as the earlier dump has them.
//!
//! Why that is right is in `docs/decisions/0050-what-did-not-change-is-not-read-again.md`. What is decided is in [`decide`],
//! without a server.

mod base;
pub(crate) mod decide;
mod keep;
mod parent;
mod plan;
mod summaries;
pub(crate) mod text;
pub(crate) mod why;

use std::collections::HashMap;

use backup_core::digest::Sha256Digest;

pub(super) use self::plan::{Asking, Plan, prepare};
use crate::adapters::connection::Session;
use crate::adapters::sql::row_text;
use crate::adapters::sql::wal_summaries::{self, Located, Moment};
use crate::dump::units::TableSource;
use crate::error::PgResult;
use crate::stored::detail::ServerInfo;
use decide::TableNow;
use text::TableText;

/// First major version that summarizes its write-ahead log.
pub(crate) const SUMMARIES_MAJOR: u32 = 17;

/// Whether a server can summarize its write-ahead log.
pub(crate) fn has_summaries(server: &ServerInfo) -> bool {
    server.major() >= SUMMARIES_MAJOR
}

/// What such a server says of the snapshot's moment and of the tables.
#[derive(Debug)]
struct Now {
    moment: Moment,
    /// Digest of what the text of all rows depends on.
    text: Sha256Digest,
    located: HashMap<u32, Located>,
    printed: HashMap<u32, TableText>,
}

impl Now {
    /// Asked by the session that has the snapshot and the locks.
    async fn read(session: &Session, sources: &[TableSource]) -> PgResult<Self> {
        let oids: Vec<u32> = sources.iter().map(|source| source.oid).collect();
        let columns = row_text::columns(session, &oids).await?;
        let types = row_text::types(session, &oids).await?;
        let mut printed: HashMap<u32, TableText> = text::of_tables(&columns, &types).into_iter().collect();
        for oid in &oids {
            printed.entry(*oid).or_insert_with(text::of_none);
        }
        Ok(Self {
            text: Sha256Digest::of(row_text::surroundings(session).await?.as_bytes()),
            located: wal_summaries::located(session, &oids).await?,
            printed,
            // Last, so that its position is no earlier than anything that was read.
            moment: wal_summaries::moment(session).await?,
        })
    }

    /// A table as it is, if it was found, which would be read in these ranges.
    fn table(&self, source: &TableSource, major: u32) -> Option<TableNow> {
        let (located, printed) = (self.located.get(&source.oid)?, self.printed.get(&source.oid)?);
        Some(TableNow {
            tablespace: located.tablespace,
            filenode: located.filenode,
            toast: located.toast,
            is_heap: located.is_heap,
            is_logged: located.is_logged,
            has_condition: !source.condition.is_empty(),
            text: printed.digest,
            opaque: printed.opaque.clone(),
            ranges: source.ranges(major),
        })
    }
}
