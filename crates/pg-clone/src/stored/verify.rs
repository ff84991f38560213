//! Verifies that stored dumps are still what was written.
//!
//! Everything is streamed: memory depends on how many objects are read at once, never on their size.

mod amount;
mod damage;
mod part;
mod report;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backup_core::manifest::Manifest;
use backup_core::progress::{Event, SharedProgress, Silent};
use backup_core::store::StoreRead;
use futures::{StreamExt, TryStreamExt, stream};
use tracing::Instrument;

pub use damage::{DAMAGE_KEPT_MAX, Damage};

use crate::error::PgResult;
use crate::run::Run;
use crate::stored::detail::{DumpDetail, ROLE_SCHEMA};
use crate::stored::key::DumpKey;
use crate::stored::list::{self, Found};
use crate::stored::lists::{self, ListFault};
pub use crate::stored::verify::amount::ReadAmount;
pub use crate::stored::verify::report::VerifyReport;
use crate::stored::verify::report::{integrity, row_sets};
use part::RowTotals;
use scan::Scan;

/// Checks the dump `wanted` (as for [`list::find`]) and says everything that is damaged and which other dumps need it.
///
/// # Errors
/// [`PgError::NoDump`](crate::PgError::NoDump); [`PgError::Format`](crate::PgError::Format) if the manifest itself cannot be used; what the store says. Damage is no
/// error: see [`VerifyReport::into_result`].
pub async fn verify(
    store: &dyn StoreRead,
    wanted: impl Into<list::Wanted>,
    read: ReadAmount,
    jobs: usize,
    run: &Run,
) -> PgResult<VerifyReport> {
    let wanted = wanted.into();
    let span = tracing::info_span!("verify", wanted = %wanted.selector);
    let work = async {
        match list::find(store, wanted).await? {
            Found::Ours { key, mut manifest, .. } => {
                run.step("verify.read", &key);
                let fault = match lists::read(store, &mut manifest).await {
                    Ok(()) => None,
                    // Then nobody knows whose rows are where, and the objects are what can be checked.
                    Err(ListFault::Damaged { object, what }) => Some(Damage::new(&object, what)),
                    Err(ListFault::Other(error)) => return Err(error),
                };
                let mut report = check(store, key, &manifest, read, jobs, &run.progress).await?;
                if let Some(fault) = fault {
                    report.take_fault(fault);
                }
                damage::name_other_dumps(store, &mut report.damage).await?;
                Ok(report)
            }
            Found::Legacy { key, object, .. } => {
                run.step("verify.read", &key);
                scan::legacy(store, key, &object, read, &run.progress).await
            }
        }
    };
    Box::pin(run.or_cancelled(work).instrument(span)).await
}

/// Reads and hashes every stored byte of a dump, `jobs` objects at a time, without decompressing any.
///
/// # Errors
/// [`PgError::Integrity`](crate::PgError::Integrity) naming the objects and what differs; what the store says.
pub async fn check_stored(
    store: &dyn StoreRead,
    manifest: &Manifest<DumpDetail>,
    jobs: usize,
    progress: &SharedProgress,
) -> PgResult<()> {
    let scan = Scan::new(store, manifest, progress);
    progress.event(Event::Total { bytes: manifest.stored_bytes(), items: manifest.parts.len() as u64 });
    let mut damage = scan.structure().await?;
    if damage.is_empty() {
        let mut parts = stream::iter(0..manifest.parts.len()).map(|part| scan.part(part)).buffered(jobs.max(1));
        while let Some(found) = parts.try_next().await? {
            damage.extend(found.damage);
        }
    }
    if damage.is_empty() { Ok(()) } else { Err(integrity(&name_of(manifest), &damage, damage.len() as u64)) }
}

/// Looks whether every object of a dump is there and as long as it was; of a `part` of it, those that its rows are in.
///
/// # Errors
/// As [`check_stored`].
pub(crate) async fn check_presence(store: &dyn StoreRead, manifest: &Manifest<DumpDetail>, part: bool) -> PgResult<()> {
    let silent: SharedProgress = Arc::new(Silent);
    let mut damage = Scan::new(store, manifest, &silent).structure().await?;
    if part {
        let used: BTreeSet<u32> = row_sets(&manifest.detail)
            .iter()
            .flat_map(|(_, data)| data.frames.iter().map(|frame| frame.part))
            .collect();
        let needed =
            |at: usize, role: &str| role == ROLE_SCHEMA || u32::try_from(at).is_ok_and(|at| used.contains(&at));
        let unneeded: Vec<_> =
            manifest.parts.iter().enumerate().filter(|(at, part)| !needed(*at, &part.role)).collect();
        damage.retain(|damage| !unneeded.iter().any(|(_, part)| part.key == damage.object));
    }
    if damage.is_empty() { Ok(()) } else { Err(integrity(&name_of(manifest), &damage, damage.len() as u64)) }
}

async fn check(
    store: &dyn StoreRead,
    key: String,
    manifest: &Manifest<DumpDetail>,
    read: ReadAmount,
    jobs: usize,
    progress: &SharedProgress,
) -> PgResult<VerifyReport> {
    let scan = Scan::new(store, manifest, progress).with_contents();
    let mut report = VerifyReport {
        key,
        read: read.to_string(),
        objects: manifest.parts.len() as u64,
        objects_read: 0,
        bytes_read: 0,
        tables_checked: 0,
        rows_checked: 0,
        without_digests: false,
        damage: Vec::new(),
        damage_count: 0,
    };
    let structure = scan.structure().await?;
    // What is missing or has another size is damaged already; its bytes would only say so again.
    let whole = |part: &usize| !structure.iter().any(|damage| damage.object == manifest.parts[*part].key);
    let chosen: Vec<usize> = (0..manifest.parts.len()).filter(|part| read.covers(*part)).filter(whole).collect();
    let bytes = chosen.iter().map(|part| manifest.parts[*part].stored_bytes).sum();
    progress.event(Event::Total { bytes, items: chosen.len() as u64 });
    report.take_damage(structure.clone());

    let mut totals: BTreeMap<usize, RowTotals> = BTreeMap::new();
    let mut parts = stream::iter(chosen).map(|part| scan.part(part)).buffered(jobs.max(1));
    while let Some(found) = parts.try_next().await? {
        report.objects_read += 1;
        report.bytes_read += found.bytes;
        report.take_damage(found.damage);
        for (rows_of, part_totals) in found.totals {
            // What large objects are stored as is no row of anybody's.
            report.rows_checked += if rows_of < manifest.detail.tables.len() { part_totals.rows } else { 0 };
            totals.entry(rows_of).or_default().merge(&part_totals);
        }
    }
    report.compare_rows(manifest, &totals);
    Ok(report)
}

/// The dump's key as people know it, from where its parts are.
fn name_of(manifest: &Manifest<DumpDetail>) -> String {
    let folders = manifest.parts.iter().filter_map(|part| {
        let segments: Vec<&str> = part.key.as_str().splitn(4, '/').collect();
        DumpKey::parse(segments.get(..3)?.join("/").as_str())
    });
    let own = folders.filter(|key| key.database == manifest.source && key.config == manifest.config).max();
    own.map_or_else(|| manifest.id.to_string(), |key| key.to_string())
}

#[cfg(test)]
mod tests;
