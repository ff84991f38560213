//! The dump: lock, take the snapshot, copy everything in parallel, publish the manifest last.

pub(crate) mod changes;
mod describe;
mod estimate;
mod leader;
mod long_row;
pub(crate) mod matviews;
mod place;
mod prepared;
mod readable;
mod report;
mod reuse;
pub(crate) mod schema;
mod secrets;
mod selection;
mod sharing;
mod source;
pub(crate) mod units;
mod worker;
mod write;

use std::sync::Arc;

use backup_core::key::Key;
use backup_core::manifest::MANIFEST_NAME;
use backup_core::probe;
use backup_core::source::Identity;
use backup_core::store::{SharedStore, StoreWrite};
use jiff::Timestamp;
use tracing::Instrument;

use self::place::Place;
pub use self::prepared::Dump;
pub use self::report::DumpReport;
use self::schema::{NoSchema, Running};
pub use self::source::DumpPlan;
use self::source::Source;
use self::write::{Written, write};
use crate::adapters::connection::Server;
use crate::adapters::sql::catalog;
use crate::error::{PgError, PgResult};
use crate::hook::{self, HookReport, Point, Scene};
use crate::live::recover;
pub use crate::options::{DumpOptions, Incremental};
use crate::stored::key::DumpKey;

/// Times a dump is begun when somebody asks for an exclusive lock in the moment in which it takes its own.
const ATTEMPTS_MAX: usize = 8;

/// Looks at everything that a dump would read, without locks and without a snapshot, and returns the number of its tables.
pub(crate) async fn count_readable(server: &Server, options: &DumpOptions) -> PgResult<u64> {
    let leader::Looked { session, selection } = leader::look(server, options).await?;
    source::refuse_nothing(server, options, &selection, &catalog::large_objects(&session).await?)?;
    Ok(selection.with_rows.len() as u64)
}

impl Dump {
    fn span(&self) -> tracing::Span {
        tracing::info_span!("dump", database = %self.options.database)
    }

    /// Says what the dump would do; takes and releases the locks, writes nothing.
    ///
    /// # Errors
    /// As [`Dump::run`], but for the store.
    pub async fn plan(&self) -> PgResult<DumpPlan> {
        Box::pin(self.look().instrument(self.span())).await
    }

    async fn look(&self) -> PgResult<DumpPlan> {
        let Self { server, options, run, .. } = self;
        let identity = run.or_cancelled(server.identity(&options.database)).await?;
        let source = run.or_cancelled(Source::<NoSchema>::open(server, options, run)).await?;
        Ok(source.plan(server, identity, options, run.clock.now()))
    }

    /// Dumps the database.
    ///
    /// # Errors
    /// [`PgError`]; on every one of them nothing is published, and what was written is removed as far as the store allows.
    pub async fn run(self) -> PgResult<DumpReport> {
        let span = self.span();
        Box::pin(self.carry_out().instrument(span)).await
    }

    async fn carry_out(self) -> PgResult<DumpReport> {
        let Self { server, store, options, run } = &self;
        let started_at = run.clock.now();
        let begun = std::time::Instant::now();
        run.step("dump.probe", &store.describe());
        let writer: Arc<dyn StoreWrite> = Arc::clone(store) as Arc<dyn StoreWrite>;
        let probe = run.or_cancelled(async { Ok::<_, PgError>(probe::require(&*writer).await?) });
        run.step("dump.connect", &server.describe());
        // A restore killed in its swap may have left the database closed. Whoever may only dump cannot mend that and must
        // not be kept from dumping by it.
        let (probed, recovered) = tokio::join!(probe, run.or_cancelled(recover::recover(server, &run.progress)));
        probed?;
        if let Err(error @ PgError::Sql { .. }) = recovered {
            run.progress.warn(format!("leftovers of a killed restore could not be recovered: {error}"));
        }
        let hooks = run_hooks(&self).await?;
        let identity = run.or_cancelled(server.identity(&options.database)).await?;
        let (mut attempt, mut incremental) = (1, options.incremental);
        let (key, written) = loop {
            match Box::pin(try_once(&self, &identity, started_at, incremental)).await {
                // Letting go of everything lets the other session have its lock, and we come after it.
                Err(error @ (PgError::LockRace { .. } | PgError::SchemaRace)) if attempt < ATTEMPTS_MAX => {
                    attempt += 1;
                    run.progress.warn(format!("{error}: the dump gives way and starts again"));
                }
                // Where the server's word does not hold once, it is not taken for anything else.
                Err(error @ PgError::SourceDiffers { .. }) if incremental == Incremental::WhereProven => {
                    incremental = Incremental::Never;
                    run.progress.warn(format!("{error}: all rows are read"));
                }
                other => break other?,
            }
        };
        run.step("dump.published", &key.to_string());
        let seconds = begun.elapsed().as_secs_f64();
        Ok(DumpReport::of(&key, &identity, written, seconds, hooks))
    }
}

/// Before any lock and the snapshot: the dump holds what they did, and none of them waits for us.
async fn run_hooks(dump: &Dump) -> PgResult<Vec<HookReport>> {
    let Dump { server, options, run, .. } = dump;
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
    dump: &Dump,
    identity: &Identity,
    started_at: Timestamp,
    incremental: Incremental,
) -> PgResult<(DumpKey, Written)> {
    let Dump { server, store, options, run } = dump;
    let opened = run.or_cancelled(Source::<Running>::open(server, options, run)).await;
    let source = opened.map_err(leader::explained)?;
    let (place, sources) = run.or_cancelled(Place::next(store, options, identity, run)).await?;
    // Not dropped when the run is cancelled: the workers stop by themselves and are waited for, so that nothing they
    // still upload can appear after the clearing away.
    let written = Box::pin(write(dump, identity, source, (&place, sources), (started_at, incremental))).await;
    let written = written.map_err(leader::explained);
    // After a lost answer the manifest may exist: its parts must stay.
    if let Err(error) = &written
        && !matches!(error, PgError::Store(store) if store.is_ambiguous())
    {
        clear_away(store, &place.key.folder()?).await;
    }
    Ok((place.key, written?))
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
