//! Data-only restores into the existing schema of a live database, in one transaction.

mod compare;
mod decide;
mod statements;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::progress::Event;
use backup_core::store::StoreRead;

use crate::adapters::connection::{Server, Session};
use crate::adapters::copy_out::SESSION_SETTINGS;
use crate::adapters::{standing, target};
use crate::config::RestoreOptions;
use crate::error::{PgError, PgResult};
use crate::live::recover;
use crate::live::target_lock::TargetLock;
pub use crate::restore::data_only::decide::{DataPlan, DataTable};
use crate::restore::load::{connect, load_within};
use crate::restore::loading::Load;
use crate::restore::plan::RestorePlan;
use crate::restore::prepared::Restore;
use crate::restore::problem::Problem;
use crate::restore::report::RestoreReport;
use crate::restore::{finish, select};
use crate::stored::detail::DumpDetail;

/// How long to wait for a table that somebody uses. Whoever comes after us waits behind us: no longer than a dump waits.
const LOCK_TIMEOUT_MS: u32 = 30_000;

/// How long to wait for the server to say that it undid everything. It does so in any case once the connection is closed.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements sent at once.
const STATEMENT_BATCH: usize = 500;

/// Looks at the live database: what would be done, and what stands against it.
pub(crate) async fn look(
    server: &Server,
    database: &str,
    detail: &DumpDetail,
    options: &RestoreOptions,
    unselected: &[String],
) -> PgResult<(DataPlan, Vec<Problem>)> {
    let session = connect(server, database, false).await?;
    refuse_unchecked(&session).await?;
    let target = target::read(&*session, detail).await?;
    let (plan, mut problems) = decide::decide(detail, &target, options, unselected);
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        detail.sequences.iter().map(|state| (state.schema.as_str(), state.name.as_str())).unzip();
    let tables: Vec<u32> = target.tables.iter().flatten().map(|table| table.oid).collect();
    let altered = statements::altered(&target);
    let sequences = (schemas.as_slice(), names.as_slice());
    let beyond = standing::out_of_reach(&session, &tables, &altered, sequences, options.replace_rows).await?;
    problems.extend(decide::no_right(&beyond));
    Ok((plan, problems))
}

/// What stands against it where there is no database to put rows into.
pub(crate) fn no_database(server: &str, target: &str) -> Problem {
    Problem {
        what: format!("a data-only restore needs an existing database, but there is no `{target}` on {server}"),
        help: "restore definitions and rows, without --data-only, or choose another database with --into".to_owned(),
    }
}

/// Puts the rows into the live database.
///
/// # Errors
/// On every one of them the live database is as it was, but for a connection that is lost at the very end, of which the
/// error says so.
pub(crate) async fn restore(restore: &Restore) -> PgResult<RestoreReport> {
    let Restore { server, store, options, run, plan } = restore;
    let begun = Instant::now();
    server.refuse_if_guarded(&plan.target)?;
    recover::recover(server, &run.progress).await?;
    plan.refuse_problems()?;
    plan.refuse_unconfirmed(options)?;
    let manifest = plan.manifest().ok_or_else(|| plan.refusal(&legacy()))?;
    run.step("data_only.check", &plan.key);
    let check = select::check_needed(&**store, &plan.key, manifest, options.jobs, &run.progress);
    run.or_cancelled(check).await?;
    run.step("data_only.lock", &plan.target);
    let _lock = TargetLock::acquire(server, &plan.target).await?;
    let raw_encoding = manifest.detail.database.encoding == "SQL_ASCII";
    let session = connect(server, &plan.target, raw_encoding).await?;
    let mut load = Load {
        server: server.clone(),
        database: plan.target.clone(),
        store: Arc::clone(store) as Arc<dyn StoreRead>,
        dump: plan.key.clone(),
        parts: manifest.parts.clone(),
        tables: manifest.detail.tables.clone(),
        // Known once the tables are locked.
        detours: BTreeMap::new(),
        raw_encoding,
        run: run.clone(),
    };
    let filled = run.or_cancelled(Box::pin(fill(&session, &mut load, plan, &manifest.detail, options))).await;
    let (done, rows) = match filled.and_then(|filled| run.stop_if_cancelled().map(|()| filled).map_err(PgError::from)) {
        Ok(filled) => filled,
        Err(error) => {
            // Without it the server undoes everything too, as soon as it sees that we are gone.
            let _ = tokio::time::timeout(ROLLBACK_TIMEOUT, session.batch_execute("ROLLBACK")).await;
            return Err(undone(error, &plan.target));
        }
    };
    run.step("data_only.commit", &plan.target);
    session.batch_execute("COMMIT").await.map_err(|error| not_committed(&plan.target, error))?;
    run.step("data_only.done", &plan.target);
    Ok(RestoreReport {
        key: plan.key.clone(),
        database: plan.target.clone(),
        tables: done.tables.len() as u64,
        rows,
        seconds: begun.elapsed().as_secs_f64(),
        data_only: Some(done),
        ..RestoreReport::default()
    })
}

