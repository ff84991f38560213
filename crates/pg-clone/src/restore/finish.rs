//! The steps after the rows: sequences, large objects, materialized views, statistics, and the final check.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::adapters::connection::{Server, Session};
use crate::config::RestoreOptions;
use crate::error::{PgError, PgResult};
use crate::ident::{quote_ident, quote_literal};
use crate::restore::load::{connect, copy_in};
use crate::restore::loading::Load;
use crate::restore::read_back::check_large_objects;
use crate::run::Run;
use crate::stored::detail::{LargeObjects, MatviewState, SequenceState, TableDump};

/// Sequences set by one statement.
const SEQUENCE_BATCH: usize = 500;

/// Frames of large objects written in one transaction: each holds about 4 MiB.
const SLICE_FRAMES: usize = 8;

/// Times every worker comes for tables to analyze, at least.
const ANALYZE_TURNS_MIN: usize = 50;

/// Most tables analyzed by one statement: together they cost half the time of one statement each.
const ANALYZE_BATCH_MAX: usize = 50;

/// Differences listed in an error.
const DIFFERENCES_SHOWN: usize = 5;

/// Sets every sequence to what it was.
pub(crate) async fn set_sequences(session: &Session, sequences: &[SequenceState]) -> PgResult<()> {
    for batch in sequences.chunks(SEQUENCE_BATCH) {
        let calls: Vec<String> = batch
            .iter()
            .map(|sequence| {
                let name = format!("{}.{}", quote_ident(&sequence.schema), quote_ident(&sequence.name));
                format!("pg_catalog.setval({}, {}, {})", quote_literal(&name), sequence.last_value, sequence.is_called)
            })
            .collect();
        session
            .batch_execute(&format!("SELECT {}", calls.join(", ")))
            .await
            .map_err(|error| PgError::sql("setting the sequences", error))?;
    }
    Ok(())
}

/// Where large objects go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Into {
    /// A database that holds none yet, in transactions of their own.
    NewDatabase,
    /// A live database, within the session's transaction; the live ones of the same numbers go if they are `replaced`.
    Live {
        /// Whether they go.
        replaced: bool,
    },
}

/// Creates the large objects, fills them, and gives them their owners, privileges and comments.
pub(crate) async fn large_objects(
    load: &Load,
    session: &Session,
    objects: &LargeObjects,
    into: Into,
    options: &RestoreOptions,
) -> PgResult<()> {
    let doing = "restoring the large objects";
    let sql = |error| PgError::sql(doing, error);
    session
        .batch_execute(
            "CREATE TEMP TABLE lastgood_lo (oid oid, owner text, acl text, comment text); \
             CREATE TEMP TABLE lastgood_lo_slice (oid oid, at bigint, bytes bytea) ON COMMIT DELETE ROWS",
        )
        .await
        .map_err(sql)?;
    let metadata = "COPY pg_temp.lastgood_lo FROM STDIN";
    copy_in(load, session, metadata, &objects.metadata.frames, doing).await?;
    if let Into::Live { replaced } = into {
        make_room(session, replaced).await?;
    }
    let created = session
        .query_one("SELECT count(pg_catalog.lo_create(oid)) FROM pg_temp.lastgood_lo", &[])
        .await
        .map_err(sql)?
        .get::<_, i64>(0);
    if created.unsigned_abs() != objects.count {
        return Err(PgError::Mismatch { what: format!("{created} of {} large objects were created", objects.count) });
    }
    for frames in objects.slices.frames.chunk_by(|a, b| a.part == b.part && a.offset + a.length == b.offset) {
        for frames in frames.chunks(SLICE_FRAMES) {
            let (begin, end) = match into {
                Into::NewDatabase => ("BEGIN", "COMMIT"),
                Into::Live { .. } => ("", "TRUNCATE pg_temp.lastgood_lo_slice"),
            };
            session.batch_execute(begin).await.map_err(sql)?;
            copy_in(load, session, "COPY pg_temp.lastgood_lo_slice FROM STDIN", frames, doing).await?;
            let put = "SELECT count(pg_catalog.lo_put(oid, at, bytes)) FROM pg_temp.lastgood_lo_slice";
            session.batch_execute(&format!("{put}; {end}")).await.map_err(sql)?;
        }
    }
    if let Into::Live { .. } = into {
        check_large_objects(session, &objects.slices).await?;
    }
    session.batch_execute(&attributes(options)).await.map_err(sql)
}

