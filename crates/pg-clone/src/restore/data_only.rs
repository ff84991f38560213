//! Data-only restores into the existing schema of a live database, in one transaction.

pub(super) mod changes;
mod compare;
mod decide;
pub(super) mod lock_room;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::failure::Setting;
use backup_core::progress::Event;
use backup_core::remedy;
use backup_core::store::StoreRead;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::{
    event_triggers, live_tables, sequences, server, session_settings, standing, target, transaction,
};
use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::live::recover;
use crate::live::silence;
use crate::options::RestoreOptions;
pub use crate::restore::data_only::decide::{DataPlan, DataTable};
use crate::restore::large_objects::{self, Destination};
use crate::restore::load::load_within;
use crate::restore::load_unit::connect;
use crate::restore::loading::Load;
use crate::restore::plan::RestorePlan;
use crate::restore::prepared::Restore;
use crate::restore::report::RestoreReport;
use crate::restore::row_hashes::RowHashes;
use crate::restore::{differences, select};
use crate::stored::detail::{DumpDetail, RowText};

/// How long to wait for a table that somebody uses. Whoever comes after us waits behind us: no longer than a dump waits.
const LOCK_TIMEOUT_MS: u32 = 30_000;

/// How long to wait for the server to say that it undid everything. It does so in any case once the connection is closed.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// What a look at the live database found.
pub(crate) struct Looked {
    /// What would be done.
    pub(crate) plan: DataPlan,
    /// What stands against it.
    pub(crate) problems: Vec<Problem>,
}

/// Looks at the live database: what would be done, and what stands against it.
pub(crate) async fn look(
    server: &Server,
    database: &str,
    detail: &DumpDetail,
    options: &RestoreOptions,
    unselected: &[String],
) -> PgResult<Looked> {
    let session = connect(server, database, RowText::default()).await?;
    refuse_unchecked(&session).await?;
    let target = target::read(&session, &detail.tables, &detail.sequences).await?;
    let (plan, mut problems) = decide::decide(detail, &target, options, unselected);
    let tables: Vec<u32> = target.tables.iter().flatten().map(|table| table.oid).collect();
    let altered = changes::altered(&target);
    let beyond = standing::out_of_reach(&session, &tables, &altered, &detail.sequences, options.replace_rows).await?;
    problems.extend(decide::no_right(&beyond));
    if options.disable_triggers {
        let role = standing::read(&session, &[]).await?;
        problems.extend((!role.is_superuser).then(|| decide::no_superuser(&role.role)));
    }
    Ok(Looked { plan, problems })
}

/// What stands against it where there is no database to put rows into.
pub(crate) fn no_database(server: &str, target: &str) -> Problem {
    Problem {
        obstacle: Obstacle::NoTarget,
        what: format!("a data-only restore needs an existing database, but there is no `{target}` on {server}"),
        help: remedy![
            "restore definitions and rows, without ",
            Setting::DataOnly,
            ", or choose another database with ",
            Setting::Into
        ],
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
    recover::recover_patiently(server, run).await?;
    plan.refuse_problems()?;
    plan.refuse_unconfirmed(options)?;
    let manifest = plan.manifest().ok_or_else(|| plan.refusal(&legacy()))?;
    run.step("data_only.check", &plan.key);
    let check = select::check_needed(&**store, &plan.key, manifest, options.jobs, &run.progress);
    run.or_cancelled(check).await?;
    run.step("data_only.lock", &plan.target);
    let _lock = silence::acquire(server, &plan.target, run, begun).await?;
    let text = manifest.detail.row_text();
    let mut session = connect(server, &plan.target, text).await?;
    let mut load = Load {
        server: server.clone(),
        database: plan.target.clone(),
        store: Arc::clone(store) as Arc<dyn StoreRead>,
        dump: plan.key.clone(),
        parts: manifest.parts.clone(),
        tables: manifest.detail.tables.clone(),
        // Known once the tables are locked.
        detours: BTreeMap::new(),
        hashes: RowHashes::default(),
        text,
        run: run.clone(),
    };
    let fill_once = fill(&session, &mut load, plan, &manifest.detail, options, SearchPath::Empty);
    let mut filled = run.or_cancelled(Box::pin(fill_once)).await;
    if filled.as_ref().is_err_and(may_need_search_path) {
        // COPYs were under way on it, which nobody reads any more; the server undoes what it did, and whoever locks waits for that.
        drop(session);
        session = connect(server, &plan.target, text).await?;
        let fill_again = fill(&session, &mut load, plan, &manifest.detail, options, SearchPath::InUse);
        filled = run.or_cancelled(Box::pin(fill_again)).await;
    }
    let (done, rows) = match filled.and_then(|filled| run.stop_if_cancelled().map(|()| filled).map_err(PgError::from)) {
        Ok(filled) => filled,
        Err(error) => {
            // Without it the server undoes everything too, as soon as it sees that we are gone.
            let _ = tokio::time::timeout(ROLLBACK_TIMEOUT, transaction::roll_back(&session, "rolling back")).await;
            let not_valid = plan.data_only.as_ref().map(|plan| plan.not_valid_keys.as_slice()).unwrap_or_default();
            return Err(undone(error, &plan.target, not_valid));
        }
    };
    run.step("data_only.commit", &plan.target);
    transaction::commit(&session, "committing the rows").await.map_err(|error| not_committed(&plan.target, error))?;
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
        obstacle: Obstacle::NotInDump,
        what: "a single-file dump of django-pgclone can be restored only as a whole".to_owned(),
        help: remedy!["restore it into another database with ", Setting::Into.with("NAME"), ", and copy what you need"],
    }
}

