//! A dump's workers: each imports the snapshot and copies units of work into packs of its own. Where it may not be
//! imported there is one worker, and it reads by the session that took the snapshot.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use backup_core::progress::Event;
use tokio::sync::Barrier;

use crate::adapters::connection::{DrivenSession, Server, Session};
use crate::adapters::sql::copy_out::CopyOut;
use crate::adapters::sql::{large_objects, snapshot, table_locks};
use crate::dump::long_row;
use crate::dump::sharing::Snapshot;
use crate::dump::units::{DumpUnit, TableSource};
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;
use crate::run::Run;
use crate::stored::detail::RowData;
use crate::stored::frame::{EncodedFrame, FrameEncoder};
use crate::stored::known_frames::KnownFrames;
use crate::stored::pack::{PackRole, PackSpace, PackWriter, WrittenPack};

/// What the workers of a dump share.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) server: Server,
    pub(crate) database: String,
    pub(crate) snapshot: Snapshot,
    /// The session that took it.
    pub(crate) leader: Arc<Session>,
    pub(crate) sources: Vec<TableSource>,
    pub(crate) tables: Vec<DumpUnit>,
    /// The units a worker takes at once.
    pub(crate) batches: Vec<Range<usize>>,
    pub(crate) large_objects: Vec<u32>,
    /// Those of them that are copied together.
    pub(crate) object_batches: Vec<Range<usize>>,
    /// How many there are of us.
    pub(crate) workers: usize,
    /// Passed once all of us have locked ahead: rows that move tell the world that exclusive locks may be asked for.
    pub(crate) locked: Barrier,
    pub(crate) packs: PackSpace,
    pub(crate) compression_level: i32,
    /// What earlier dumps have stored, if it is used.
    pub(crate) known: Option<Arc<KnownFrames>>,
    /// Whether the database is SQL_ASCII: its bytes are of no known encoding and must not be converted.
    pub(crate) raw_encoding: bool,
    pub(crate) next: AtomicUsize,
    pub(crate) run: Run,
}

/// Tables locked by one statement.
const LOCK_BATCH: usize = 100;

/// Most tables that every worker locks before it begins; of more, the workers lock this many together. Each lock takes
/// space in the server's lock table, which by default has room for leader and `pg_dump` with 8,500 tables.
const LOCKS_AHEAD_MAX: usize = 1_000;

/// One piece of work.
enum Piece<'a> {
    Tables(&'a [DumpUnit]),
    LargeObjects(usize, &'a [u32]),
}

/// What one worker wrote.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) tables: Vec<UnitRows>,
    pub(crate) slices: Vec<BatchSlices>,
    pub(crate) packs: Vec<WrittenPack>,
}

/// The rows of one unit.
#[derive(Debug)]
pub(crate) struct UnitRows {
    /// The table's place among the sources.
    pub(crate) table: usize,
    /// The unit's place among those of its table.
    pub(crate) index: usize,
    pub(crate) rows: RowData,
}

/// Slices of one batch of large objects.
#[derive(Debug)]
pub(crate) struct BatchSlices {
    pub(crate) batch: usize,
    pub(crate) rows: RowData,
}

/// Owners, privileges and comments of the large objects.
#[derive(Debug)]
pub(crate) struct CopiedMetadata {
    pub(crate) rows: RowData,
    pub(crate) packs: Vec<WrittenPack>,
}

impl Work {
    fn take(&self) -> Option<Piece<'_>> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(batch) = self.batches.get(at) {
            return Some(Piece::Tables(&self.tables[batch.clone()]));
        }
        let batch = at - self.batches.len();
        let oids = self.large_objects.get(self.object_batches.get(batch)?.clone())?;
        Some(Piece::LargeObjects(batch, oids))
    }
}

/// Works until nothing is left. When it returns, nothing more of it appears in the store, whether it failed or was
/// cancelled.
pub(crate) async fn work(work: Arc<Work>) -> PgResult<Written> {
    let mut data = work.packs.writer(PackRole::Data);
    let mut objects = work.packs.writer(PackRole::LargeObjects);
    let written = work.run.or_cancelled(copy_pieces(&work, &mut data, &mut objects)).await;
    if written.is_err() {
        data.abort().await;
        objects.abort().await;
    }
    written
}

