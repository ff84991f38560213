//! The restore: verify everything, fill a temporary database, swap it in with one transaction.

mod archive_toc;
mod check;
mod data_only;
mod extensions;
mod finish;
pub(crate) mod hooks;
mod index_conflict;
mod load;
mod load_small;
pub mod messages;
mod owners;
mod prepare;
mod read_back;
mod rehearse;
mod reroute;
mod select;
pub mod selection;
mod tools;

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_core::progress::Event;
use backup_core::store::{SharedStore, StoreRead};
use serde::Serialize;

use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Need, Tool};
pub use crate::config::RestoreOptions;
use crate::error::{PgError, PgResult};
use crate::hook::{HookFailure, HookReport, Point};
use crate::live::local::{self, CopyChange, CopyRole, copy_name, duplicate};
use crate::live::recover;
use crate::live::swap::{self, SwapRequest};
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
pub use crate::restore::check::check;
pub use crate::restore::data_only::{DataPlan, DataTable};
use crate::restore::finish::Analyzed;
use crate::restore::load::Load;
pub use crate::restore::prepare::{Problem, Replaced, RestorePlan, prepare};
pub(crate) use crate::restore::prepare::{name_problem, refuse_unconfirmed};
pub use crate::restore::rehearse::rehearse;
use crate::restore::tools::{SchemaArchive, Section};
use crate::run::Run;
use crate::settings::{self, DatabaseSettings};
use crate::stored::detail::DumpDetail;
use crate::stored::legacy;
use crate::stored::verify;

type Manifest = backup_core::manifest::Manifest<DumpDetail>;

/// What a restore did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RestoreReport {
    /// The dump that was restored.
    pub key: String,
    /// The database that holds it now.
    pub database: String,
    /// Whether a live database was replaced.
    pub replaced: bool,
    /// Tables loaded.
    pub tables: u64,
    /// Rows loaded.
    pub rows: u64,
    /// Milliseconds during which the database could not be reached.
    pub outage_ms: u64,
    /// Sessions that were disconnected by the swap.
    pub disconnected: u64,
    /// Messages of `pg_restore` that are known to be harmless, and settings the role may not set.
    pub warnings: Vec<String>,
    /// Copies of the database that appeared, changed or vanished.
    pub copies: Vec<CopyChange>,
    /// Seconds it took.
    pub seconds: f64,
    /// What ran on the copy and after the switch, in order.
    pub hooks: Vec<HookReport>,
    /// A hook that failed after the switch: the restore is complete all the same.
    pub hook_failure: Option<HookFailure>,
    /// What was done, if only rows were put into a live database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_only: Option<DataPlan>,
}

/// Restores what `plan` says.
///
/// # Errors
/// [`PgError`]; on every one of them the live database is as it was, and the copy is dropped unless
/// [`RestoreOptions::keep_failed`] is set.
pub async fn restore(
    server: &Server,
    store: &SharedStore,
    plan: &RestorePlan,
    options: &RestoreOptions,
    run: &Run,
) -> PgResult<RestoreReport> {
    options.check()?;
    if plan.is_data_only() {
        return Box::pin(data_only::restore(server, store, plan, options, run)).await;
    }
    let begun = std::time::Instant::now();
    server.refuse_if_guarded(&plan.target)?;
    recover::recover(server, &run.progress).await?;
    plan.refuse_problems()?;
    plan.refuse_unconfirmed(options)?;
    let source = run.or_cancelled(Checked::open(store, plan, options, run, Reading::Everything)).await?;
    run.step("restore.lock", &plan.target);
    let lock = TargetLock::acquire(server, &plan.target).await?;
    run.step("restore.create", &plan.target);
    let temporary = Temporary::create(&lock, &plan.key, source.settings()).await?;
    let (mut hooks, mut pristine) = (Vec::new(), None);
    let (target, key) = (plan.target.as_str(), Some(plan.key.as_str()));
    let site = hooks::Site { server, target, key, copy: temporary.name(), options, run };
    let work = async {
        site.run(Point::PostCreate, &mut hooks).await?;
        let built = run.or_cancelled(Box::pin(build(server, store, plan, options, run, &source, &temporary)));
        let built = built.await.map_err(PgError::before_the_switch)?;
        if options.reversible {
            // Before any hook sees it.
            run.step("restore.current", temporary.name());
            pristine = Some(duplicate::duplicate(server, &lock, temporary.name(), &plan.key, run).await?.0);
        }
        site.before_the_swap(source.settings(), &mut hooks).await?;
        let swap = switch(server, plan, options, run, &lock, &temporary, pristine.as_ref(), &source).await?;
        Ok((built, swap))
    };
    let switched: PgResult<_> = Box::pin(work).await;
    match switched {
        Ok((mut built, (swap, warnings))) => {
            built.warnings.extend(warnings);
            let hook_failure = site.after_the_switch(&mut hooks).await;
            run.step("restore.done", &plan.target);
            Ok(RestoreReport {
                key: plan.key.clone(),
                database: plan.target.clone(),
                replaced: swap.replaced,
                tables: built.tables,
                rows: built.rows,
                outage_ms: swap.outage_ms,
                disconnected: swap.terminated,
                warnings: built.warnings,
                copies: plan.copies.clone(),
                seconds: begun.elapsed().as_secs_f64(),
                hooks,
                hook_failure,
                data_only: None,
            })
        }
        Err(error) => {
            if let Some(pristine) = pristine {
                pristine.give_up(server, false, &run.progress).await;
            }
            temporary.give_up(server, options.keep_failed, &run.progress).await;
            Err(error)
        }
    }
}

