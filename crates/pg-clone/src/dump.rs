//! The dump: lock, take the snapshot, copy everything in parallel, publish the manifest last.

mod describe;
mod large_objects;
mod leader;
mod long_row;
mod readable;
mod schema;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use backup_core::key::Key;
use backup_core::manifest::{FORMAT, Kind, MANIFEST_NAME, Manifest, Outcome, Part, Tool as Writer};
use backup_core::pipeline::UploadBudget;
use backup_core::progress::Event;
use backup_core::store::{SharedStore, StoreRead, StoreWrite};
use backup_core::{FormatError, catalogue, probe};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::adapters::catalog::{self, Relation};
use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Need, Tool};
use crate::batch::dump_batches;
pub use crate::config::DumpOptions;
use crate::detail::DumpDetail;
use crate::dump::describe::{Copied, Facts, counts, describe};
use crate::dump::leader::{LOCK_ATTEMPTS_MAX, Leader, Locked};
use crate::dump::worker::{Work, Written};
use crate::dump_key::DumpKey;
use crate::error::{PgError, PgResult};
use crate::hook::{self, DUMP_POINTS, HookReport, PlannedHook, Point, Scene};
use crate::pack::PackSpace;
use crate::plan::dump_units;
use crate::recover;
use crate::run::Run;
use crate::settings;

/// Times a dump is begun when somebody asks for an exclusive lock in the moment in which it takes its own.
const ATTEMPTS_MAX: usize = 8;

/// What a dump would do: what `--dry-run` prints.
#[derive(Clone, Debug, Serialize)]
pub struct DumpPlan {
    /// The key it would get, but for the moment it is taken at.
    pub key: String,
    /// The database.
    pub database: String,
    /// The server, without secrets.
    pub server: String,
    /// The server's version.
    pub server_version: String,
    /// The `pg_dump` it would run.
    pub pg_dump: String,
    /// Tables whose rows it would copy.
    pub tables: u64,
    /// Bytes of those tables on the server.
    pub table_bytes: u64,
    /// Pieces of work they are cut into.
    pub units: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Workers.
    pub jobs: usize,
    /// Tables left out altogether.
    pub excluded: Vec<String>,
    /// Tables whose rows are left out.
    pub emptied: Vec<String>,
    /// What would run before, in order.
    pub hooks: Vec<PlannedHook>,
}

/// What a dump did.
#[derive(Clone, Debug, Serialize)]
pub struct DumpReport {
    /// Its key: `{database}/{timestamp}.{config}.dump`.
    pub key: String,
    /// Its identity.
    pub id: Uuid,
    /// Tables whose rows it holds.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Bytes of rows and schema before compression.
    pub content_bytes: u64,
    /// Bytes stored, manifest included.
    pub stored_bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// What ran before, in order.
    pub hooks: Vec<HookReport>,
}

/// Says what a dump would do; takes and releases the locks, writes nothing.
///
/// # Errors
/// As [`dump`], but for the store.
pub async fn plan(server: &Server, _store: &SharedStore, options: &DumpOptions, run: &Run) -> PgResult<DumpPlan> {
    options.check()?;
    let source = run.or_cancelled(Source::open(server, options, run, drop)).await?;
    Ok(source.plan(server, options, run.clock.now()))
}

/// Dumps a database into `store`.
///
/// # Errors
/// [`PgError`]; on every one of them nothing is published, and what was written is removed as far as the store allows.
pub async fn dump(server: &Server, store: &SharedStore, options: &DumpOptions, run: &Run) -> PgResult<DumpReport> {
    options.check()?;
    let started_at = run.clock.now();
    let begun = std::time::Instant::now();
    run.step("dump.probe", &store.describe());
    let writer: Arc<dyn StoreWrite> = Arc::clone(store) as Arc<dyn StoreWrite>;
    let probe = run.or_cancelled(async { Ok(probe::ensure(&*writer, &*run.clock).await?) });
    run.step("dump.connect", &server.describe());
    // A restore killed in its swap may have left the database closed. Whoever may only dump cannot mend that and must
    // not be kept from dumping by it.
    let (probed, recovered) = tokio::join!(probe, run.or_cancelled(recover::recover(server, &run.progress)));
    probed?;
    if let Err(error @ PgError::Sql { .. }) = recovered {
        run.progress.warn(format!("what a killed restore left could not be mended: {error}"));
    }
    let hooks = run_hooks(server, options, run).await?;
    let mut attempt = 1;
    let (key, (manifest, manifest_bytes)) = loop {
        match Box::pin(try_once(server, store, options, run, started_at)).await {
            // Letting go of everything lets the other session have its lock, and we come after it.
            Err(error @ PgError::LockRace { .. }) if attempt < ATTEMPTS_MAX => {
                attempt += 1;
                run.progress.warn(format!("{error}: the dump lets it through and begins again"));
            }
            other => break other?,
        }
    };
    run.step("dump.published", &key.to_string());
    let seconds = begun.elapsed().as_secs_f64();
    Ok(DumpReport { hooks, ..report(&key, &manifest, manifest_bytes, seconds) })
}