async fn copy_pieces(work: &Work, data: &mut PackWriter, objects: &mut PackWriter) -> PgResult<Written> {
    let mut copier = Copier::connect(work).await?;
    copier.lock_ahead(work).await?;
    work.locked.wait().await;
    let mut written = Written::default();
    while let Some(piece) = work.take() {
        match piece {
            Piece::Tables(units) => {
                let rows = copier.copy_tables(&work.sources, units, data).await?;
                let of_unit =
                    |(unit, rows): (&DumpUnit, RowData)| UnitRows { table: unit.table, index: unit.index, rows };
                written.tables.extend(units.iter().zip(rows).map(of_unit));
                work.run.progress.event(Event::Advance { bytes: 0, items: units.len() as u64 });
            }
            Piece::LargeObjects(batch, oids) => {
                let rows = copier.copy(large_objects::slices(oids), objects, "large objects").await?;
                written.slices.push(BatchSlices { batch, rows });
                work.run.progress.event(Event::Advance { bytes: 0, items: 1 });
            }
        }
    }
    written.packs = data.finish().await?;
    written.packs.extend(objects.finish().await?);
    Ok(written)
}

/// Copies owners, privileges and comments of the large objects; as careful as [`work`].
pub(crate) async fn copy_metadata(work: &Work) -> PgResult<CopiedMetadata> {
    let mut packs = work.packs.writer(PackRole::LargeObjects);
    let copied = work.run.or_cancelled(async {
        let mut copier = Copier::connect(work).await?;
        let rows = copier.copy(large_objects::metadata(), &mut packs, "large objects").await?;
        Ok(CopiedMetadata { rows, packs: packs.finish().await? })
    });
    let copied = copied.await;
    if copied.is_err() {
        packs.abort().await;
    }
    copied
}

/// A connection on the snapshot, with what turns rows into frames.
#[derive(Debug)]
struct Copier {
    session: DrivenSession,
    /// Whether it must lock what it reads: the leader's own session has all locks.
    locks: bool,
    encoder: FrameEncoder,
    run: Run,
}

impl Copier {
    async fn connect(work: &Work) -> PgResult<Self> {
        let (mut session, name) = match &work.snapshot {
            Snapshot::Exported(name) => (work.server.connect_driven(&work.database).await?, Some(name.as_str())),
            Snapshot::Kept(_) => (DrivenSession::lent(Arc::clone(&work.leader)), None),
        };
        snapshot::import(&mut session, name, work.raw_encoding).await?;
        Ok(Self {
            session,
            locks: name.is_some(),
            encoder: FrameEncoder::new(work.compression_level, work.known.clone())?,
            run: work.run.clone(),
        })
    }

    /// Takes the locks of the largest tables at once. Later, behind somebody's waiting request for an exclusive lock, they
    /// could not be had any more, and a dump of hours would end there.
    async fn lock_ahead(&mut self, work: &Work) -> PgResult<()> {
        if !self.locks {
            return Ok(());
        }
        let mut seen = BTreeSet::new();
        let largest = work.tables.iter().map(|unit| unit.table).filter(|table| seen.insert(*table));
        let largest: Vec<QualifiedName> = largest
            .take(locks_ahead(work.sources.len(), work.workers))
            .map(|table| work.sources[table].qualified_name())
            .collect();
        for batch in largest.chunks(LOCK_BATCH) {
            table_locks::share_now(&mut self.session, batch).await?;
        }
        table_locks::mark(&mut self.session).await
    }

    /// Copies the rows of `units`, each into frames of its own.
    async fn copy_tables(
        &mut self,
        sources: &[TableSource],
        units: &[DumpUnit],
        packs: &mut PackWriter,
    ) -> PgResult<Vec<RowData>> {
        let tables: Vec<&TableSource> = units.iter().map(|unit| &sources[unit.table]).collect();
        let failed = |at: usize, error| {
            let label = tables.get(at).map_or_else(String::new, |source| format!("{}.{}", source.schema, source.name));
            long_row::explained(&label, PgError::sql(format!("copying the rows of `{label}`"), error))
        };
        if self.locks {
            let mut names: Vec<QualifiedName> = tables.iter().map(|source| source.qualified_name()).collect();
            names.dedup();
            table_locks::share_now_instead(&mut self.session, &names).await?;
        }
        let copies: Vec<CopyOut> = units.iter().zip(&tables).map(|(unit, source)| copy_of(source, unit)).collect();
        self.copy_all(&copies, packs, failed).await
    }

