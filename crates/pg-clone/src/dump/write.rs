//! Copies everything in parallel, and publishes the manifest last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use backup_core::key::Key;
use backup_core::manifest::{Kind, LISTS, MANIFEST_NAME, Manifest, Part};
use backup_core::pipeline::UploadBudget;
use backup_core::progress::Event;
use backup_core::source::{Fall, Identity, Size};
use backup_core::store::StoreWrite;
use backup_core::units::counted;
use backup_core::{FormatError, catalogue};
use jiff::Timestamp;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::changes::{self, Plan};
use super::describe::{Copied, Facts, counts, describe};
use super::leader::Leader;
use super::place::{Place, judge};
use super::prepared::Dump;
use super::reuse::{Reuse, Shared, Sources};
use super::schema;
use super::sharing::{OneSession, Snapshot};
use super::source::Source;
use super::worker::{self, Work};
use crate::adapters::sql::{database_settings, large_objects};
use crate::dump::units::{DumpUnit, dump_batches, object_batches};
use crate::error::{PgError, PgResult};
use crate::options::{DumpOptions, Incremental};
use crate::run::Run;
use crate::stored::base::{Base, Reading, TableReading};
use crate::stored::detail::DumpDetail;
use crate::stored::known_frames::KnownFrames;
use crate::stored::lists::{self, ListSpace};
use crate::stored::pack::PackSpace;
use crate::stored::sizes::Sizes;

/// What was written, and published.
pub(super) struct Written {
    pub(super) manifest: Manifest,
    pub(super) manifest_bytes: u64,
    pub(super) detail: DumpDetail,
    /// By how much less it holds than the complete dump before, if that is worth telling.
    pub(super) fall: Option<Fall>,
    /// Why one session copied all rows, if that is so.
    pub(super) one_session: Option<OneSession>,
    /// What it did not store.
    pub(super) reuse: Reuse,
    /// Bytes of rows that it did not read.
    pub(super) kept_bytes: u64,
    /// Tables that it did not read, or not all of.
    pub(super) kept_tables: KeptTables,
}

/// How many tables were read, and how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeptTables {
    /// Of which nothing was read.
    pub(super) kept: u64,
    /// Of which some ranges were read.
    pub(super) partly: u64,
}

impl KeptTables {
    fn of(detail: &DumpDetail) -> Self {
        let readings = || detail.tables.iter().filter_map(|table| table.reading.as_ref());
        let count = |holds: fn(&TableReading) -> bool| readings().filter(|reading| holds(reading)).count() as u64;
        Self {
            kept: count(|reading| reading.kept == reading.ranges),
            partly: count(|reading| (1..reading.ranges).contains(&reading.kept)),
        }
    }
}

/// Writes one dump of `source`, which may build on some of `sources`.
pub(super) async fn write(
    dump: &Dump,
    identity: &Identity,
    mut source: Source<schema::Running>,
    (place, sources): (&Place, Sources),
    (started_at, incremental): (Timestamp, Incremental),
) -> PgResult<Written> {
    let Dump { store, options, run, .. } = dump;
    let created_at = run.clock.now();
    let (key, manifest_key) = (&place.key, place.key.manifest()?);
    let folder = key.folder()?;
    let writer: Arc<dyn StoreWrite> = Arc::clone(store) as Arc<dyn StoreWrite>;
    warn_of_a_copy(place, &source.leader, identity, run);
    let reuse = Reuse::prepare(store, (&options.database, &manifest_key), sources, options, run).await?;
    let (dump_key, server) = (key.to_string(), &dump.server);
    let asking = changes::Asking { server, store, options, run, key: &dump_key };
    let copying = Box::pin(async {
        let mut plan = changes::prepare(asking, &mut source.leader, &reuse, incremental).await?;
        let kept_bytes = plan.kept_bytes();
        let (leader, mut described) = copy(dump, source, &folder, reuse.known(), &mut plan).await?;
        let reading = plan.reading(asking, leader.checkpoint).await?;
        // After what is said of the server's disk: a crash before that would have ended this session.
        leader.still_holds().await?;
        described.note(reading);
        PgResult::Ok((leader, described, kept_bytes))
    });
    let (leader, described, kept_bytes) = match reuse.reserved() {
        Some(reserved) => tokio::select! {
            copied = copying => copied?,
            never = reserved.keep() => match never {},
        },
        None => copying.await?,
    };
    let kept_tables = KeptTables::of(&described.detail);
    let space = ListSpace::new(Arc::clone(&writer), folder);
    let described = listed(described, space, options, run).await?;

    run.step("dump.manifest", MANIFEST_NAME);
    run.stop_if_cancelled()?;
    let complete = !leader.selection.leaves_out;
    let (mut manifest, detail) = manifest(options, place, described, [started_at, created_at])?;
    manifest.identity = Some(identity.clone());
    manifest.complete = Some(complete);
    let rows = manifest.counts.get("rows").copied().unwrap_or_default();
    let size = Size { rows, bytes: Sizes::of(&manifest).content };
    let fall = judge(place.fall(size).filter(|_| complete), options, run)?;
    let published = catalogue::publish(&*writer, &manifest_key, &manifest, &key.pointer()?).await?;
    // Where the pointer could not be moved nothing can be deleted, either, and whoever waited for that waits no longer.
    if let Some(reserved) = reuse.reserved().filter(|_| published.pointer_fault.is_none()) {
        reserved.release().await;
    }
    if let Some(fault) = published.pointer_fault {
        run.progress.warn(format!(
            "the pointer to the latest dump could not be updated ({fault}); listings still find the dump"
        ));
    }
    let one_session = leader.one_session();
    let manifest_bytes = published.manifest_bytes;
    Ok(Written { manifest, manifest_bytes, detail, fall, one_session, reuse, kept_bytes, kept_tables })
}