/// Of a single-file dump nobody knows where whose rows are.
pub(crate) fn legacy() -> Problem {
    Problem {
        what: "a single-file dump of django-pgclone can be restored only as a whole".to_owned(),
        help: "restore it into another database with --into NAME, and copy what you need".to_owned(),
    }
}

/// Everything but the COMMIT: returns what was done, and the rows that the server took.
async fn fill(
    session: &Session,
    load: &mut Load,
    plan: &RestorePlan,
    detail: &DumpDetail,
    options: &RestoreOptions,
) -> PgResult<(DataPlan, u64)> {
    let run = &load.run.clone();
    run.step("data_only.tables", &format!("{} tables", detail.tables.len()));
    // As durable as everybody's: these rows are no copy that could be made again. In the database's own time zone: what has
    // none and goes into a column with one is meant so.
    let begin = format!(
        "{SESSION_SETTINGS}; RESET timezone; RESET synchronous_commit; BEGIN; SET LOCAL lock_timeout = \
         {LOCK_TIMEOUT_MS}"
    );
    session.batch_execute(&begin).await.map_err(|error| PgError::sql("beginning the transaction", error))?;
    execute(session, "locking the tables", statements::lock(&detail.tables)).await?;
    // What the plan was made of may be another by now.
    let target = target::read(&**session, detail).await?;
    let unselected = plan.part.as_ref().map(|part| part.emptied.as_slice()).unwrap_or_default();
    let (done, problems) = decide::decide(detail, &target, options, unselected);
    if let Some(problem) = problems.first() {
        return Err(plan.refusal(problem));
    }
    refuse_unchecked(session).await?;
    load.detours = target.detours();
    let held = target.family();
    let before = target::behaviour(&**session, &held).await?;
    execute(session, "preparing the tables", statements::loosen(&target)).await?;
    if options.replace_rows {
        run.step("data_only.empty", &plan.target);
        execute(session, "emptying the tables", statements::empty(&detail.tables, &target)).await?;
    }
    let rows = rows(session, load, detail, options).await?;
    run.step("data_only.keys", &format!("{} foreign keys", done.foreign_keys.len()));
    session
        .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")
        .await
        .map_err(|error| PgError::sql("checking the foreign keys", error))?;
    execute(session, "putting triggers and foreign keys back", statements::tighten(&target)).await?;
    if target::behaviour(&**session, &held).await? != before {
        return Err(PgError::Refused {
            what: format!("triggers or foreign keys of `{}` could not be put back as they were", plan.target),
            help: "this is unexpected: please report it; everything was rolled back, nothing was changed".to_owned(),
        });
    }
    run.step("data_only.compare", &format!("{} tables", detail.tables.len()));
    for table in compare::compare(session, load, &target).await? {
        run.progress.warn(format!(
            "`{table}` has the dump's rows, but prints some of their values differently than when they were dumped: \
             because of its column types, the currency or the time zone"
        ));
    }
    Ok((done, rows))
}

/// Somebody may have switched off all triggers of the database or of the role, and with them the foreign keys.
async fn refuse_unchecked(session: &Session) -> PgResult<()> {
    let row = session
        .query_one("SELECT current_setting('session_replication_role')", &[])
        .await
        .map_err(|error| PgError::sql("looking whether foreign keys are checked", error))?;
    if row.get::<_, &str>(0) != "replica" {
        return Ok(());
    }
    Err(PgError::Refused {
        what: "foreign keys are switched off for this session: `session_replication_role` is `replica`".to_owned(),
        help: "nothing was changed. Reset it (ALTER DATABASE or ALTER ROLE … RESET session_replication_role)"
            .to_owned(),
    })
}