/// How much of a dump is looked at before it is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Every stored byte.
    Everything,
    /// Whether all is there and as long as it was, and the archive of the schema.
    Presence,
}

/// A dump whose stored bytes have been read, as far as was asked, and found to be what was written.
enum Checked {
    Ours { manifest: Box<Manifest>, archive: SchemaArchive },
    Legacy { tool: Tool },
}

impl Checked {
    async fn open(
        store: &SharedStore,
        plan: &RestorePlan,
        options: &RestoreOptions,
        run: &Run,
        reading: Reading,
    ) -> PgResult<Self> {
        run.step("restore.check", &plan.key);
        let need = Need::server(plan.server_major);
        let need = match plan.manifest() {
            Some(manifest) => need.reading(&manifest.detail.pg_dump_version),
            None => {
                let header = legacy::open(&**store, plan.legacy_object()?).await?.header;
                need.reading(header.pg_dump_version.as_deref().unwrap_or_default())
            }
        };
        let tool = Tool::find("pg_restore", need, options.pg_bin.as_deref()).await?;
        if tool.sends_unknown_setting() {
            run.progress.warn(format!(
                "`pg_restore` {} is newer than the server ({}) and sets a parameter that the server does not know: \
                 these errors are ignored, and indexes are built one at a time; the programs of version {} build them \
                 in parallel",
                tool.major, plan.server_major, plan.server_major
            ));
        }
        let Some(manifest) = plan.manifest() else {
            let object = plan.legacy_object()?;
            if reading == Reading::Everything {
                tools::check_stream(&tool, &**store, object).await?;
            }
            return Ok(Self::Legacy { tool });
        };
        if reading == Reading::Presence {
            verify::check_presence(&**store, manifest, plan.part.is_some()).await?;
        } else if plan.part.is_some() {
            select::check_needed(&**store, &plan.key, manifest, options.jobs, &run.progress).await?;
        } else {
            verify::check_stored(&**store, manifest, options.jobs, &run.progress).await?;
        }
        let bytes = select::schema_archive(&**store, &plan.key, manifest).await?;
        let unwanted = &manifest.detail.excluded_foreign_keys;
        let mut archive = SchemaArchive::open(tool, &bytes, &plan.key, unwanted).await?;
        if let Some(part) = &plan.part {
            archive = archive.without(&part.left_out, &plan.key)?;
        }
        Ok(Self::Ours { manifest: Box::new(manifest.clone()), archive })
    }

    fn settings(&self) -> Option<&DatabaseSettings> {
        match self {
            Self::Ours { manifest, .. } => Some(&manifest.detail.database),
            Self::Legacy { .. } => None,
        }
    }
}

/// What was built in the temporary database.
#[derive(Debug, Default)]
struct Built {
    tables: u64,
    rows: u64,
    warnings: Vec<String>,
}

async fn build(
    server: &Server,
    store: &SharedStore,
    plan: &RestorePlan,
    options: &RestoreOptions,
    run: &Run,
    source: &Checked,
    temporary: &Temporary,
) -> PgResult<Built> {
    match source {
        Checked::Ours { manifest, archive } => {
            build_ours(server, store, plan, options, run, manifest, archive, temporary.name()).await
        }
        Checked::Legacy { tool } => {
            run.step("restore.archive", &plan.key);
            let name = temporary.name();
            let object = plan.legacy_object()?;
            let warnings = tools::restore_stream(tool, &**store, object, server, name, options).await?;
            run.step("restore.analyze", name);
            finish::analyze(server, name, Analyzed::Tables, options.jobs, run).await?;
            run.step("restore.verify", name);
            let session = load::connect(server, name, false).await?;
            finish::verify(&session, &[], &BTreeMap::new()).await?;
            Ok(Built { warnings, ..Built::default() })
        }
    }
}