fn warn_of_a_copy(place: &Place, leader: &Leader, identity: &Identity, run: &Run) {
    if let Some(before) = place.taken_elsewhere(identity).filter(|_| !leader.server.in_recovery) {
        run.progress.warn(format!(
            "the previous complete dump was taken from {before}, this one from {}: if this server is a copy of that \
             one, use a separate location for it",
            identity.host
        ));
    }
}

/// Copies schema and rows, and reads what else the manifest says.
async fn copy(
    dump: &Dump,
    source: Source<schema::Running>,
    folder: &Key,
    known: Option<Arc<KnownFrames>>,
    plan: &mut Plan,
) -> PgResult<(Leader, Described)> {
    let Dump { store, options, run, .. } = dump;
    let writer: Arc<dyn StoreWrite> = Arc::clone(store) as Arc<dyn StoreWrite>;
    let Source { leader, tool, large_objects, schema } = source;
    let budget = UploadBudget::default();
    // If one of both fails the other is stopped: it may have hours to go.
    let both = run.child();
    let schema_budget = budget.clone();
    let encoding = database_settings::read(&leader.session, &options.database).await?.encoding;
    let table_bytes = leader.sources.iter().map(|source| source.table_bytes).sum();
    let packs = PackSpace::new(Arc::clone(&writer), folder.clone(), budget).for_tables(table_bytes);
    let units = plan.units(&leader);
    announce(&leader, &units, &large_objects, run);
    let kept = Kept { packs, known: known.clone(), units };
    let work = share(dump, &leader, large_objects, kept, encoding == "SQL_ASCII", &both);
    let schema = schema.write(writer, folder, schema_budget, &both);
    let rows = stopping(&both, copy_rows(Arc::clone(&work), &both));
    let facts = stopping(&both, both.or_cancelled(Facts::read(&leader, options)));
    let facts_and_rows = async {
        match leader.snapshot {
            Snapshot::Exported(_) => tokio::join!(facts, rows),
            // One session does both. What it asked for second would wait for the end of a COPY.
            Snapshot::Kept(_) => (facts.await, rows.await),
        }
    };
    let (schema, (facts, rows)) = tokio::join!(stopping(&both, schema), facts_and_rows);
    let (schema, rows, facts) = first_failure(schema, rows, facts)?;
    run.step("dump.catalogue", &options.database);
    facts.warn(run);
    plan.compare(&rows.written.tables, &work.sources)?;
    let (mut detail, mut parts) = describe(&leader, &tool, &work, facts, schema, rows, plan);
    let own = parts.len();
    let shared = known.map(|known| Shared::settle(&mut detail, &mut parts, &known)).unwrap_or_default();
    let counts = counts(&detail, &parts[..own], shared);
    Ok((leader, Described { counts, detail, parts }))
}

/// What is read and stored, and where.
struct Kept {
    packs: PackSpace,
    known: Option<Arc<KnownFrames>>,
    units: Vec<DumpUnit>,
}

/// Cuts the rows into work, for as many as may see the snapshot.
fn share(
    Dump { server, options, .. }: &Dump,
    leader: &Leader,
    large_objects: Vec<u32>,
    Kept { packs, known, units: tables }: Kept,
    raw_encoding: bool,
    run: &Run,
) -> Arc<Work> {
    let batches = dump_batches(&tables);
    let object_batches = object_batches(&large_objects, large_objects::BATCH);
    let pieces = batches.len() + object_batches.len();
    let workers = match leader.snapshot {
        Snapshot::Exported(_) => options.jobs.min(pieces.max(1)),
        Snapshot::Kept(_) => 1,
    };
    Arc::new(Work {
        server: server.clone(),
        database: options.database.clone(),
        snapshot: leader.snapshot.clone(),
        leader: Arc::clone(&leader.session),
        sources: leader.sources.clone(),
        tables,
        batches,
        large_objects,
        object_batches,
        workers,
        locked: Barrier::new(workers),
        packs,
        compression_level: options.compression_level,
        known,
        raw_encoding,
        next: AtomicUsize::new(0),
        run: run.clone(),
    })
}