/// Rows, values of sequences, large objects.
async fn rows(session: &Session, load: &Load, detail: &DumpDetail, options: &RestoreOptions) -> PgResult<u64> {
    let run = &load.run;
    run.step("data_only.rows", &format!("{} tables", detail.tables.len()));
    let bytes = detail.tables.iter().map(|table| table.data.content_bytes).sum();
    run.progress.event(Event::Total { bytes, items: detail.tables.len() as u64 });
    let loaded: BTreeMap<usize, u64> = load_within(load, session).await?;
    finish::verify_rows(&detail.tables, &loaded)?;
    run.step("data_only.sequences", &format!("{} sequences", detail.sequences.len()));
    execute(session, "setting the sequences", statements::renew(&detail.sequences)).await?;
    finish::set_sequences(session, &detail.sequences).await?;
    if let Some(objects) = &detail.large_objects {
        run.step("data_only.large_objects", &format!("{} objects", objects.count));
        let into = finish::Into::Live { replaced: options.replace_rows };
        finish::large_objects(load, session, objects, into, options).await?;
    }
    Ok(loaded.values().sum())
}

async fn execute(session: &Session, doing: &str, statements: impl IntoIterator<Item = String>) -> PgResult<()> {
    let statements: Vec<String> = statements.into_iter().collect();
    for batch in statements.chunks(STATEMENT_BATCH) {
        session.batch_execute(&batch.join("; ")).await.map_err(|error| PgError::sql(doing, error))?;
    }
    Ok(())
}

/// What the server refused, for somebody who wants to know what became of his database.
fn undone(error: PgError, database: &str) -> PgError {
    /// SQLSTATE of `foreign_key_violation`.
    const KEY_BROKEN: &str = "23503";
    /// SQLSTATE of `lock_not_available`, as of a `lock_timeout`.
    const LOCKED: &str = "55P03";
    if let PgError::Mismatch { what } = error {
        return PgError::RowsDiffer { database: database.to_owned(), what };
    }
    let PgError::Sql { doing, message, sqlstate, .. } = error else { return error };
    let help = match sqlstate.as_str() {
        KEY_BROKEN => "also select the table that it refers to (--table), or make sure that its rows exist".to_owned(),
        LOCKED => format!(
            "another session has used it for {} s (see pg_stat_activity): run it again when that has ended",
            LOCK_TIMEOUT_MS / 1_000
        ),
        _ => "the rows do not fit, or the role lacks a privilege".to_owned(),
    };
    PgError::Refused {
        what: format!("{doing} failed: {message}"),
        help: format!("{help}; everything was rolled back, nothing was changed"),
    }
}

/// A refused COMMIT changes nothing; whether a lost one did, nobody can tell from here.
fn not_committed(database: &str, error: tokio_postgres::Error) -> PgError {
    match PgError::sql("committing the rows", error) {
        PgError::Lost { source, .. } => PgError::Refused {
            what: format!("the connection was lost while the rows of `{database}` were committed: {source}"),
            help: "either all rows were restored or none: check one of the tables, and if none were, run it again"
                .to_owned(),
        },
        error => undone(error, database),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_and_that_nothing_was_changed() {
        let sql = |sqlstate: &str| PgError::Sql {
            doing: "checking the foreign keys".to_owned(),
            message: "it is broken".to_owned(),
            sqlstate: sqlstate.to_owned(),
            help: None,
        };
        for (sqlstate, expected) in [("23503", "--table"), ("55P03", "30 s"), ("22P02", "do not fit")] {
            let PgError::Refused { what, help } = undone(sql(sqlstate), "shop") else { panic!("{sqlstate}") };
            assert_eq!(what, "checking the foreign keys failed: it is broken");
            assert!(help.contains(expected) && help.ends_with("nothing was changed"), "{help}");
        }
        assert!(matches!(undone(PgError::Interrupted, "shop"), PgError::Interrupted));
    }

    #[test]
    fn rows_that_differ_are_told_with_what_became_of_them() {
        let error = undone(PgError::Mismatch { what: "`public.t` holds 60 rows, not 90".to_owned() }, "shop");
        assert_eq!(
            error.to_string(),
            "the rows in `shop` would differ from the dump: `public.t` holds 60 rows, not 90"
        );
        let help = miette::Diagnostic::help(&error).map(|help| help.to_string()).unwrap_or_default();
        assert!(help.contains("nothing was changed"), "{help}");
    }
}
