//! What the server says of its write-ahead log: checkpoints, summaries of it, and which pages these name (since version 17;
//! PostgreSQL manual, "WAL Summarization Information Functions").

use std::collections::HashMap;

use crate::adapters::connection::Session;
use crate::dump::changes::decide::{Changed, Checkpoint, Span};
use crate::error::{PgError, PgResult};
use crate::stored::base::{Lsn, Summary};

const DOING: &str = "reading what the server says of its write-ahead log";

fn failed(error: tokio_postgres::Error) -> PgError {
    PgError::sql(DOING, error)
}

fn lsn(text: &str) -> PgResult<Lsn> {
    text.parse().map_err(|error| PgError::internal(format!("{DOING}: {error}"), "nothing was published"))
}

/// A number that the server has as a signed one or as text.
fn number<T: TryFrom<i64>>(number: i64) -> PgResult<T> {
    let wrong = || PgError::internal(format!("{DOING}: the number {number} cannot be"), "nothing was published");
    T::try_from(number).map_err(|_| wrong())
}

/// The last checkpoint; nothing if we may not ask for it.
pub(crate) async fn last_checkpoint(session: &Session) -> PgResult<Option<Checkpoint>> {
    let allowed = "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')";
    if !session.query_one(allowed, &[]).await.map_err(failed)?.get::<_, bool>(0) {
        return Ok(None);
    }
    // The number of the next transaction comes with its epoch, as `1:748`.
    let asked = session.query_one(
        "SELECT c.redo_lsn::text, c.timeline_id, pg_catalog.split_part(c.next_xid, ':', 1)::int8 * 4294967296 \
           + pg_catalog.split_part(c.next_xid, ':', 2)::int8 FROM pg_catalog.pg_control_checkpoint() c",
        &[],
    );
    let row = match asked.await {
        Ok(row) => row,
        // Services that keep no control file of their own refuse although the privilege is there.
        Err(error) if error.as_db_error().is_some() => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    Ok(Some(Checkpoint {
        redo: lsn(row.get(0))?,
        timeline: number(row.get::<_, i32>(1).into())?,
        next_xid: number(row.get(2))?,
    }))
}

/// A moment of a server, as a session sees it that has taken a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Everything that the snapshot sees is in the log before this position.
    pub(crate) lsn: Lsn,
    /// The snapshot sees all transactions below this number as ended.
    pub(crate) xmin: u64,
    /// When the server was started, in microseconds since 1970.
    pub(crate) instance: u64,
    /// The oid of the database.
    pub(crate) database: u32,
}

/// The moment of the session's snapshot, or a later one of which all the same is true.
pub(crate) async fn moment(session: &Session) -> PgResult<Moment> {
    let row = session
        .query_one(
            "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
                 ELSE pg_catalog.pg_current_wal_insert_lsn() END::text, \
               pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::int8, \
               (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::int8, \
               (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())",
            &[],
        )
        .await
        .map_err(failed)?;
    Ok(Moment { lsn: lsn(row.get(0))?, xmin: number(row.get(1))?, instance: number(row.get(2))?, database: row.get(3) })
}

/// Whether all up to a position is on the server's disk; a standby has nothing else.
pub(crate) async fn is_durable(session: &Session, until: Lsn) -> PgResult<bool> {
    const IS_DURABLE: &str =
        "SELECT pg_catalog.pg_is_in_recovery() OR pg_catalog.pg_current_wal_flush_lsn() >= $1::text::pg_catalog.pg_lsn";
    let row = session.query_one(IS_DURABLE, &[&until.to_string()]).await.map_err(failed)?;
    Ok(row.get(0))
}

/// What the server's summarizer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summarizer {
    pub(crate) is_on: bool,
    pub(crate) timeline: u32,
    /// How far it has come.
    pub(crate) until: Lsn,
    /// Whether we may ask for a checkpoint.
    pub(crate) may_checkpoint: bool,
    /// When the server was started, as in [`Moment`].
    pub(crate) instance: u64,
}