    /// Runs one `COPY … TO STDOUT` into frames of `packs`.
    async fn copy(&mut self, copy: CopyOut, packs: &mut PackWriter, label: &str) -> PgResult<RowData> {
        let failed = |_, error| PgError::sql(format!("copying the rows of `{label}`"), error);
        let copied = self.copy_all(&[copy], packs, failed).await?;
        Ok(copied.into_iter().next().unwrap_or_default())
    }

    /// Runs several, with as few round trips as one; `failed` makes the error of the one at a position.
    async fn copy_all(
        &mut self,
        wanted: &[CopyOut],
        packs: &mut PackWriter,
        failed: impl Fn(usize, tokio_postgres::Error) -> PgError,
    ) -> PgResult<Vec<RowData>> {
        let texts: Vec<&str> = wanted.iter().map(CopyOut::text).collect();
        let prepared = self.session.prepare_all(&texts).await.map_err(|(at, error)| failed(at, error))?;
        let mut copies = self.session.copy_out_all(&prepared);
        let mut copied = Vec::with_capacity(wanted.len());
        while copies.next_copy().await.map_err(|error| failed(copied.len(), error))? {
            let mut data = RowData::default();
            while let Some(row) = copies.next().await {
                let row = row.map_err(|error| failed(copied.len(), error))?;
                if let Some(frame) = self.encoder.push(&row).await? {
                    store(frame, packs, &mut data, &self.run).await?;
                }
            }
            if let Some(frame) = self.encoder.finish().await? {
                store(frame, packs, &mut data, &self.run).await?;
            }
            copied.push(data);
        }
        Ok(copied)
    }
}

/// Tables that each of `workers` locks before it begins.
fn locks_ahead(tables: usize, workers: usize) -> usize {
    if tables <= LOCKS_AHEAD_MAX { tables } else { LOCKS_AHEAD_MAX / workers.max(1) }
}

async fn store(frame: EncodedFrame, packs: &mut PackWriter, data: &mut RowData, run: &Run) -> PgResult<()> {
    let bytes = frame.content_bytes;
    packs.append(frame, data).await?;
    run.progress.event(Event::Advance { bytes, items: 0 });
    Ok(())
}

/// The `COPY` of one unit.
fn copy_of(source: &TableSource, unit: &DumpUnit) -> CopyOut {
    let table = source.qualified_name();
    match unit.range {
        None => CopyOut::of_table(&table, &source.columns, &source.condition),
        Some(range) => CopyOut::of_pages(&table, &source.columns, range.from, range.to),
    }
}

#[cfg(test)]
mod tests {
    use crate::dump::units::PageRange;
    use crate::stored::detail::TableKind;

    use super::*;

    fn source(columns: &[&str], condition: &str) -> TableSource {
        TableSource {
            oid: 1,
            schema: "s".into(),
            name: "a\"b".into(),
            kind: TableKind::Table,
            columns: columns.iter().map(ToString::to_string).collect(),
            heap_pages: 9,
            table_bytes: 9,
            by_ranges: true,
            condition: condition.into(),
            range_bytes: 1,
            range_pages: None,
        }
    }

    fn unit(range: Option<PageRange>) -> DumpUnit {
        DumpUnit { table: 0, index: 0, range, estimated_bytes: 0 }
    }

    #[test]
    fn few_tables_are_all_locked_ahead_and_many_only_once() {
        assert_eq!(locks_ahead(LOCKS_AHEAD_MAX, 4), LOCKS_AHEAD_MAX);
        assert!(locks_ahead(10_000, 4) * 4 <= LOCKS_AHEAD_MAX);
        assert_eq!(locks_ahead(10_000, 0), LOCKS_AHEAD_MAX);
    }

    #[test]
    fn every_kind_of_unit_has_its_statement() {
        let plain = source(&["x", "Y"], "");
        assert_eq!(copy_of(&plain, &unit(None)).text(), r#"COPY "s"."a""b" ("x", "Y") TO STDOUT"#);
        let last = unit(Some(PageRange { from: 8, to: None }));
        assert_eq!(
            copy_of(&plain, &last).text(),
            r#"COPY (SELECT "x", "Y" FROM ONLY "s"."a""b" WHERE ctid >= '(8,0)'::tid) TO STDOUT"#
        );
        assert_eq!(copy_of(&source(&[], ""), &unit(None)).text(), r#"COPY "s"."a""b" TO STDOUT"#);
        assert_eq!(
            copy_of(&source(&["x"], "WHERE x > 1"), &unit(None)).text(),
            r#"COPY (SELECT "x" FROM ONLY "s"."a""b" WHERE x > 1) TO STDOUT"#
        );
    }
}
