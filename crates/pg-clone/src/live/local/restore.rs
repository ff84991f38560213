//! Restores a local database over a target: `:previous` by swapping names, anything else by copying.

use jiff::Timestamp;
use serde::Serialize;
use tracing::Instrument;

use crate::adapters::sql::database_settings;
use crate::error::{PgError, PgResult};
use crate::hook::{HookFailure, HookReport, Point, RESTORE_POINTS};
use crate::live::local::copies::Copies;
use crate::live::local::duplicate;
use crate::live::local::name::CopyRole;
use crate::live::local::prepare::{LocalPlan, LocalRestore, Purpose, Way, the_copy};
use crate::live::recover;
use crate::live::silence;
use crate::live::state::{Found, State};
use crate::live::swap::{Swap, SwapReport, SwapRequest};
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
use crate::options::RestoreOptions;
use crate::restore::hooks::Site;
use crate::restore::may_replace;

/// What a local restore or copy did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LocalReport {
    /// What it was for.
    pub purpose: Purpose,
    /// The database it came from, by its name of before.
    pub source: String,
    /// The database that holds it now.
    pub database: String,
    /// Whether a live database was replaced.
    pub replaced: bool,
    /// Where what was replaced is now, if it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Milliseconds during which the database could not be reached.
    pub outage_ms: u64,
    /// Sessions of the database that were disconnected.
    pub disconnected: u64,
    /// Sessions of the source that were disconnected, for the server copies only what nobody uses.
    pub source_disconnected: u64,
    /// Settings the role may not set.
    pub warnings: Vec<String>,
    /// Seconds it took.
    pub seconds: f64,
    /// What ran on the copy and after the switch, in order.
    pub hooks: Vec<HookReport>,
    /// A hook that failed after the switch: the restore is complete all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_failure: Option<HookFailure>,
}

impl LocalRestore {
    /// Does what the plan says.
    ///
    /// # Errors
    /// [`PgError`]; on every one of them the live database, its copies and the source are as they were.
    pub async fn run(self) -> PgResult<LocalReport> {
        let span = tracing::info_span!("local", source = %self.plan.source.name, into = %self.plan.target);
        Box::pin(self.carry_out().instrument(span)).await
    }

    async fn carry_out(self) -> PgResult<LocalReport> {
        let Self { server, options, run, plan } = &self;
        let begun = std::time::Instant::now();
        server.refuse_if_guarded(&plan.target)?;
        server.refuse_to_disturb(&plan.source.name)?;
        recover::recover_patiently(server, run).await?;
        plan.refuse_problems()?;
        plan.refuse_unconfirmed(options)?;
        run.step("local.lock", &plan.target);
        let lock = silence::acquire(server, &plan.target, run, begun).await?;
        let mut hooks = Vec::new();
        let (report, source_disconnected, mut warnings) = match plan.way {
            Way::Exchange => {
                let (report, warnings) = toggle(&self, &lock).await?;
                (report, 0, warnings)
            }
            Way::Duplicate => {
                // A restore of the source would replace it while it is copied. The target's own copies are under its lock.
                let _source = match plan.source.lock_name() {
                    name if name == plan.target => None,
                    name => Some(silence::acquire(server, name, run, begun).await?),
                };
                copy(&self, &lock, &mut hooks).await?
            }
        };
        warnings.extend(skipped(plan, options));
        let mut hook_failure = None;
        if plan.runs(Point::PostSwap) {
            hook_failure = site(&self, &plan.target).after_the_swap(&mut hooks).await;
        }
        run.step("local.done", &plan.target);
        Ok(LocalReport {
            purpose: plan.purpose,
            source: plan.source.name.clone(),
            database: plan.target.clone(),
            replaced: report.replaced,
            previous: (report.replaced && plan.way == Way::Exchange).then(|| plan.source.name.clone()),
            outage_ms: report.outage_ms,
            disconnected: report.terminated,
            source_disconnected,
            warnings,
            seconds: begun.elapsed().as_secs_f64(),
            hooks,
            hook_failure,
        })
    }
}

/// Where hooks run: `copy` is the database that will have the target's name.
fn site<'a>(restore: &'a LocalRestore, copy: &'a str) -> Site<'a> {
    let LocalRestore { server, options, run, plan } = restore;
    Site { server, target: &plan.target, key: plan.source.dump.as_deref(), copy, options, run }
}

/// Says which hooks a restore of a dump would have run and this one does not.
fn skipped(plan: &LocalPlan, options: &RestoreOptions) -> Option<String> {
    let skipped: Vec<&str> = RESTORE_POINTS
        .iter()
        .filter(|point| plan.purpose == Purpose::Restore && !plan.runs(**point))
        .filter(|point| !options.hooks.at(**point).is_empty())
        .map(|point| point.name())
        .collect();
    let why = match plan.way {
        Way::Exchange => "`:previous` is restored unchanged",
        Way::Duplicate => "a copied database is never empty",
    };
    (!skipped.is_empty()).then(|| format!("{why}: hooks of {} were not run", skipped.join(" and ")))
}