/// What it does now.
pub(crate) async fn summarizer(session: &Session) -> PgResult<Summarizer> {
    let row = session
        .query_one(
            "SELECT current_setting('summarize_wal') = 'on', s.summarized_tli, s.summarized_lsn::text, \
               pg_catalog.pg_has_role(current_user, 'pg_checkpoint', 'USAGE'), \
               (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::int8 \
             FROM pg_catalog.pg_get_wal_summarizer_state() s",
            &[],
        )
        .await
        .map_err(failed)?;
    Ok(Summarizer {
        is_on: row.get(0),
        timeline: number(row.get(1))?,
        until: lsn(row.get(2))?,
        may_checkpoint: row.get(3),
        instance: number(row.get(4))?,
    })
}

/// In how many seconds the server would write a checkpoint by itself, if anything is written; nothing if we may not ask.
pub(crate) async fn checkpoint_due_s(session: &Session) -> PgResult<Option<i64>> {
    let asked = session.query_one(
        "SELECT extract(epoch FROM c.checkpoint_time + current_setting('checkpoint_timeout')::pg_catalog.interval \
           - pg_catalog.now())::int8 FROM pg_catalog.pg_control_checkpoint() c",
        &[],
    );
    match asked.await {
        Ok(row) => Ok(Some(row.get(0))),
        Err(error) if error.as_db_error().is_some() => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Has the server write a checkpoint: a summary ends where one begins.
pub(crate) async fn checkpoint(session: &Session) -> PgResult<()> {
    session.batch_execute("CHECKPOINT").await.map_err(|error| PgError::sql("asking for a checkpoint", error))
}

/// The summaries that are there.
pub(crate) async fn available(session: &Session) -> PgResult<Vec<Span>> {
    let rows = session
        .query("SELECT s.tli, s.start_lsn::text, s.end_lsn::text FROM pg_catalog.pg_available_wal_summaries() s", &[])
        .await
        .map_err(failed)?;
    let span = |row: &tokio_postgres::Row| {
        PgResult::Ok(Span { timeline: number(row.get(0))?, start: lsn(row.get(1))?, end: lsn(row.get(2))? })
    };
    rows.iter().map(span).collect()
}

/// Spans as the arrays that a statement takes.
fn arrays(spans: &[Span]) -> (Vec<i64>, Vec<String>, Vec<String>) {
    let timelines = spans.iter().map(|span| span.timeline.into()).collect();
    let starts = spans.iter().map(|span| span.start.to_string()).collect();
    (timelines, starts, spans.iter().map(|span| span.end.to_string()).collect())
}

/// All of the summaries, one after the other. One that is gone is an error.
const CONTENTS: &str = "unnest($1::int8[], $2::text[], $3::text[]) WITH ORDINALITY s(tli, start_lsn, end_lsn, at) \
    CROSS JOIN LATERAL pg_catalog.pg_wal_summary_contents(s.tli, s.start_lsn::pg_catalog.pg_lsn, \
      s.end_lsn::pg_catalog.pg_lsn) c";

/// What tells these summaries from others with the same bounds: how many entries they have, and the sum of these' hashes. It is
/// computed by the server, because a summary after a load names each page.
pub(crate) async fn fingerprints(session: &Session, spans: &[Span]) -> PgResult<Vec<Summary>> {
    let (timelines, starts, ends) = arrays(spans);
    let rows = session
        .query(
            &format!(
                "SELECT s.at, count(*), coalesce(sum(pg_catalog.hashtextextended(c::text, 0)::numeric), 0)::text \
                 FROM {CONTENTS} GROUP BY s.at"
            ),
            &[&timelines, &starts, &ends],
        )
        .await
        .map_err(failed)?;
    let mut found: HashMap<i64, (i64, String)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let summary = |(span, at): (&Span, i64)| {
        // One without entries has no row.
        let (entries, hash) = found.remove(&at).unwrap_or_else(|| (0, "0".to_owned()));
        PgResult::Ok(Summary { start: span.start, end: span.end, entries: number(entries)?, hash })
    };
    spans.iter().zip(1..).map(summary).collect()
}

/// A file of a table, and how finely its pages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) tablespace: u32,
    pub(crate) filenode: u32,
    /// Pages of which one stands for all.
    pub(crate) step: u64,
}

/// What these summaries say of files of a database: one statement, which the server filters and groups. Rows with no number of a
/// file are of the database as a whole.
pub(crate) async fn changed(session: &Session, spans: &[Span], database: u32, files: &[Watched]) -> PgResult<Changed> {
    let mut changed = Changed::default();
    if spans.is_empty() {
        return Ok(changed);
    }
    let (timelines, starts, ends) = arrays(spans);
    let tablespaces: Vec<u32> = files.iter().map(|file| file.tablespace).collect();
    let filenodes: Vec<u32> = files.iter().map(|file| file.filenode).collect();
    let steps: Vec<i64> = files.iter().map(|file| i64::try_from(file.step.max(1)).unwrap_or(i64::MAX)).collect();
    let rows = session
        .query(
            &format!(
                "SELECT c.reltablespace, c.relfilenode, c.is_limit_block, min(c.relblocknumber) FROM {CONTENTS} \
                 LEFT JOIN unnest($5::oid[], $6::oid[], $7::int8[]) f(tablespace, filenode, step) \
                   ON f.filenode = c.relfilenode AND f.tablespace = c.reltablespace \
                 WHERE c.reldatabase = $4 AND c.relforknumber = 0 AND (c.relfilenode = 0 OR f.filenode IS NOT NULL) \
                 GROUP BY c.reltablespace, c.relfilenode, c.is_limit_block, c.relblocknumber / coalesce(f.step, 1)"
            ),
            &[&timelines, &starts, &ends, &database, &tablespaces, &filenodes, &steps],
        )
        .await
        .map_err(failed)?;
    for row in &rows {
        let (tablespace, filenode, is_limit): (u32, u32, bool) = (row.get(0), row.get(1), row.get(2));
        if filenode == 0 {
            changed.all = true;
            continue;
        }
        let (page, file) = (number(row.get(3))?, changed.files.entry((tablespace, filenode)).or_default());
        if is_limit {
            file.limit = Some(file.limit.map_or(page, |limit| limit.min(page)));
        } else {
            file.pages.insert(page);
        }
    }
    Ok(changed)
}

/// Where a table's rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) tablespace: u32,
    pub(crate) filenode: u32,
    pub(crate) toast: u32,
    pub(crate) is_heap: bool,
    pub(crate) is_logged: bool,
}

