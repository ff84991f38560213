//! Data-only restores into the existing schema of a live database, in one transaction.

pub(super) mod changes;
mod compare;
mod decide;
pub(super) mod lock_room;
pub(super) mod tables;
mod undone;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::failure::Setting;
use backup_core::progress::Event;
use backup_core::remedy;
use backup_core::store::StoreRead;
use backup_core::units::counted;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::{event_triggers, live_tables, sequences, server, sessions, standing, target, transaction};
use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::live::recover;
use crate::live::silence;
use crate::options::RestoreOptions;
pub use crate::restore::data_only::decide::{DataPlan, DataTable};
use crate::restore::data_only::tables::LOCK_TIMEOUT_MS;
use crate::restore::large_objects::{self, Destination};
use crate::restore::load::load_within;
use crate::restore::load_unit::connect;
use crate::restore::loading::Load;
use crate::restore::plan::RestorePlan;
use crate::restore::prepared::Restore;
use crate::restore::report::RestoreReport;
use crate::restore::row_hashes::RowHashes;
use crate::restore::search_path::{SearchPath, may_need_search_path};
use crate::restore::{differences, select};
use crate::stored::detail::{DumpDetail, RowText};

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
    let target = tables::read_anyhow(&session, &detail.tables, &detail.sequences).await?;
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
    let mut pid = sessions::own_pid(&session).await?;
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
        pid = sessions::own_pid(&session).await?;
        let fill_again = fill(&session, &mut load, plan, &manifest.detail, options, SearchPath::InUse);
        filled = run.or_cancelled(Box::pin(fill_again)).await;
    }
    let (done, rows) = match filled.and_then(|filled| run.stop_if_cancelled().map(|()| filled).map_err(PgError::from)) {
        Ok(filled) => filled,
        Err(error) => {
            if run.stop_if_cancelled().is_err() {
                stop(server, pid).await;
            }
            // Without it the server undoes everything too, as soon as it sees that we are gone.
            let _ = tokio::time::timeout(ROLLBACK_TIMEOUT, transaction::roll_back(&session, "rolling back")).await;
            return Err(undone::undone(error, &plan.target, plan.data_only.as_ref()));
        }
    };
    run.step("data_only.commit", &plan.target);
    transaction::commit(&session, "committing the rows")
        .await
        .map_err(|error| undone::not_committed(&plan.target, error))?;
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

/// Stops what the server still does in our session: it would hold the live tables for as long as that takes.
async fn stop(server: &Server, pid: i32) {
    let stopping = async { sessions::cancel(&server.connect_admin().await?, pid).await };
    // Best effort: from 14 on the server notices by itself, within seconds, that we are gone.
    let _ = tokio::time::timeout(ROLLBACK_TIMEOUT, stopping).await;
}

/// Of a single-file dump nobody knows where whose rows are.
pub(crate) fn legacy() -> Problem {
    Problem {
        obstacle: Obstacle::NotInDump,
        what: "a single-file dump of django-pgclone can be restored only as a whole".to_owned(),
        help: remedy!["restore it into another database with ", Setting::Into.with("NAME"), ", and copy what you need"],
    }
}

/// Everything but the COMMIT: returns what was done, and the rows that the server took. The database's own search path is in use
/// only where the server plans and computes; what is compared is printed under none.
async fn fill(
    session: &Session,
    load: &mut Load,
    plan: &RestorePlan,
    detail: &DumpDetail,
    options: &RestoreOptions,
    search_path: SearchPath,
) -> PgResult<(DataPlan, u64)> {
    let run = &load.run.clone();
    run.step("data_only.tables", &counted(detail.tables.len() as u64, "table", "tables"));
    live_tables::begin(session, LOCK_TIMEOUT_MS).await?;
    live_tables::make(session, "locking the tables", &changes::lock(&detail.tables)).await?;
    // What the plan was made of may be another by now.
    let target = tables::read(session, &detail.tables, &detail.sequences, search_path).await?;
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
    let of_replicas = event_triggers::disable_of_replicas(session, quiet).await?;
    event_triggers::hush(session, quiet).await?;
    live_tables::make(session, "preparing the tables", &changes::loosen(&target)).await?;
    event_triggers::unhush(session, quiet).await?;
    if options.replace_rows {
        run.step("data_only.empty", &plan.target);
        tables::empty(session, "emptying the tables", &detail.tables, &target, search_path).await?;
    }
    if options.disable_triggers {
        live_tables::leave_unchecked(session).await?;
    }
    search_path.enter(session).await?;
    let rows = rows(session, load, detail).await?;
    search_path.leave(session).await?;
    if options.disable_triggers {
        live_tables::check_again(session).await?;
    }
    event_triggers::hush(session, quiet).await?;
    beside_rows(session, load, detail, options).await?;
    event_triggers::unhush(session, quiet).await?;
    run.step("data_only.keys", &format!("{} foreign keys", done.foreign_keys.len()));
    search_path.enter(session).await?;
    live_tables::check_constraints(session).await?;
    search_path.leave(session).await?;
    event_triggers::hush(session, quiet).await?;
    live_tables::make(session, "putting triggers and foreign keys back", &changes::tighten(&target)).await?;
    if target::behaviour(session, &held).await? != before {
        return Err(PgError::internal(
            format!("triggers or foreign keys of `{}` could not be put back as they were", plan.target),
            "everything was rolled back, nothing was changed",
        ));
    }
    run.step("data_only.compare", &counted(detail.tables.len() as u64, "table", "tables"));
    for table in compare::compare(session, load, &target, search_path).await? {
        run.progress.warn(format!(
            "`{table}` has the dump's rows, but prints some of their values differently than when they were dumped: \
             because of its column types, the currency or the time zone"
        ));
    }
    event_triggers::enable(session, &of_replicas).await?;
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
    run.step("data_only.rows", &counted(detail.tables.len() as u64, "table", "tables"));
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