/// What the manifest is made of.
struct Described {
    counts: BTreeMap<String, u64>,
    detail: DumpDetail,
    parts: Vec<Part>,
}

impl Described {
    /// Says how it was read. Without a base nobody needs to know where its tables were.
    fn note(&mut self, (reading, base): (Reading, Option<Base>)) {
        if base.is_none() {
            self.detail.tables.iter_mut().for_each(|table| table.base = None);
        }
        (self.detail.reading, self.detail.base) = (Some(reading), base);
    }
}

/// Moves to lists what would make the manifest too long.
async fn listed(mut described: Described, space: ListSpace, options: &DumpOptions, run: &Run) -> PgResult<Described> {
    if lists::is_larger(&described.detail, options.lists_over_bytes)? {
        run.step("dump.lists", &counted(described.detail.tables.len() as u64, "table", "tables"));
        let parts = run.or_cancelled(lists::write(&space, &mut described.detail)).await?;
        described.parts.extend(parts);
    }
    Ok(described)
}

fn manifest(
    options: &DumpOptions,
    place: &Place,
    Described { counts, detail, parts }: Described,
    [started_at, created_at]: [Timestamp; 2],
) -> PgResult<(Manifest, DumpDetail)> {
    let value = serde_json::to_value(&detail)
        .map_err(|error| FormatError::Invalid { key: place.key.to_string(), what: error.to_string() })?;
    let mut manifest = Manifest::new(Kind::Pg, &options.database, started_at, value);
    if detail.lists.is_some() {
        manifest.require(LISTS);
    }
    manifest.config.clone_from(&options.config);
    manifest.created_at = created_at;
    manifest.sequence = place.sequence;
    manifest.counts = counts;
    manifest.parts = parts;
    manifest.tags.clone_from(&options.tags);
    Ok((manifest, detail))
}

/// All three, or the failure that stopped the others: they say less than it does.
fn first_failure<A, B, C>(a: PgResult<A>, b: PgResult<B>, c: PgResult<C>) -> PgResult<(A, B, C)> {
    match (a, b, c) {
        (Ok(a), Ok(b), Ok(c)) => Ok((a, b, c)),
        (a, b, c) => {
            let failures = [a.err(), b.err(), c.err()].into_iter().flatten();
            Err(failures.min_by_key(|error| matches!(error, PgError::Interrupted)).unwrap_or(PgError::Interrupted))
        }
    }
}

/// Cancels `run` when `work` fails.
async fn stopping<T>(run: &Run, work: impl Future<Output = PgResult<T>>) -> PgResult<T> {
    let done = work.await;
    if done.is_err() {
        run.cancel.cancel();
    }
    done
}

fn announce(leader: &Leader, units: &[DumpUnit], oids: &[u32], run: &Run) {
    let bytes = units.iter().map(|unit| unit.estimated_bytes).sum();
    let items = units.len() + object_batches(oids, large_objects::BATCH).len();
    run.progress.event(Event::Total { bytes, items: items as u64 });
    if leader.server.in_recovery {
        run.progress.warn(
            "this is a standby: rows of unlogged tables are missing, and long copies may be cancelled by recovery \
             (see max_standby_streaming_delay)"
                .to_owned(),
        );
    }
}

async fn copy_rows(work: Arc<Work>, run: &Run) -> PgResult<Copied> {
    run.step("dump.data", &counted(work.tables.len() as u64, "table", "tables"));
    let mut workers = JoinSet::new();
    for _ in 0..work.workers {
        workers.spawn(worker::work(Arc::clone(&work)).in_current_span());
    }
    let mut all = gather(&mut workers, run).await?;
    let metadata = if work.large_objects.is_empty() {
        None
    } else {
        run.step("dump.large_objects", &format!("{} objects", work.large_objects.len()));
        let copied = worker::copy_metadata(&work).await?;
        all.packs.extend(copied.packs);
        Some(copied.rows)
    };
    Ok(Copied { written: all, metadata })
}

/// Waits for all workers. The first failure stops the others, which are waited for all the same: what they have on its
/// way must have arrived before anybody clears away.
async fn gather(workers: &mut JoinSet<PgResult<worker::Written>>, run: &Run) -> PgResult<worker::Written> {
    let mut all = Ok(worker::Written::default());
    while let Some(written) = workers.join_next().await {
        match (
            written.unwrap_or_else(|error| Err(PgError::died("a worker", &error, "nothing was published"))),
            &mut all,
        ) {
            (Ok(written), Ok(all)) => {
                all.tables.extend(written.tables);
                all.slices.extend(written.slices);
                all.packs.extend(written.packs);
            }
            (Err(error), Ok(_)) => {
                run.cancel.cancel();
                all = Err(error);
            }
            // A worker that was stopped says less than the one that failed.
            (Err(error), Err(PgError::Interrupted)) => all = Err(error),
            (_, Err(_)) => {}
        }
    }
    all
}