/// Where the rows of these tables are, by their oids. They must be locked.
pub(crate) async fn located(session: &Session, tables: &[u32]) -> PgResult<HashMap<u32, Located>> {
    // 2 is the oid of `heap` in every version that has access methods.
    let rows = session
        .query(
            "SELECT c.oid, CASE c.reltablespace WHEN 0 THEN d.dattablespace ELSE c.reltablespace END, \
               coalesce(pg_catalog.pg_relation_filenode(c.oid), 0), coalesce(pg_catalog.pg_relation_filenode(t.oid), 0), \
               c.relam = 2 AND coalesce(t.relam = 2, true), \
               c.relpersistence = 'p' AND coalesce(t.relpersistence = 'p', true) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database() \
             LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid WHERE c.oid = ANY ($1)",
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("reading where the tables' rows are", error))?;
    let located = |row: &tokio_postgres::Row| {
        let located = Located {
            tablespace: row.get(1),
            filenode: row.get(2),
            toast: row.get(3),
            is_heap: row.get(4),
            is_logged: row.get(5),
        };
        (row.get(0), located)
    };
    Ok(rows.iter().map(located).collect())
}

/// What a role can have of a server's summaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) summarizes: bool,
    /// Functions that it may not call.
    pub(crate) forbidden: Vec<String>,
    pub(crate) may_checkpoint: bool,
    pub(crate) in_recovery: bool,
}

/// What ours can have.
pub(crate) async fn readiness(session: &Session) -> PgResult<Readiness> {
    let row = session
        .query_one(
            "SELECT current_setting('summarize_wal') = 'on', \
               ARRAY(SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p \
                 WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.proname IN ('pg_control_checkpoint', \
                   'pg_available_wal_summaries', 'pg_wal_summary_contents', 'pg_get_wal_summarizer_state') \
                   AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1), \
               pg_catalog.pg_has_role(current_user, 'pg_checkpoint', 'USAGE'), pg_catalog.pg_is_in_recovery()",
            &[],
        )
        .await
        .map_err(failed)?;
    Ok(Readiness { summarizes: row.get(0), forbidden: row.get(1), may_checkpoint: row.get(2), in_recovery: row.get(3) })
}