/// Before any lock and the snapshot: the dump holds what they did, and none of them waits for us.
async fn run_hooks(server: &Server, options: &DumpOptions, run: &Run) -> PgResult<Vec<HookReport>> {
    let mut reports = Vec::new();
    if options.hooks.pre_dump.is_empty() {
        return Ok(reports);
    }
    // The database is there, and of several hosts the one that is dumped is chosen.
    drop(run.or_cancelled(server.connect(&options.database)).await?);
    let scene = Scene { server, database: &options.database, target: &options.database, key: None, run };
    Box::pin(hook::run_all(&options.hooks, Point::PreDump, &scene, &mut reports)).await?;
    Ok(reports)
}

/// One dump, begun once; what a failed one wrote is removed.
async fn try_once(
    server: &Server,
    store: &SharedStore,
    options: &DumpOptions,
    run: &Run,
    started_at: Timestamp,
) -> PgResult<(DumpKey, (Manifest, u64))> {
    let source = run
        .or_cancelled(Source::open(server, options, run, |request| {
            run.step("dump.schema", &request.tool.version);
            request.start()
        }))
        .await
        .map_err(leader::explained)?;
    let (key, sequence) = run.or_cancelled(next_key(store, options, run)).await?;
    // Not dropped when the run is cancelled: the workers stop by themselves and are waited for, so that nothing they
    // still upload can appear after the clearing away.
    let written = Box::pin(write(server, store, options, run, source, &key, sequence, started_at)).await;
    let written = written.map_err(leader::explained);
    // After a lost answer the manifest may exist: its parts must stay.
    if let Err(error) = &written
        && !matches!(error, PgError::Store(store) if store.is_ambiguous())
    {
        clear_away(store, &key.folder()?).await;
    }
    Ok((key, written?))
}

/// The locked source and the program that dumps its schema.
struct Source<S> {
    leader: Leader,
    tool: Tool,
    large_objects: Vec<u32>,
    /// What `begin` made of the dump of the schema.
    schema: S,
}

impl<S> Source<S> {
    async fn open(
        server: &Server,
        options: &DumpOptions,
        run: &Run,
        begin: impl Fn(schema::Request) -> S,
    ) -> PgResult<Self> {
        for _ in 0..LOCK_ATTEMPTS_MAX {
            let locked = Locked::begin(server, options, run).await?;
            let major = locked.server.major();
            let tool = Tool::find("pg_dump", Need::server(major), options.pg_bin.as_deref()).await?;
            let reader =
                Tool::find("pg_restore", Need::server(major).reading(&tool.version), options.pg_bin.as_deref()).await?;
            // Before we know what the tables are like: with thousands of them both take seconds.
            let schema = begin(schema::Request {
                tool: tool.clone(),
                reader,
                server: server.clone(),
                database: options.database.clone(),
                snapshot: locked.snapshot.clone(),
                excluded: locked.selection.excluded.iter().map(Relation::qualified).collect(),
            });
            if let Some(leader) = locked.describe(run).await? {
                let large_objects = catalog::large_objects(&*leader.session).await?;
                return Ok(Self { leader, tool, large_objects, schema });
            }
        }
        Err(leader::changing(options))
    }

