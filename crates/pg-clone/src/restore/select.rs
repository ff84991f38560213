//! Partial restores: reads the schema archive to select, and verifies only what will be read.

use std::ops::Range;

use backup_core::key::Key;
use backup_core::manifest::Manifest;
use backup_core::progress::{Event, SharedProgress};
use backup_core::store::StoreRead;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

use crate::error::{PgError, PgResult};
use crate::restore::archive_toc::{self, Entry};
use crate::restore::selection::{Chosen, Selection, choose};
use crate::restore::units::{Read, reads};
use crate::stored::detail::{DumpDetail, ROLE_SCHEMA};

/// The bytes of the schema archive, which are those that were written.
pub(crate) async fn schema_archive(
    store: &dyn StoreRead,
    key: &str,
    manifest: &Manifest<DumpDetail>,
) -> PgResult<Bytes> {
    let damaged = |what: String| PgError::Integrity { dump: key.to_owned(), what };
    let schema = manifest.parts.iter().find(|part| part.role == ROLE_SCHEMA);
    let schema = schema.ok_or_else(|| damaged("the manifest lists no schema archive".to_owned()))?;
    let bytes = backup_core::pipeline::read_all(store, &schema.key, schema.stored_bytes).await?;
    if backup_core::digest::Sha256Digest::of(&bytes) != schema.stored_sha256 {
        return Err(damaged(format!("the digest of `{}` differs", schema.key)));
    }
    Ok(bytes)
}

/// The entries of the schema archive of the dump `key`.
pub(crate) fn entries(archive: &[u8], key: &str) -> PgResult<Vec<Entry>> {
    archive_toc::parse(archive).map_err(|what| PgError::Integrity {
        dump: key.to_owned(),
        what: format!("the schema archive's table of contents cannot be read: {what}"),
    })
}

/// Chooses the part that `selection` asks for, and makes `manifest` say only that.
pub(crate) async fn narrow(
    store: &dyn StoreRead,
    key: &str,
    manifest: &mut Manifest<DumpDetail>,
    selection: &Selection,
) -> PgResult<Chosen> {
    let archive = schema_archive(store, key, manifest).await?;
    let entries = entries(&archive, key)?;
    let chosen = choose(selection, &entries, &manifest.detail)?;
    let detail = &mut manifest.detail;
    let mut at = 0..;
    detail.tables.retain(|_| at.next().is_some_and(|at| chosen.rows.contains(&at)));
    let stays = |schema: &str, name: &str| !chosen.gone.contains(&(schema.to_owned(), name.to_owned()));
    detail.sequences.retain(|sequence| !chosen.schema_only && stays(&sequence.schema, &sequence.name));
    detail.matviews.retain(|view| !chosen.schema_only && stays(&view.schema, &view.name));
    detail.extensions.retain(|extension| !selection.exclude_extensions.contains(&extension.name));
    if !chosen.large_objects {
        detail.large_objects = None;
    }
    Ok(chosen)
}

/// What restoring a part reads: the schema archive's bytes and those of the frames.
pub(crate) fn stored_bytes(manifest: &Manifest<DumpDetail>) -> u64 {
    let schema: u64 = manifest.parts.iter().filter(|part| part.role == ROLE_SCHEMA).map(|part| part.stored_bytes).sum();
    schema + needed(manifest).iter().map(|read| read.range.end - read.range.start).sum::<u64>()
}

fn needed(manifest: &Manifest<DumpDetail>) -> Vec<Read> {
    let large_objects = manifest.detail.large_objects.iter().flat_map(|objects| [&objects.metadata, &objects.slices]);
    reads(manifest.detail.tables.iter().map(|table| &table.data).chain(large_objects))
}

/// Reads what is needed and compares every frame with its digest, `jobs` ranges at a time; nothing else is read.
pub(crate) async fn check_needed(
    store: &dyn StoreRead,
    key: &str,
    manifest: &Manifest<DumpDetail>,
    jobs: usize,
    progress: &SharedProgress,
) -> PgResult<()> {
    let needed = needed(manifest);
    let bytes = needed.iter().map(|read| read.range.end - read.range.start).sum();
    progress.event(Event::Total { bytes, items: needed.len() as u64 });
    let mut checks = Vec::with_capacity(needed.len());
    for read in needed {
        checks.push(check(store, key, manifest, read, progress));
    }
    stream::iter(checks).buffered(jobs.max(1)).try_collect().await
}

async fn check(
    store: &dyn StoreRead,
    key: &str,
    manifest: &Manifest<DumpDetail>,
    read: Read,
    progress: &SharedProgress,
) -> PgResult<()> {
    let damaged = |what: String| PgError::Integrity { dump: key.to_owned(), what };
    let part = manifest.parts.get(read.part as usize);
    let part = part.ok_or_else(|| damaged(format!("the manifest lists no part {}", read.part)))?;
    let mut body = store.get(&part.key, Some(read.range.clone())).await?;
    let mut stored = BytesMut::new();
    while let Some(more) = body.try_next().await? {
        progress.event(Event::Advance { bytes: more.len() as u64, items: 0 });
        stored.extend_from_slice(&more);
    }
    for frame in &read.frames {
        let range = within(&read.range, frame.offset, frame.length).filter(|range| range.end <= stored.len());
        let range = range.ok_or_else(|| damaged(format!("`{}` ended early at offset {}", part.key, frame.offset)))?;
        if !frame.is_same(&stored[range]) {
            return Err(damaged(format!("`{}` at offset {}: its digest differs", part.key, frame.offset)));
        }
    }
    progress.event(Event::Advance { bytes: 0, items: 1 });
    Ok(())
}

/// A range of a stored object, which may end early.
pub(crate) async fn read_range(store: &dyn StoreRead, key: &Key, range: Range<u64>) -> PgResult<Bytes> {
    let mut body = store.get(key, Some(range)).await?;
    let mut stored = BytesMut::new();
    while let Some(more) = body.try_next().await? {
        stored.extend_from_slice(&more);
    }
    Ok(stored.freeze())
}

fn within(read: &Range<u64>, offset: u64, length: u64) -> Option<Range<usize>> {
    let from = usize::try_from(offset.checked_sub(read.start)?).ok()?;
    Some(from..from.checked_add(usize::try_from(length).ok()?)?)
}