/// Live and previous exchange their names.
async fn toggle(restore: &LocalRestore, lock: &TargetLock) -> PgResult<(SwapReport, Vec<String>)> {
    let LocalRestore { server, options, run, plan } = restore;
    let admin = lock.session();
    let databases = recover::look(admin).await?;
    // What the plan was made of may have been replaced before we had the lock.
    let previous = the_copy(&databases, &plan.target, CopyRole::Previous)?;
    unchanged(plan, &previous)?;
    run.step("local.settings", &plan.target);
    let live = database_settings::read_if_exists(admin, &plan.target).await?;
    let mut warnings = Vec::new();
    let wanted = match live {
        Some(live) => {
            let within = database_settings::within(server, &previous.name, &live).await?;
            let by = within.as_ref().unwrap_or(admin);
            warnings = database_settings::replace(by, &previous.name, &live, options.no_owner, options.no_acl).await?;
            live
        }
        None => database_settings::read(admin, &previous.name).await?,
    };
    run.stop_if_cancelled()?;
    let request = SwapRequest::toggle(lock, &previous, Some(wanted)).force(options.force).may_replace(may_replace(
        &plan.target,
        plan.replaces.as_ref(),
        options,
    ));
    Ok((Swap::prepare(server, request, run).await?.run().await?, warnings))
}

/// A copy of the source takes the target's name.
async fn copy(
    restore: &LocalRestore,
    lock: &TargetLock,
    hooks: &mut Vec<HookReport>,
) -> PgResult<(SwapReport, u64, Vec<String>)> {
    let LocalRestore { server, options, run, plan } = restore;
    let databases = recover::look(lock.session()).await?;
    let source = databases
        .iter()
        .find(|found| found.name == plan.source.name)
        .ok_or_else(|| PgError::NoDatabase { database: plan.source.name.clone(), server: plan.server.clone() })?;
    unchanged(plan, source)?;
    run.step("copy.create", &source.name);
    let origin = plan.source.dump.clone().unwrap_or_else(|| source.name.clone());
    let (temporary, ended) = duplicate::duplicate(server, lock, &source.name, &origin, run).await?;
    match Box::pin(switch(restore, lock, &temporary, source, hooks)).await {
        Ok((report, warnings)) => Ok((report, ended, warnings)),
        Err(error) => {
            temporary.give_up(server, options.keep_failed, run).await;
            Err(error)
        }
    }
}

async fn switch(
    restore: &LocalRestore,
    lock: &TargetLock,
    temporary: &Temporary,
    source: &Found,
    hooks: &mut Vec<HookReport>,
) -> PgResult<(SwapReport, Vec<String>)> {
    let LocalRestore { server, options, run, plan } = restore;
    let admin = lock.session();
    duplicate::open(lock, temporary).await?;
    run.step("local.settings", &plan.target);
    let wanted = match database_settings::read_if_exists(admin, &plan.target).await? {
        Some(live) => live,
        None => database_settings::read(admin, &source.name).await?,
    };
    if plan.runs(Point::PreSwap) {
        site(restore, temporary.name()).before_the_swap(Some(&wanted), hooks).await?;
    }
    let within = database_settings::within(server, temporary.name(), &wanted).await?;
    let by = within.as_ref().unwrap_or(admin);
    let warnings = database_settings::apply(by, temporary.name(), &wanted, options.no_owner, options.no_acl).await?;
    drop(within);
    run.stop_if_cancelled()?;
    let mut request = SwapRequest::new(lock, temporary, Some(wanted.clone()))
        .force(options.force)
        .may_replace(may_replace(&plan.target, plan.replaces.as_ref(), options));
    if plan.purpose == Purpose::Copy {
        request = request.marked(State::Copy {
            source: source.name.clone(),
            source_oid: source.oid,
            comment: wanted.comment.clone(),
            since: Timestamp::now(),
        });
    }
    Ok((Swap::prepare(server, request, run).await?.run().await?, warnings))
}

/// Refuses to act on another database than the one the plan was made of and somebody agreed to.
fn unchanged(plan: &LocalPlan, found: &Found) -> PgResult<()> {
    if found.oid == plan.source.found.oid {
        return Ok(());
    }
    Err(PgError::Replaced { database: plan.source.name.clone() })
}

/// Copies of before that a restore of a dump makes void, found again under the lock.
pub(crate) async fn void_copies(lock: &TargetLock, reversible: bool, replaces: bool) -> PgResult<Vec<Found>> {
    let copies = Copies::of(lock.session(), lock.target()).await?.replaceable(lock.target());
    let previous = copies.previous.filter(|_| replaces);
    let current = copies.current.filter(|_| replaces || reversible);
    Ok(previous.into_iter().chain(current).collect())
}
