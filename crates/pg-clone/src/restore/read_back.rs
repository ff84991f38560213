//! Reads rows back, as a dump reads them, to compare them with the dump.

use std::pin::pin;

use futures::TryStreamExt;

use crate::adapters::connection::Session;
use crate::adapters::sql::copy_out::CopyOut;
use crate::adapters::sql::large_objects::{self, BATCH};
use crate::error::{PgError, PgResult};
use crate::stored::detail::RowData;
use crate::stored::row_hash::{HashedRows, RowHash, RowHasher};

/// How many rows, and their hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    pub(crate) hash: RowHash,
}

impl Tally {
    /// Of rows in a dump.
    pub(crate) fn of<'a>(data: impl IntoIterator<Item = &'a RowData>) -> Self {
        let mut all = Self::default();
        for data in data {
            all.add(Self { rows: data.rows, hash: data.row_hash });
        }
        all
    }

    /// With those of more rows.
    pub(crate) fn add(&mut self, more: Self) {
        self.rows += more.rows;
        self.hash.merge(&more.hash);
    }
}

/// Reads all rows of a `COPY … TO STDOUT`.
pub(crate) async fn read_back(session: &Session, copy: &CopyOut, doing: &str) -> PgResult<Tally> {
    let mut rows = pin!(copy.begin(session, doing).await?);
    let mut hasher = RowHasher::default();
    while let Some(text) = rows.try_next().await? {
        hasher.update(&text);
    }
    let HashedRows { hash, rows } = hasher.finish();
    Ok(Tally { rows, hash })
}

/// Compares the contents of the staged large objects with what was dumped.
pub(crate) async fn check_large_objects(session: &Session, slices: &RowData) -> PgResult<()> {
    let doing = "reading the large objects back";
    let oids = large_objects::staged(session).await?;
    let mut there = Tally::default();
    for batch in oids.chunks(BATCH) {
        there.add(read_back(session, &large_objects::slices(batch), doing).await?);
    }
    match there == Tally::of([slices]) {
        true => Ok(()),
        false => Err(PgError::Mismatch { what: "large objects differ from the dump".to_owned() }),
    }
}
