//! Header and table of contents of a single file: read and judged before any program gets it.

use std::collections::BTreeSet;

use backup_core::key::Key;
use backup_core::store::StoreRead;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use crate::adapters::sql::session_settings;
use crate::error::{PgError, PgResult};
use crate::restore::archive_toc::{self, Entry, Written};
use crate::restore::outside::{self, Content, Outside};

/// How much of a file is read at first to find its table of contents.
const CONTENTS_BYTES_FIRST: usize = 64 * 1024;

/// Longest table of contents that is held in memory: as much as the schema archive of a dump of ours may take.
const CONTENTS_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Header and table of contents of a file.
#[derive(Debug)]
pub(crate) struct Contents {
    beginning: Bytes,
    written: Vec<Written>,
}

impl Contents {
    /// The beginning of a file that acts on nothing outside of the new database but on what is `allowed`; none of one that we
    /// cannot read, if that is allowed.
    ///
    /// # Errors
    /// [`PgError::Obstacle`]; [`PgError::Integrity`] of a file that ends too early; what the store says.
    pub(crate) async fn read(
        store: &dyn StoreRead,
        key: &Key,
        dump: &str,
        allowed: &BTreeSet<Outside>,
    ) -> PgResult<Option<Self>> {
        match beginning(store, key).await? {
            Ok(contents) => {
                outside::refuse(&contents.beginning, Content::Rows, dump, allowed)?;
                Ok(Some(contents))
            }
            Err(why) => {
                outside::refuse_unread(&why, dump, allowed)?;
                Ok(None)
            }
        }
    }

    /// The bytes that were read: `pg_restore` gets them, and not what stands there by then.
    pub(super) fn beginning(&self) -> Bytes {
        self.beginning.clone()
    }

    /// How long they are in the file.
    pub(super) fn bytes(&self) -> usize {
        self.beginning.len()
    }

    /// The entries with their statements.
    pub(super) fn written(&self) -> &[Written] {
        &self.written
    }

    /// The entries.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.written.iter().map(|one| one.entry.clone()).collect()
    }

    /// The same for sessions with this search path. Archives from before March 2018 say it with each entry.
    pub(super) fn with_search_path(&self, search_path: &str, key: &Key) -> PgResult<Bytes> {
        let statement = session_settings::as_archives_set_it(search_path);
        let changed = archive_toc::with_search_path(&self.beginning, &statement)
            .map_err(|what| PgError::Integrity { dump: key.to_string(), what })?;
        Ok(changed.map_or_else(|| self.beginning.clone(), Bytes::from))
    }
}

/// The beginning of a file, or why it cannot be read.
async fn beginning(store: &dyn StoreRead, key: &Key) -> PgResult<Result<Contents, String>> {
    let mut body = store.get(key, None).await?;
    let (mut beginning, mut wanted) = (BytesMut::new(), CONTENTS_BYTES_FIRST);
    loop {
        let mut is_whole = false;
        while beginning.len() < wanted && !is_whole {
            match body.try_next().await? {
                Some(chunk) => beginning.extend_from_slice(&chunk),
                None => is_whole = true,
            }
        }
        match archive_toc::end_of_contents(&beginning) {
            Ok(Some(end)) => {
                beginning.truncate(end);
                let beginning = beginning.freeze();
                let written = archive_toc::parse_written(&beginning);
                return Ok(written.map(|written| Contents { beginning, written }));
            }
            Ok(None) if is_whole => {
                let what = "it ends within its table of contents".to_owned();
                return Err(PgError::Integrity { dump: key.to_string(), what });
            }
            Ok(None) if wanted < CONTENTS_BYTES_MAX => wanted *= 2,
            Ok(None) => return Ok(Err("its table of contents is too long".to_owned())),
            Err(why) => return Ok(Err(why)),
        }
    }
}