    fn plan(&self, server: &Server, options: &DumpOptions, now: Timestamp) -> DumpPlan {
        let sources = &self.leader.sources;
        DumpPlan {
            key: DumpKey::new(&options.database, now, &options.config).to_string(),
            database: options.database.clone(),
            server: server.describe(),
            server_version: self.leader.server.version.clone(),
            pg_dump: format!("{} ({})", self.tool.path.display(), self.tool.release()),
            tables: sources.len() as u64,
            table_bytes: sources.iter().map(|source| source.table_bytes).sum(),
            units: dump_units(sources, self.leader.server.major()).len() as u64,
            large_objects: self.large_objects.len() as u64,
            jobs: options.jobs,
            excluded: self.leader.selection.filters.excluded.clone(),
            emptied: self.leader.selection.filters.emptied.clone(),
            hooks: options.hooks.plan(&DUMP_POINTS),
        }
    }
}

/// The next dump's key and sequence number. The key's time never goes back: a clock that did would otherwise make an
/// older dump the latest.
async fn next_key(store: &SharedStore, options: &DumpOptions, run: &Run) -> PgResult<(DumpKey, u64)> {
    let now = run.clock.now();
    let database = DumpKey::database_folder(&options.database)?;
    let children = store.list_children(&format!("{database}/")).await?;
    let newest = children
        .iter()
        .filter_map(|child| DumpKey::parse_folder_name(&options.database, child.trim_end_matches('/')))
        .map(|key| key.timestamp)
        .max();
    let timestamp = match newest {
        Some(newest) if newest >= now => {
            run.progress.warn(format!(
                "the clock is behind the newest dump of `{}` ({newest}): this dump is ordered after it all the same",
                options.database
            ));
            newest + jiff::SignedDuration::from_micros(1)
        }
        _ => now,
    };
    let key = DumpKey::new(&options.database, timestamp, &options.config);
    let reader: Arc<dyn StoreRead> = Arc::clone(store) as Arc<dyn StoreRead>;
    let sequence = catalogue::next_sequence(&*reader, &format!("{database}/"), &key.pointer()?).await?;
    Ok((key, sequence))
}

#[allow(clippy::too_many_arguments)] // each is something only the caller knows
async fn write(
    server: &Server,
    store: &SharedStore,
    options: &DumpOptions,
    run: &Run,
    source: Source<schema::Running>,
    key: &DumpKey,
    sequence: u64,
    started_at: Timestamp,
) -> PgResult<(Manifest, u64)> {
    let created_at = run.clock.now();
    let folder = key.folder()?;
    let writer: Arc<dyn StoreWrite> = Arc::clone(store) as Arc<dyn StoreWrite>;
    let budget = UploadBudget::default();
    let Source { leader, tool, large_objects, schema } = source;
    announce(&leader, &large_objects, run);

    // If one of both fails the other is stopped: it may have hours to go.
    let both = Run { cancel: run.cancel.child_token(), ..run.clone() };
    let schema_budget = budget.clone();
    let encoding = settings::read(&leader.session, &options.database).await?.encoding;
    let tables = dump_units(&leader.sources, leader.server.major());
    let batches = dump_batches(&tables);
    let pieces = batches.len() + large_objects.len().div_ceil(large_objects::BATCH);
    let work = Arc::new(Work {
        server: server.clone(),
        database: options.database.clone(),
        snapshot: leader.snapshot.clone(),
        sources: leader.sources.clone(),
        tables,
        batches,
        large_objects,
        workers: options.jobs.min(pieces.max(1)),
        locked: Barrier::new(options.jobs.min(pieces.max(1))),
        packs: PackSpace::new(Arc::clone(&writer), folder.clone(), budget),
        compression_level: options.compression_level,
        raw_encoding: encoding == "SQL_ASCII",
        next: AtomicUsize::new(0),
        run: both.clone(),
    });
    let schema = schema.write(Arc::clone(&writer), &folder, schema_budget, &both);
    let rows = copy_rows(Arc::clone(&work), &both);
    let facts = both.or_cancelled(Facts::read(&leader, options));
    let (schema, rows, facts) = tokio::join!(stopping(&both, schema), stopping(&both, rows), stopping(&both, facts));
    let (schema, rows, facts) = first_failure(schema, rows, facts)?;
    run.step("dump.catalogue", &options.database);
    facts.warn(run);
    let (detail, parts) = describe(&leader, &tool, &work, facts, schema, rows);
    leader.still_holds().await?;

    run.step("dump.manifest", MANIFEST_NAME);
    run.last_chance_to_stop()?;
    let manifest = manifest(options, key, &detail, parts, sequence, [started_at, created_at])?;
    let published = catalogue::publish(&*writer, &key.manifest()?, &manifest, &key.pointer()?).await?;
    if let Some(fault) = published.pointer_fault {
        run.progress.warn(format!("the pointer to the latest dump could not be moved ({fault}); listings find it"));
    }
    Ok((manifest, published.manifest_bytes))
}