#[allow(clippy::too_many_arguments)] // each is something only the caller knows
async fn build_ours(
    server: &Server,
    store: &SharedStore,
    plan: &RestorePlan,
    options: &RestoreOptions,
    run: &Run,
    manifest: &Manifest,
    archive: &SchemaArchive,
    name: &str,
) -> PgResult<Built> {
    let detail = &manifest.detail;
    run.step("restore.pre_data", name);
    let mut warnings = archive.restore(Section::PreData, server, name, options).await?;

    let session = load::connect(server, name, false).await?;
    let detours = reroute::read(&session, &detail.tables).await?;
    warnings.extend(detours.torn.iter().map(|root| {
        format!(
            "the selected rows of `{root}` were all restored, but some into other partitions: these are chosen by a \
             hash that differs between databases"
        )
    }));
    run.step("restore.data", &format!("{} tables", detail.tables.len()));
    run.progress.event(Event::Total { bytes: manifest.content_bytes(), items: detail.tables.len() as u64 });
    let load = Arc::new(Load {
        server: server.clone(),
        database: name.to_owned(),
        store: Arc::clone(store) as Arc<dyn StoreRead>,
        dump: plan.key.clone(),
        parts: manifest.parts.clone(),
        tables: detail.tables.clone(),
        detours: detours.through,
        raw_encoding: detail.database.encoding == "SQL_ASCII",
        run: run.clone(),
    });
    let loaded = load::load(Arc::clone(&load), options.jobs).await?;

    run.step("restore.sequences", &format!("{} sequences", detail.sequences.len()));
    finish::set_sequences(&session, &detail.sequences).await?;
    if let Some(objects) = &detail.large_objects {
        run.step("restore.large_objects", &format!("{} objects", objects.count));
        finish::large_objects(&load, &session, objects, finish::Into::NewDatabase, options).await?;
    }
    run.step("restore.post_data", name);
    for section in [Section::IndexesApart, Section::PostData] {
        warnings.extend(archive.restore(section, server, name, options).await?);
    }
    run.step("restore.matviews", &format!("{} materialized views", detail.matviews.len()));
    // Statistics of the tables beside the refreshes: neither needs the other, and each leaves cores idle.
    tokio::try_join!(
        finish::refresh(&session, &detail.matviews),
        finish::analyze(server, name, Analyzed::Tables, options.jobs, run)
    )?;
    run.step("restore.analyze", name);
    finish::analyze(server, name, Analyzed::Matviews, options.jobs, run).await?;
    run.step("restore.event_triggers", name);
    warnings.extend(archive.restore(Section::EventTriggers, server, name, options).await?);
    warnings.extend(owners::try_again(&session, archive.take_postponed()).await);
    run.step("restore.verify", name);
    finish::verify(&session, &detail.tables, &loaded).await?;
    Ok(Built { tables: detail.tables.len() as u64, rows: loaded.values().sum(), warnings })
}

/// Carries the settings of the live database over, or those of the dump where there is none, and swaps.
#[allow(clippy::too_many_arguments)] // each is something only the caller knows
async fn switch(
    server: &Server,
    plan: &RestorePlan,
    options: &RestoreOptions,
    run: &Run,
    lock: &TargetLock,
    temporary: &Temporary,
    pristine: Option<&Temporary>,
    source: &Checked,
) -> PgResult<(swap::SwapReport, Vec<String>)> {
    run.step("restore.settings", &plan.target);
    let admin = server.connect_admin_for(&plan.target).await?;
    let live = settings::read_if_exists(&admin, &plan.target).await?;
    let wanted = live.as_ref().or_else(|| source.settings());
    let mut warnings = Vec::new();
    if let Some(wanted) = wanted {
        warnings = settings::apply(&admin, temporary.name(), wanted, options.no_owner, options.no_acl).await?;
        if let Some(pristine) = pristine {
            // What the role may not set was told already.
            settings::apply(&admin, pristine.name(), wanted, options.no_owner, options.no_acl).await?;
        }
    }
    run.stop_if_cancelled()?;
    let void = local::void_copies(lock, options.reversible, live.is_some()).await?;
    let mut request = SwapRequest::new(lock, temporary, wanted, options.force).discarding(void);
    if let Some(pristine) = pristine {
        let [previous, current] = [CopyRole::Previous, CopyRole::Current].map(|role| copy_name(&plan.target, role));
        request = request.reversible(previous, pristine, current, &plan.key);
    }
    let report = swap::swap(server, &request, run).await?;
    Ok((report, warnings))
}
