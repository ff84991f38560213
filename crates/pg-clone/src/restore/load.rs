//! Loads table rows with several workers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use backup_core::units;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::restore::clash;
use crate::restore::load_again::{load_again, load_configured};
use crate::restore::load_small::{load_together, load_together_within};
use crate::restore::load_unit::{Refused, connect, load_unit};
use crate::restore::loading::{Load, TakenRows};
use crate::restore::units::{LoadBatch, LoadUnit, load_batches, load_units};
use crate::stored::detail::TableKind;

/// What loading came to.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The rows that the server took, by table.
    pub(crate) rows: BTreeMap<usize, u64>,
    /// Tables whose rows it refuses, which are left empty, and what it says.
    pub(crate) refused: BTreeMap<usize, String>,
}

/// Loads all tables with `jobs` workers. Those that extensions read their settings from come first: user tables may need
/// them, as a generated column of PostGIS needs its reference systems.
pub(crate) async fn load(load: Arc<Load>, jobs: usize) -> PgResult<Loaded> {
    let all = load.tables.iter().enumerate();
    let (configuration, tables): (Vec<_>, Vec<_>) =
        all.partition(|(_, table)| table.kind == TableKind::ExtensionConfig);
    let configuration = configuration.into_iter().flat_map(|(at, table)| load_units(at, &table.data));
    let mut rows = Vec::new();
    let configuration = load_configuration(&load, configuration.collect(), &mut rows);
    let mut refused = load.run.or_cancelled(configuration).await?;
    let units = load_batches(tables.into_iter().map(|(at, table)| (at, &table.data)));
    let workers_max = jobs.min(units.len());
    let units = Arc::new(Mutex::new(units));
    let mut workers = JoinSet::new();
    for _ in 0..workers_max {
        workers.spawn(work(Arc::clone(&load), Arc::clone(&units)).in_current_span());
    }
    let gathered = async {
        while let Some(result) = workers.join_next().await {
            let done =
                result.map_err(|error| PgError::died("a worker", &error, "the live database was not touched"))??;
            rows.extend(done.rows);
            refused.extend(done.refused);
        }
        Ok(())
    };
    let gathered: PgResult<()> = load.run.or_cancelled(gathered).await;
    workers.shutdown().await;
    gathered?;
    if !refused.is_empty() {
        tell_clash(&load, &refused, workers_max);
        refused = load.run.or_cancelled(Box::pin(load_again(&load, refused, &mut rows))).await?;
    }
    let mut loaded = Loaded::default();
    for TakenRows { table, rows } in rows {
        *loaded.rows.entry(table).or_default() += rows;
    }
    for Refused { unit, error } in refused {
        loaded.rows.remove(&unit.table);
        loaded.refused.entry(unit.table).or_insert_with(|| error.servers_words());
    }
    Ok(loaded)
}

/// Says if workers stood in each other's way: what follows is done by one alone.
fn tell_clash(load: &Load, refused: &[Refused], workers: usize) {
    let clashed = refused.iter().filter_map(|one| Some((one.unit.table, clash::of_error(&one.error)?)));
    let clashed: BTreeMap<usize, &str> = clashed.collect();
    let Some(said) = clashed.values().next().filter(|_| workers > 1) else { return };
    load.run.warn(format!(
        "the rows of {} were loaded again one at a time: with {workers} jobs they stood in each other's way ({said})",
        units::counted(clashed.len() as u64, "table", "tables")
    ));
}

/// What a worker did.
#[derive(Debug, Default)]
struct Done {
    rows: Vec<TakenRows>,
    refused: Vec<Refused>,
}

/// Loads configuration tables of extensions. `CREATE EXTENSION` has made their foreign keys already, so that a table must
/// come after those it refers to: one that is refused waits for the others. Returns what is refused in the end.
async fn load_configuration(
    load: &Load,
    mut waiting: Vec<LoadUnit>,
    rows: &mut Vec<TakenRows>,
) -> PgResult<Vec<Refused>> {
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let session = connect(&load.server, &load.database, load.text).await?;
    loop {
        let before = waiting.len();
        let mut refused = Vec::new();
        for unit in waiting {
            match load_configured(load, &session, &unit).await {
                Ok(taken) => rows.push(TakenRows { table: unit.table, rows: taken }),
                Err(error) if error.is_refusal() => refused.push(Refused { unit, error }),
                Err(error) => return Err(error),
            }
        }
        // Nobody could be loaded: waiting on would be for ever.
        if refused.is_empty() || refused.len() == before {
            return Ok(refused);
        }
        waiting = refused.into_iter().map(|refused| refused.unit).collect();
    }
}

/// Loads all tables one after the other within the session's transaction, and removes nothing; returns the rows the server
/// took, by table.
pub(crate) async fn load_within(load: &Load, session: &Session) -> PgResult<BTreeMap<usize, u64>> {
    let mut batches = load_batches(load.tables.iter().enumerate().map(|(at, table)| (at, &table.data)));
    let mut loaded = BTreeMap::new();
    while let Some(mut batch) = batches.pop() {
        let rows = match batch.units.as_mut_slice() {
            [unit] => {
                // Rows loaded frozen would be seen by those whose snapshot is older than they are.
                unit.whole_table = false;
                vec![TakenRows { table: unit.table, rows: load_unit(load, session, unit).await? }]
            }
            _ => load_together_within(load, session, &batch).await?,
        };
        for TakenRows { table, rows } in rows {
            *loaded.entry(table).or_default() += rows;
        }
    }
    Ok(loaded)
}

async fn work(load: Arc<Load>, batches: Arc<Mutex<Vec<LoadBatch>>>) -> PgResult<Done> {
    let mut session = connect(&load.server, &load.database, load.text).await?;
    let mut done = Done::default();
    loop {
        let batch = batches.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        let Some(batch) = batch else { return Ok(done) };
        if batch.units.len() > 1 {
            match load_together(&load, &session, &batch).await {
                Ok(rows) => {
                    done.rows.extend(rows);
                    continue;
                }
                Err(error) if error.is_refusal() => {}
                Err(error) => return Err(error),
            }
            // It failed amid a transaction, and for all of them.
            session = connect(&load.server, &load.database, load.text).await?;
        }
        for unit in batch.units {
            match load_unit(&load, &session, &unit).await {
                Ok(rows) => done.rows.push(TakenRows { table: unit.table, rows }),
                Err(error) if error.is_refusal() => {
                    session = connect(&load.server, &load.database, load.text).await?;
                    done.refused.push(Refused { unit, error });
                }
                Err(error) => return Err(error),
            }
        }
    }
}