/// Removes the live large objects whose numbers those of the dump have, or refuses.
async fn make_room(session: &Session, replaced: bool) -> PgResult<()> {
    let taken = "FROM pg_temp.lastgood_lo l \
        WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = l.oid)";
    let sql = |error| PgError::sql("looking for large objects of the same numbers", error);
    if replaced {
        let unlink = format!("SELECT count(pg_catalog.lo_unlink(l.oid)) {taken}");
        return session.batch_execute(&unlink).await.map_err(sql);
    }
    let row = session.query_one(&format!("SELECT count(*), min(l.oid) {taken}"), &[]).await.map_err(sql)?;
    match row.get::<_, i64>(0) {
        0 => Ok(()),
        count => Err(PgError::Refused {
            what: format!(
                "{count} of the dump's large objects have numbers that are already in use, the first is {}",
                row.get::<_, Option<u32>>(1).unwrap_or_default()
            ),
            help: "nothing was changed. Replace them, and the rows of the selected tables, with --replace-rows, or \
                   leave out large objects with --table or --schema"
                .to_owned(),
        }),
    }
}

/// Owners first: they are the grantors of what follows, and what they may do by themselves can be less than everything.
fn attributes(options: &RestoreOptions) -> String {
    let mut body = String::new();
    if !options.no_owner {
        // On a managed server others' objects stay ours, as their tables do.
        let which = if options.managed {
            "owner <> current_user AND EXISTS (SELECT FROM pg_catalog.pg_roles r \
             WHERE r.rolname = owner AND pg_has_role(r.oid, 'MEMBER'))"
        } else {
            "owner <> current_user"
        };
        body.push_str(&format!(
            "FOR o IN SELECT * FROM pg_temp.lastgood_lo WHERE {which} LOOP \
               EXECUTE format('ALTER LARGE OBJECT %s OWNER TO %I', o.oid, o.owner); END LOOP; "
        ));
    }
    if !options.no_acl {
        // `{}`: even the owner has nothing. As an array it has no dimension, which aclexplode refuses.
        body.push_str(
            "FOR o IN SELECT l.oid, pg_catalog.pg_get_userbyid(m.lomowner) AS owner FROM pg_temp.lastgood_lo l \
               JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = l.oid WHERE l.acl IS NOT NULL \
             LOOP EXECUTE format('REVOKE ALL ON LARGE OBJECT %s FROM PUBLIC, %I', o.oid, o.owner); END LOOP; \
             FOR o IN SELECT l.oid, a.grantee, a.privilege_type, a.is_grantable \
               FROM (SELECT * FROM pg_temp.lastgood_lo WHERE acl IS NOT NULL AND acl <> '{}') l, \
                 LATERAL pg_catalog.aclexplode(l.acl::aclitem[]) a \
             LOOP EXECUTE format('GRANT %s ON LARGE OBJECT %s TO %s%s', o.privilege_type, o.oid, \
               CASE WHEN o.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(o.grantee)) END, \
               CASE WHEN o.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END); END LOOP; ",
        );
    }
    body.push_str(
        "FOR o IN SELECT * FROM pg_temp.lastgood_lo WHERE comment IS NOT NULL LOOP \
           EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', o.oid, o.comment); END LOOP; ",
    );
    format!(
        "DO $lastgood$ DECLARE o record; BEGIN {body} END $lastgood$; \
         DROP TABLE pg_temp.lastgood_lo, pg_temp.lastgood_lo_slice"
    )
}

/// Fills the materialized views that held rows, each after those it reads.
pub(crate) async fn refresh(session: &Session, matviews: &[MatviewState]) -> PgResult<()> {
    for view in matviews.iter().filter(|view| view.populated) {
        let name = format!("{}.{}", quote_ident(&view.schema), quote_ident(&view.name));
        session
            .batch_execute(&format!("REFRESH MATERIALIZED VIEW {name}"))
            .await
            .map_err(|error| PgError::sql(format!("refreshing `{}.{}`", view.schema, view.name), error))?;
    }
    Ok(())
}

/// Which relations to collect statistics of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Analyzed {
    /// Tables, partitioned ones too.
    Tables,
    /// Materialized views.
    Matviews,
}