/// Under which search path rows are loaded: what computes a generated column or checks a row may need one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SearchPath {
    /// None, as `pg_restore` has it.
    Empty,
    /// That which the database has in use, for functions that name others without a schema.
    InUse,
}

/// Whether the server found something not that it may find with a search path.
fn may_need_search_path(error: &PgError) -> bool {
    /// SQLSTATEs of undefined functions, tables, objects and schemas.
    const UNDEFINED: [&str; 4] = ["42883", "42P01", "42704", "3F000"];
    error.sqlstate().is_some_and(|code| UNDEFINED.contains(&code))
}

/// Everything but the COMMIT: returns what was done, and the rows that the server took.
async fn fill(
    session: &Session,
    load: &mut Load,
    plan: &RestorePlan,
    detail: &DumpDetail,
    options: &RestoreOptions,
    search_path: SearchPath,
) -> PgResult<(DataPlan, u64)> {
    let run = &load.run.clone();
    run.step("data_only.tables", &format!("{} tables", detail.tables.len()));
    live_tables::begin(session, LOCK_TIMEOUT_MS).await?;
    live_tables::make(session, "locking the tables", &changes::lock(&detail.tables)).await?;
    // What the plan was made of may be another by now.
    let target = target::read(session, &detail.tables, &detail.sequences).await?;
    let unselected = plan.part.as_ref().map(|part| part.emptied.as_slice()).unwrap_or_default();
    let (done, problems) = decide::decide(detail, &target, options, unselected);
    if let Some(problem) = problems.first() {
        return Err(plan.refusal(problem));
    }
    refuse_unchecked(session).await?;
    load.detours = target.detours();
    let held = target.family();
    let before = target::behaviour(session, &held).await?;
    // What is made and altered for a time is no business of theirs.
    let quiet = event_triggers::quiet(session, server::major(session).await?).await?;
    event_triggers::hush(session, quiet).await?;
    live_tables::make(session, "preparing the tables", &changes::loosen(&target)).await?;
    event_triggers::unhush(session, quiet).await?;
    if options.replace_rows {
        run.step("data_only.empty", &plan.target);
        live_tables::make(session, "emptying the tables", &changes::empty(&detail.tables, &target)).await?;
    }
    if options.disable_triggers {
        live_tables::leave_unchecked(session).await?;
    }
    if search_path == SearchPath::InUse {
        session_settings::reset_search_path(session).await?;
    }
    let rows = rows(session, load, detail).await?;
    if search_path == SearchPath::InUse {
        // What is compared is printed under none.
        session_settings::empty_search_path(session).await?;
    }
    if options.disable_triggers {
        live_tables::check_again(session).await?;
    }
    event_triggers::hush(session, quiet).await?;
    beside_rows(session, load, detail, options).await?;
    event_triggers::unhush(session, quiet).await?;
    run.step("data_only.keys", &format!("{} foreign keys", done.foreign_keys.len()));
    live_tables::check_constraints(session).await?;
    event_triggers::hush(session, quiet).await?;
    live_tables::make(session, "putting triggers and foreign keys back", &changes::tighten(&target)).await?;
    if target::behaviour(session, &held).await? != before {
        return Err(PgError::internal(
            format!("triggers or foreign keys of `{}` could not be put back as they were", plan.target),
            "everything was rolled back, nothing was changed",
        ));
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
    if server::replication_role(session).await? != "replica" {
        return Ok(());
    }
    Err(PgError::ForeignKeysOff)
}

/// Loads the rows; returns how many the server took.
async fn rows(session: &Session, load: &Load, detail: &DumpDetail) -> PgResult<u64> {
    let run = &load.run;
    run.step("data_only.rows", &format!("{} tables", detail.tables.len()));
    let bytes = detail.tables.iter().map(|table| table.data.content_bytes).sum();
    run.progress.event(Event::Total { bytes, items: detail.tables.len() as u64 });
    let loaded: BTreeMap<usize, u64> = load_within(load, session).await?;
    load.check_hashes()?;
    differences::check_rows(&detail.tables, &loaded)?;
    Ok(loaded.values().sum())
}

/// Values of sequences, and large objects.
async fn beside_rows(session: &Session, load: &Load, detail: &DumpDetail, options: &RestoreOptions) -> PgResult<()> {
    let run = &load.run;
    run.step("data_only.sequences", &format!("{} sequences", detail.sequences.len()));
    live_tables::make(session, "setting the sequences", &changes::renew(&detail.sequences)).await?;
    sequences::set(session, &detail.sequences).await?;
    if let Some(objects) = &detail.large_objects {
        run.step("data_only.large_objects", &format!("{} objects", objects.count));
        let live = Destination::Live { replaced: options.replace_rows };
        large_objects::restore(load, session, objects, live, options).await?;
    }
    Ok(())
}

/// What the server refused, for somebody who wants to know what became of his database.
fn undone(error: PgError, database: &str, not_valid_keys: &[String]) -> PgError {
    /// SQLSTATE of `foreign_key_violation`.
    const KEY_BROKEN: &str = "23503";
    /// SQLSTATE of `lock_not_available`, as of a `lock_timeout`.
    const LOCKED: &str = "55P03";
    if let PgError::Mismatch { what } = error {
        return PgError::RowsDiffer { database: database.to_owned(), what };
    }
    let PgError::Sql { doing, message, sqlstate, .. } = error else { return error };
    let names = |key: &&String| key.rsplit('.').next().is_some_and(|name| message.contains(&format!("\"{name}\"")));
    let not_valid = not_valid_keys.iter().find(names);
    let help = match (sqlstate.as_str(), not_valid) {
        (KEY_BROKEN, Some(key)) => remedy![
            format!(
                "`{key}` is NOT VALID in the live database: rows from before it may break it, and the dump has such rows. \
                 A superuser can load them as they are with "
            ),
            Setting::DisableTriggers
        ],
        (KEY_BROKEN, None) => {
            remedy!["also select the table that it refers to (", Setting::Table, "), or make sure that its rows exist"]
        }
        (LOCKED, _) => format!(
            "another session has used it for {} s (see pg_stat_activity): run it again when that has ended",
            LOCK_TIMEOUT_MS / 1_000
        )
        .into(),
        _ => "the rows do not fit, or the role lacks a privilege".into(),
    };
    PgError::RolledBack {
        doing,
        message,
        sqlstate,
        help: help.and("; everything was rolled back, nothing was changed"),
    }
}

/// A refused COMMIT changes nothing; whether a lost one did, nobody can tell from here.
fn not_committed(database: &str, error: PgError) -> PgError {
    match error {
        PgError::Lost { source, .. } => PgError::Uncertain { database: database.to_owned(), source },
        error => undone(error, database, &[]),
    }
}

#[cfg(test)]
mod tests {
    use backup_core::Failure;

    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_and_that_nothing_was_changed() {
        let sql = |sqlstate: &str| PgError::Sql {
            doing: "checking the foreign keys".to_owned(),
            message: "it is broken".to_owned(),
            sqlstate: sqlstate.to_owned(),
            help: None,
        };
        for (sqlstate, expected) in [("23503", "`table`"), ("55P03", "30 s"), ("22P02", "do not fit")] {
            let error = undone(sql(sqlstate), "shop", &[]);
            assert_eq!(error.to_string(), "checking the foreign keys failed: it is broken");
            let help = error.remedy().unwrap().to_string();
            assert!(help.contains(expected) && help.ends_with("nothing was changed"), "{help}");
        }
        assert!(matches!(undone(PgError::Interrupted, "shop", &[]), PgError::Interrupted));
    }

    #[test]
    fn rows_that_differ_are_told_with_what_became_of_them() {
        let error = undone(PgError::Mismatch { what: "`public.t` holds 60 rows, not 90".to_owned() }, "shop", &[]);
        assert_eq!(
            error.to_string(),
            "the rows in `shop` would differ from the dump: `public.t` holds 60 rows, not 90"
        );
        let help = error.remedy().unwrap_or_default().to_string();
        assert!(help.contains("nothing was changed"), "{help}");
    }
}
