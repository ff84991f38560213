//! Planner statistics, collected by several sessions at once.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::session_settings;
use crate::adapters::sql::statistics::{self, Analyzed};
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;
use crate::restore::load_unit::connect;
use crate::run::Run;
use crate::stored::detail::RowText;

/// Times every worker comes for tables to analyze, at least.
const ANALYZE_TURNS_MIN: usize = 50;

/// Most tables analyzed by one statement: together they cost half the time of one statement each.
const ANALYZE_BATCH_MAX: usize = 50;

/// Collects planner statistics with `jobs` connections, so that the first queries after the swap are not guesses.
pub(crate) async fn analyze(server: &Server, database: &str, what: Analyzed, jobs: usize, run: &Run) -> PgResult<()> {
    let tables = statistics::analyzable(&connect(server, database, RowText::default()).await?, what).await?;
    let batches: Vec<Vec<QualifiedName>> =
        tables.chunks(analyze_batch(tables.len(), jobs)).map(<[_]>::to_vec).collect();
    let queue = Arc::new(std::sync::Mutex::new(batches));
    let mut workers = JoinSet::new();
    for _ in 0..jobs.min(tables.len()) {
        let (server, database, queue, run) = (server.clone(), database.to_owned(), Arc::clone(&queue), run.clone());
        workers.spawn(async move {
            let session = connect(&server, &database, RowText::default()).await?;
            loop {
                let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
                let Some(tables) = next else { return Ok::<(), PgError>(()) };
                match statistics::analyze(&session, &tables).await {
                    Err(error) if error.is_refusal() => one_by_one(&session, &tables, &run).await?,
                    other => other?,
                }
            }
        });
    }
    let joined = async {
        while let Some(result) = workers.join_next().await {
            result.map_err(|error| PgError::died("a worker", &error, "the live database was not touched"))??;
        }
        Ok(())
    };
    let joined = run.or_cancelled(joined).await;
    workers.shutdown().await;
    joined
}

/// An expression of an index or of extended statistics may need the search path that the database has in use. What cannot
/// be analyzed even so is whole but for that.
async fn one_by_one(session: &Session, tables: &[QualifiedName], run: &Run) -> PgResult<()> {
    session_settings::reset_search_path(session).await?;
    for table in tables {
        match statistics::analyze(session, std::slice::from_ref(table)).await {
            Err(error) if error.is_refusal() => {
                let words = error.servers_words();
                run.warn(format!("`{}` has no planner statistics: analyzing it failed: {words}", table.label()));
            }
            other => other?,
        }
    }
    session_settings::empty_search_path(session).await
}

/// Tables of one ANALYZE: one each until there are so many that the round trips count, and even then few enough that the
/// workers end together.
fn analyze_batch(tables: usize, jobs: usize) -> usize {
    (tables / (jobs.max(1) * ANALYZE_TURNS_MIN)).clamp(1, ANALYZE_BATCH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_tables_are_analyzed_together() {
        assert_eq!(analyze_batch(99, 2), 1);
        assert_eq!(analyze_batch(1_000, 2), 10);
        assert_eq!(analyze_batch(10_000, 2), ANALYZE_BATCH_MAX);
        assert_eq!(analyze_batch(0, 0), 1);
    }
}