/// Collects planner statistics with `jobs` connections, so that the first queries after the swap are not guesses.
pub(crate) async fn analyze(server: &Server, database: &str, what: Analyzed, jobs: usize, run: &Run) -> PgResult<()> {
    let kinds: &[&str] = match what {
        Analyzed::Tables => &["r", "p"],
        Analyzed::Matviews => &["m"],
    };
    let session = connect(server, database, false).await?;
    let rows = session
        .query(
            // Sampling a table with a foreign one below it would connect to that one's server.
            "WITH RECURSIVE reaches_out(oid) AS ( \
               SELECT i.inhparent FROM pg_catalog.pg_inherits i \
                 JOIN pg_catalog.pg_class f ON f.oid = i.inhrelid AND f.relkind = 'f' \
               UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN reaches_out r ON r.oid = i.inhrelid) \
             SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind::text = ANY ($1) AND (c.relkind <> 'm' OR c.relispopulated) AND n.nspname !~ '^pg_' \
               AND n.nspname <> 'information_schema' AND c.oid NOT IN (SELECT oid FROM reaches_out) \
             ORDER BY c.relpages",
            &[&kinds],
        )
        .await
        .map_err(|error| PgError::sql("listing the tables to analyze", error))?;
    drop(session);
    let tables: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let batches: Vec<Vec<(String, String)>> =
        tables.chunks(analyze_batch(tables.len(), jobs)).map(<[_]>::to_vec).collect();
    let queue = Arc::new(std::sync::Mutex::new(batches));
    let mut workers = JoinSet::new();
    for _ in 0..jobs.min(rows.len()) {
        let (server, database, queue) = (server.clone(), database.to_owned(), Arc::clone(&queue));
        workers.spawn(async move {
            let session = connect(&server, &database, false).await?;
            loop {
                let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
                let Some(tables) = next else { return Ok::<(), PgError>(()) };
                let names: Vec<String> = tables
                    .iter()
                    .map(|(schema, name)| format!("{}.{}", quote_ident(schema), quote_ident(name)))
                    .collect();
                let names = names.join(", ");
                session
                    .batch_execute(&format!("ANALYZE {names}"))
                    .await
                    .map_err(|error| PgError::sql(analyzing(&tables), error))?;
            }
        });
    }
    let joined = async {
        while let Some(result) = workers.join_next().await {
            result.map_err(|error| PgError::Refused {
                what: format!("a worker died: {error}"),
                help: "this is unexpected: please report it; the live database was not touched".to_owned(),
            })??;
        }
        Ok(())
    };
    let joined = run.or_cancelled(joined).await;
    workers.shutdown().await;
    joined
}

fn analyzing(tables: &[(String, String)]) -> String {
    let first = tables.first().map_or_else(String::new, |(schema, name)| format!("`{schema}.{name}`"));
    match tables.len() {
        0 | 1 => format!("analyzing {first}"),
        count => format!("analyzing {first} and {} tables after it", count - 1),
    }
}

/// Tables of one ANALYZE: one each until there are so many that the round trips count, and even then few enough that the
/// workers end together.
fn analyze_batch(tables: usize, jobs: usize) -> usize {
    (tables / (jobs.max(1) * ANALYZE_TURNS_MIN)).clamp(1, ANALYZE_BATCH_MAX)
}

/// Compares what the server took with what was dumped.
pub(crate) fn verify_rows(tables: &[TableDump], loaded: &BTreeMap<usize, u64>) -> PgResult<()> {
    refuse_differences(differences(tables, loaded))
}

fn differences(tables: &[TableDump], loaded: &BTreeMap<usize, u64>) -> Vec<String> {
    let difference = |(at, table): (usize, &TableDump)| {
        let rows = loaded.get(&at).copied().unwrap_or_default();
        (rows != table.data.rows)
            .then(|| format!("`{}.{}` has {rows} of {} rows", table.schema, table.name, table.data.rows))
    };
    tables.iter().enumerate().filter_map(difference).collect()
}

/// Compares what the server took with what was dumped, and looks for indexes that did not become valid.
pub(crate) async fn verify(session: &Session, tables: &[TableDump], loaded: &BTreeMap<usize, u64>) -> PgResult<()> {
    let mut differences = differences(tables, loaded);
    let invalid = session
        .query(
            "SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i \
             JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i' WHERE NOT i.indisvalid",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("checking the indexes", error))?;
    differences.extend(invalid.iter().map(|row| format!("the index `{}` is not valid", row.get::<_, String>(0))));
    refuse_differences(differences)
}

pub(crate) fn refuse_differences(mut differences: Vec<String>) -> PgResult<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(DIFFERENCES_SHOWN);
    differences.truncate(DIFFERENCES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(PgError::Mismatch { what: format!("{}{more}", differences.join(", ")) })
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