fn manifest(
    options: &DumpOptions,
    key: &DumpKey,
    detail: &DumpDetail,
    parts: Vec<Part>,
    sequence: u64,
    [started_at, created_at]: [Timestamp; 2],
) -> PgResult<Manifest> {
    Ok(Manifest {
        format: FORMAT,
        id: Uuid::now_v7(),
        kind: Kind::Pg,
        source: options.database.clone(),
        config: options.config.clone(),
        created_at,
        started_at,
        tool: Writer::current(),
        parent: None,
        sequence,
        outcome: Outcome::Good,
        counts: counts(detail, &parts),
        parts,
        tags: options.tags.clone(),
        encryption: None,
        detail: serde_json::to_value(detail)
            .map_err(|error| FormatError::Invalid { key: key.to_string(), what: error.to_string() })?,
        unknown: serde_json::Map::new(),
    })
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

fn announce(leader: &Leader, large_objects: &[u32], run: &Run) {
    let bytes = leader.sources.iter().map(|source| source.table_bytes).sum();
    let items = dump_units(&leader.sources, leader.server.major()).len() + large_objects.len().div_ceil(1_000);
    run.progress.event(Event::Total { bytes, items: items as u64 });
    if leader.server.in_recovery {
        run.progress.warn(
            "this is a standby: rows of unlogged tables are not there, and long copies may be cancelled by recovery \
             (see max_standby_streaming_delay)"
                .to_owned(),
        );
    }
}

async fn copy_rows(work: Arc<Work>, run: &Run) -> PgResult<Copied> {
    run.step("dump.data", &format!("{} units", work.tables.len()));
    let mut workers = JoinSet::new();
    for _ in 0..work.workers {
        workers.spawn(worker::work(Arc::clone(&work)));
    }
    let mut all = gather(&mut workers, run).await?;
    let metadata = if work.large_objects.is_empty() {
        None
    } else {
        run.step("dump.large_objects", &format!("{} objects", work.large_objects.len()));
        let (rows, packs) = worker::copy_metadata(&work).await?;
        all.packs.extend(packs);
        Some(rows)
    };
    Ok(Copied { written: all, metadata })
}

/// Waits for all workers. The first failure stops the others, which are waited for all the same: what they have on its
/// way must have arrived before anybody clears away.
async fn gather(workers: &mut JoinSet<PgResult<Written>>, run: &Run) -> PgResult<Written> {
    let mut all = Ok(Written::default());
    while let Some(written) = workers.join_next().await {
        match (written.unwrap_or_else(|error| Err(worker_died(&error))), &mut all) {
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

fn worker_died(error: &tokio::task::JoinError) -> PgError {
    PgError::Refused {
        what: format!("a worker died: {error}"),
        help: "this is unexpected: please report it; nothing was published".to_owned(),
    }
}

fn report(key: &DumpKey, manifest: &Manifest, manifest_bytes: u64, seconds: f64) -> DumpReport {
    let count = |name: &str| manifest.counts.get(name).copied().unwrap_or_default();
    DumpReport {
        key: key.to_string(),
        id: manifest.id,
        tables: count("tables"),
        rows: count("rows"),
        large_objects: count("large_objects"),
        content_bytes: manifest.content_bytes(),
        stored_bytes: manifest.stored_bytes() + manifest_bytes,
        seconds,
        hooks: Vec::new(),
    }
}

/// Removes what a failed dump wrote. Best effort: a store that lets us write may not let us delete, and `lastgood pg
/// prune --incomplete` finds what is left. Never anything beside a manifest: it may have been published after all.
async fn clear_away(store: &SharedStore, folder: &Key) {
    use futures::TryStreamExt;
    let keys: Result<Vec<Key>, _> =
        store.list(&format!("{folder}/"), None).map_ok(|object| object.key).try_collect().await;
    let Ok(keys) = keys else { return };
    if keys.iter().any(|key| key.name() == MANIFEST_NAME) {
        return;
    }
    let _ = store.delete(&keys).await;
    for upload in store.unfinished(&format!("{folder}/")).await.unwrap_or_default() {
        let _ = store.abort_unfinished(&upload).await;
    }
}
