//! What was checked and what was found.

use std::collections::BTreeMap;

use backup_core::manifest::Manifest;
use serde::Serialize;

use super::damage::{DAMAGE_KEPT_MAX, Damage};
use super::part::RowTotals;
use crate::error::{PgError, PgResult};
use crate::stored::detail::{DumpDetail, RowData};

/// What was checked and what was found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
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
    /// Tables all of whose rows were hashed and compared.
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

impl VerifyReport {
    pub(super) fn take_damage(&mut self, damage: Vec<Damage>) {
        self.damage_count += damage.len() as u64;
        let room = DAMAGE_KEPT_MAX.saturating_sub(self.damage.len());
        self.damage.extend(damage.into_iter().take(room));
    }

    /// Takes what is wrong with a list, which its own check may have found as well.
    pub(super) fn take_fault(&mut self, fault: Damage) {
        if !self.damage.iter().any(|damage| damage.object == fault.object) {
            self.take_damage(vec![fault]);
        }
    }

    /// Compares what was counted with what the manifest says, where all frames were read and whole.
    pub(super) fn compare_rows(&mut self, manifest: &Manifest<DumpDetail>, totals: &BTreeMap<usize, RowTotals>) {
        for (rows_of, (name, data)) in row_sets(&manifest.detail).into_iter().enumerate() {
            let found = totals.get(&rows_of).copied().unwrap_or_default();
            if found.frames != data.frames.count() {
                continue;
            }
            // A table without frames was compared as well: it must not claim rows.
            // Large objects are compared too, and are no table.
            self.tables_checked += u64::from(self.read != "none" && rows_of < manifest.detail.tables.len());
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
pub(super) fn row_sets(detail: &DumpDetail) -> Vec<(String, &RowData)> {
    let tables = detail.tables.iter().map(|table| (format!("{}.{}", table.schema, table.name), &table.data));
    let large_objects = detail.large_objects.iter().flat_map(|objects| {
        [("large objects".to_owned(), &objects.metadata), ("large objects' bytes".to_owned(), &objects.slices)]
    });
    tables.chain(large_objects).collect()
}

pub(super) fn integrity(dump: &str, damage: &[Damage], count: u64) -> PgError {
    /// Damages told in an error; a report has them all.
    const SHOWN: usize = 3;
    let mut what: Vec<String> = damage.iter().take(SHOWN).map(ToString::to_string).collect();
    if count > SHOWN as u64 {
        what.push(format!("and {} more", count - SHOWN as u64));
    }
    PgError::Integrity { dump: dump.to_owned(), what: what.join("; ") }
}
