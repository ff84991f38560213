//! Verifies that stored dumps are still what was written.
//!
//! Everything is streamed: memory depends on how many objects are read at once, never on their size.

mod damage;
mod part;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use backup_core::manifest::Manifest;
use backup_core::progress::{Event, SharedProgress, Silent};
use backup_core::store::StoreRead;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

pub use damage::{DAMAGE_KEPT_MAX, Damage};

use crate::error::{PgError, PgResult};
use crate::run::Run;
use crate::stored::detail::{DumpDetail, ROLE_SCHEMA, RowData};
use crate::stored::key::DumpKey;
use crate::stored::list::{self, Found};
use part::RowTotals;
use scan::Scan;

/// How much of a dump to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadAmount {
    /// Nothing: every object is there with its exact size.
    Structure,
    /// Every byte: digests of objects and frames; decompressed, rows counted and hashed.
    All,
    /// Every byte of one of `t` equal shares of the objects, so that `t` runs with n = 1, 2, … t read everything.
    Subset {
        /// Which share, from 1.
        n: u32,
        /// How many shares.
        t: u32,
    },
}

impl ReadAmount {
    fn covers(self, part: usize) -> bool {
        match self {
            Self::Structure => false,
            Self::All => true,
            Self::Subset { n, t } => part % t.max(1) as usize + 1 == n as usize,
        }
    }
}

impl FromStr for ReadAmount {
    type Err = PgError;

    /// `none`, `all` or `n/t`.
    fn from_str(text: &str) -> PgResult<Self> {
        let share = || {
            let (n, t) = text.split_once('/')?;
            let (n, t) = (n.parse().ok()?, t.parse().ok()?);
            (1..=t).contains(&n).then_some(Self::Subset { n, t })
        };
        match text {
            "none" => Ok(Self::Structure),
            "all" => Ok(Self::All),
            _ => share().ok_or_else(|| PgError::Usage {
                what: format!("`{text}` is not an amount to read"),
                help: "use none, all, or a share such as 1/7".to_owned(),
            }),
        }
    }
}

impl fmt::Display for ReadAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure => f.write_str("none"),
            Self::All => f.write_str("all"),
            Self::Subset { n, t } => write!(f, "{n}/{t}"),
        }
    }
}

/// What was checked and what was found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The dump.
    pub key: String,
    /// How much was to be read.
    pub read: String,
    /// Objects of the dump; each was looked at.
    pub objects: u64,
    /// Objects read from beginning to end.
    pub objects_read: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Tables, and the like of large objects, all of whose rows were hashed and compared.
    pub tables_checked: u64,
    /// Rows decompressed and counted.
    pub rows_checked: u64,
    /// A single-file dump of django-pgclone: there are no digests to compare with.
    pub without_digests: bool,
    /// What is damaged, the first [`DAMAGE_KEPT_MAX`].
    pub damage: Vec<Damage>,
    /// How many damages there are.
    pub damage_count: u64,
}

impl VerifyReport {
    /// The report, or as an error what is damaged.
    ///
    /// # Errors
    /// [`PgError::Integrity`].
    pub fn into_result(self) -> PgResult<Self> {
        match self.damage.first() {
            None => Ok(self),
            Some(_) => Err(integrity(&self.key, &self.damage, self.damage_count)),
        }
    }
}

/// Checks the dump `wanted` (as for [`list::find`]) and says everything that is damaged and which other dumps need it.
///
/// # Errors
/// [`PgError::NoDump`]; [`PgError::Format`] if the manifest itself cannot be used; what the store says. Damage is no
/// error: see [`VerifyReport::into_result`].
pub async fn verify(
    store: &dyn StoreRead,
    wanted: impl Into<list::Wanted<'_>>,
    read: ReadAmount,
    jobs: usize,
    run: &Run,
) -> PgResult<VerifyReport> {
    let wanted = wanted.into();
    run.or_cancelled(async {
        match list::find(store, wanted).await? {
            Found::Ours { key, manifest, .. } => {
                run.step("verify.read", &key);
                let mut report = check(store, key, &manifest, read, jobs, &run.progress).await?;
                damage::name_other_dumps(store, &mut report.damage).await?;
                Ok(report)
            }
            Found::Legacy { key, object, .. } => {
                run.step("verify.read", &key);
                scan::legacy(store, key, &object, read, &run.progress).await
            }
        }
    })
    .await
}

/// Reads and hashes every stored byte of a dump, `jobs` objects at a time, without decompressing any.
///
/// # Errors
/// [`PgError::Integrity`] naming the objects and what differs; what the store says.
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
            report.rows_checked += part_totals.rows;
            totals.entry(rows_of).or_default().merge(&part_totals);
        }
    }
    report.compare_rows(manifest, &totals);
    Ok(report)
}

impl VerifyReport {
    fn take_damage(&mut self, damage: Vec<Damage>) {
        self.damage_count += damage.len() as u64;
        let room = DAMAGE_KEPT_MAX.saturating_sub(self.damage.len());
        self.damage.extend(damage.into_iter().take(room));
    }

    /// Compares what was counted with what the manifest says, where all frames were read and whole.
    fn compare_rows(&mut self, manifest: &Manifest<DumpDetail>, totals: &BTreeMap<usize, RowTotals>) {
        for (rows_of, (name, data)) in row_sets(&manifest.detail).into_iter().enumerate() {
            let found = totals.get(&rows_of).copied().unwrap_or_default();
            if found.frames != data.frames.len() as u64 {
                continue;
            }
            // A table without frames was compared as well: it must not claim rows.
            self.tables_checked += u64::from(self.read != "none");
            if self.read != "none" && (found.rows, found.row_hash) != (data.rows, data.row_hash) {
                let what = format!(
                    "{} rows with hash {} instead of {} with {}",
                    found.rows, found.row_hash, data.rows, data.row_hash
                );
                let object = data.frames.first().and_then(|frame| manifest.parts.get(frame.part as usize));
                if let Some(part) = object.or(manifest.parts.first()) {
                    self.take_damage(vec![Damage::new(&part.key, what).with_table(&name)]);
                }
            }
        }
    }
}

/// The dump's sets of rows with their names: the tables in order, then the large objects.
fn row_sets(detail: &DumpDetail) -> Vec<(String, &RowData)> {
    let tables = detail.tables.iter().map(|table| (format!("{}.{}", table.schema, table.name), &table.data));
    let large_objects = detail.large_objects.iter().flat_map(|objects| {
        [("large objects".to_owned(), &objects.metadata), ("large objects' bytes".to_owned(), &objects.slices)]
    });
    tables.chain(large_objects).collect()
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

fn integrity(dump: &str, damage: &[Damage], count: u64) -> PgError {
    /// Damages told in an error; a report has them all.
    const SHOWN: usize = 3;
    let mut what: Vec<String> = damage.iter().take(SHOWN).map(ToString::to_string).collect();
    if count > SHOWN as u64 {
        what.push(format!("and {} more", count - SHOWN as u64));
    }
    PgError::Integrity { dump: dump.to_owned(), what: what.join("; ") }
}

#[cfg(test)]
mod tests;
