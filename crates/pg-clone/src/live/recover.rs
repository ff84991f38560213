//! Finds what a killed restore left, and finishes or undoes it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use backup_core::progress::SharedProgress;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::databases::Database;
use crate::adapters::sql::{advisory_lock, cluster, databases, standing, switch};
use crate::error::{PgError, PgResult};
use crate::live::dropping::drop_patiently;
use crate::live::local::duplicate;
use crate::live::silence;
use crate::live::state::{Action, COMMENT_PREFIX, Found, NAME_PREFIX, State, decide, number_in_name, target_number};
use crate::live::target_lock::TargetLock;
use crate::live::trust::{Doubt, Seen, believed};
use crate::run::Run;

/// How long a killed run's connection may linger on the server, holding its lock.
const LINGER: Duration = Duration::from_secs(5);

/// Between attempts to take such a lock.
const LINGER_POLL: Duration = Duration::from_millis(100);

/// What was found and done.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct RecoverReport {
    /// What was done, in order.
    pub actions: Vec<Action>,
    /// The same in words.
    pub notes: Vec<String>,
}

/// Looks for databases that a killed run left, and mends what it finds. Cheap when there is nothing: two queries.
///
/// # Errors
/// Connection errors, and statements the server refuses.
pub async fn recover(server: &Server, progress: &SharedProgress) -> PgResult<RecoverReport> {
    Box::pin(run(server, progress, Doing::Mend(None)).instrument(tracing::info_span!("recover"))).await
}

/// [`recover`], which also waits for runs whose machine may have vanished until the server has ended their sessions.
///
/// # Errors
/// As [`recover`]; [`PgError::Interrupted`].
pub async fn recover_patiently(server: &Server, work: &Run) -> PgResult<RecoverReport> {
    let mending = run(server, &work.progress, Doing::Mend(Some(work)));
    Box::pin(mending.instrument(tracing::info_span!("recover"))).await
}

/// Says what [`recover`] would do.
///
/// # Errors
/// As [`recover`].
pub async fn plan(server: &Server, progress: &SharedProgress) -> PgResult<RecoverReport> {
    Box::pin(run(server, progress, Doing::Look)).await
}

/// What is done about what is found.
#[derive(Clone, Copy, Debug)]
enum Doing<'a> {
    Look,
    /// With somebody who waits for what may have vanished.
    Mend(Option<&'a Run>),
}

async fn run(server: &Server, progress: &SharedProgress, doing: Doing<'_>) -> PgResult<RecoverReport> {
    let admin = server.connect_admin().await?;
    let (targets, doubts) = pending(&admin).await?;
    drop(admin);
    let mut report = RecoverReport { notes: doubts.iter().map(Doubt::told).collect(), ..RecoverReport::default() };
    for (number, target) in targets {
        let Some(lock) = wait_for_lock(server, &target, number, doing).await? else {
            report.notes.push(held(server, &target, number).await?);
            continue;
        };
        // Looked at again under the lock: what was seen before may have been a run that has just ended well.
        let admin = lock.session();
        for action in decide(&look(admin).await?, number) {
            // What makes the live database whole again is done under every guard, what drops something is not.
            if drops(&action)
                && let Err(error) = server.refuse_if_guarded(&target)
            {
                report.notes.push(left(&action, &error));
                continue;
            }
            if let Doing::Mend(work) = doing {
                let cancel = work.map(|run| run.cancel.clone()).unwrap_or_default();
                progress.step("recover.act", &words(&action));
                match perform(server, &lock, &target, &action, &cancel).await? {
                    Performed::Done => {}
                    Performed::Nothing => continue,
                    Performed::Later(waiting) => {
                        report.notes.push(waiting);
                        continue;
                    }
                }
            }
            report.notes.push(words(&action));
            report.actions.push(action);
        }
    }
    for note in &report.notes {
        progress.warn(note.clone());
    }
    Ok(report)
}

/// The targets, by number, of which there is something that no run has finished with, and the marks that nobody believes.
///
/// The server goes on with a killed run's last statement, and the database that it creates shows only at its end; the run's
/// lock shows all the while, and goes with it.
async fn pending(admin: &Session) -> PgResult<(BTreeMap<u32, String>, Vec<Doubt>)> {
    let deadline = Instant::now() + LINGER;
    loop {
        // First the locks: a database whose creator's lock was gone is seen.
        let held = advisory_lock::held_by_others(admin).await?;
        let mut targets: BTreeMap<u32, String> = BTreeMap::new();
        let (databases, doubts) = look_closely(admin).await?;
        for found in databases {
            match (&found.state, number_in_name(&found.name)) {
                (Some(state), _) if state.target() != found.name && (!state.is_settled() || found.is_invalid) => {
                    targets.insert(target_number(state.target()), state.target().to_owned());
                }
                (None, Some(number)) => {
                    targets.entry(number).or_default();
                }
                _ => {}
            }
        }
        if held.iter().all(|number| targets.contains_key(number)) || Instant::now() > deadline {
            return Ok((targets, doubts));
        }
        tokio::time::sleep(LINGER_POLL).await;
    }
}

/// Refuses what [`recover`] would be refused by the server where `report` says what it would do; changes nothing.
///
/// # Errors
/// [`PgError::Obstacle`], connection errors.
pub async fn check(server: &Server, report: &RecoverReport) -> PgResult<()> {
    Box::pin(refuse(server, report)).await
}

async fn refuse(server: &Server, report: &RecoverReport) -> PgResult<()> {
    let changes = |action: &&Action| !matches!(action, Action::Mention { .. } | Action::MentionInvalid { .. });
    let databases: Vec<&str> = report.actions.iter().filter(changes).map(database_of).collect();
    if databases.is_empty() {
        return Ok(());
    }
    let standing = standing::read(&server.connect_admin().await?, &databases).await?;
    databases.iter().try_for_each(|name| standing.refuse_change(&server.describe(), name))
}

/// What is said of a target whose lock somebody has. Earlier versions dropped databases on the session that has it, and a
/// server that waits before it drops one does not notice that its client is dead: that is no run.
async fn held(server: &Server, target: &str, number: u32) -> PgResult<String> {
    let admin = server.connect_admin_for(target).await?;
    Ok(advisory_lock::dropping(&admin, number).await?.map_or_else(
        || running(target),
        |pid| {
            format!(
                "a restore of `{target}` is done but for what it replaced, which the server (process {pid}) has not \
                 dropped yet; it goes on by itself"
            )
        },
    ))
}

/// That another run is at work. Of what it has only begun to create nothing says yet what it is to become.
fn running(target: &str) -> String {
    match target {
        "" => "another restore is running, and what it has made so far was left alone".to_owned(),
        target => format!("a restore of `{target}` is running and was left alone"),
    }
}

async fn wait_for_lock(server: &Server, target: &str, number: u32, doing: Doing<'_>) -> PgResult<Option<TargetLock>> {
    let begun = Instant::now();
    loop {
        if let Some(lock) = TargetLock::try_acquire(server, target, number).await? {
            return Ok(Some(lock));
        }
        if begun.elapsed() > LINGER {
            break;
        }
        tokio::time::sleep(LINGER_POLL).await;
    }
    let Doing::Mend(Some(work)) = doing else { return Ok(None) };
    let admin = server.connect_admin_for(target).await?;
    let mut is_told = false;
    while begun.elapsed() < silence::PATIENCE {
        match work.or_cancelled(silence::silent_holder(&admin, target, number)).await {
            Ok(Some(holder)) if !is_told => {
                work.warn(silence::told(target, &holder));
                is_told = true;
            }
            Ok(_) => {}
            Err(PgError::Locked { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        if let Some(lock) = TargetLock::try_acquire(server, target, number).await? {
            return Ok(Some(lock));
        }
        work.or_cancelled(async {
            tokio::time::sleep(silence::LOOK_EVERY).await;
            PgResult::Ok(())
        })
        .await?;
    }
    Ok(None)
}

/// Our databases, and all databases they could be about.
pub(crate) async fn look(admin: &Session) -> PgResult<Vec<Found>> {
    Ok(look_closely(admin).await?.0)
}

/// Says which databases have a mark about `target` that is not believed.
pub(crate) async fn tell_doubts(admin: &Session, target: &str, progress: &SharedProgress) -> PgResult<()> {
    let (_, doubts) = look_closely(admin).await?;
    doubts.iter().filter(|doubt| doubt.target == target).for_each(|doubt| progress.warn(doubt.told()));
    Ok(())
}

/// [`look`], with the marks that are not believed.
async fn look_closely(admin: &Session) -> PgResult<(Vec<Found>, Vec<Doubt>)> {
    let seen: Vec<Seen> = databases::all(admin).await?.into_iter().map(seen).collect();
    // Asked only where a mark names a server: most have none of ours.
    let is_named = seen.iter().any(|one| one.bound.is_some_and(|bound| bound.system.is_some()));
    let system = if is_named { cluster::system_identifier(admin).await? } else { None };
    Ok(believed(seen, system))
}

fn seen(database: Database) -> Seen {
    let ours = database.comment.filter(|comment| comment.starts_with(COMMENT_PREFIX));
    let (state, bound) = ours.and_then(|comment| State::claimed(&comment)).unzip();
    let (oid, name, allow_connections) = (database.oid, database.name, database.allow_connections);
    let found = Found { oid, name, allow_connections, is_invalid: database.is_invalid, state };
    Seen { found, bound: bound.flatten(), owner: database.owner, is_ours: database.is_ours }
}

/// What came of an action.
enum Performed {
    Done,
    /// On a closer look there was nothing to do.
    Nothing,
    /// The server will do it; in words.
    Later(String),
}

/// Does it.
async fn perform(
    server: &Server,
    lock: &TargetLock,
    target: &str,
    action: &Action,
    cancel: &CancellationToken,
) -> PgResult<Performed> {
    let admin = lock.session();
    match action {
        Action::AllowConnections { database } => {
            databases::allow_connections(admin, database).await?;
        }
        Action::RenameBack { database, target, comment } => {
            switch::give_name_back(admin, database, target).await?;
            databases::comment(admin, target, comment.as_deref()).await?;
        }
        Action::StayPrevious { database, target, comment, replaced } => {
            let state = State::Previous { target: target.clone(), comment: comment.clone(), since: *replaced };
            let Some(found) = databases::named(admin, database).await? else { return Ok(Performed::Nothing) };
            databases::comment(admin, database, Some(&state.to_comment(lock.mark_on(found.oid)))).await?;
        }
        Action::DropCopy { database, .. }
        | Action::DropSuperseded { database, .. }
        | Action::DropDiscarded { database, .. } => {
            return drop_now(server, target, database, cancel).await;
        }
        Action::DropUnmarked { database } => {
            if !duplicate::is_unmarked(admin, database).await? && !is_empty(server, database).await? {
                return Ok(Performed::Nothing);
            }
            return drop_now(server, target, database, cancel).await;
        }
        Action::Mention { .. } | Action::MentionInvalid { .. } => {}
    }
    Ok(Performed::Done)
}

async fn drop_now(server: &Server, target: &str, database: &str, cancel: &CancellationToken) -> PgResult<Performed> {
    let dropped = drop_patiently(server, target, database, cancel).await?;
    Ok(dropped.told(database).map_or(Performed::Done, Performed::Later))
}

/// Whether a database holds nothing of anybody's.
async fn is_empty(server: &Server, database: &str) -> PgResult<bool> {
    debug_assert!(database.starts_with(NAME_PREFIX));
    let Ok(session) = server.connect(database).await else { return Ok(false) };
    Ok(databases::count_relations(&session).await? == 0)
}

/// Whether a database goes.
fn drops(action: &Action) -> bool {
    match action {
        Action::DropCopy { .. }
        | Action::DropSuperseded { .. }
        | Action::DropDiscarded { .. }
        | Action::DropUnmarked { .. } => true,
        Action::AllowConnections { .. }
        | Action::RenameBack { .. }
        | Action::StayPrevious { .. }
        | Action::Mention { .. }
        | Action::MentionInvalid { .. } => false,
    }
}

/// What is said of a database that a guard keeps.
fn left(action: &Action, error: &PgError) -> String {
    format!("a killed restore left `{}`, which was kept: {error}", database_of(action))
}

fn database_of(action: &Action) -> &str {
    match action {
        Action::DropCopy { database, .. }
        | Action::DropSuperseded { database, .. }
        | Action::DropDiscarded { database, .. }
        | Action::DropUnmarked { database }
        | Action::AllowConnections { database }
        | Action::RenameBack { database, .. }
        | Action::StayPrevious { database, .. }
        | Action::Mention { database, .. }
        | Action::MentionInvalid { database, .. } => database,
    }
}

fn words(action: &Action) -> String {
    match action {
        Action::AllowConnections { database } => {
            format!(
                "a restore of `{database}` was killed before the swap: connections were allowed again, and it is unchanged"
            )
        }
        Action::RenameBack { database, target, .. } => {
            format!("`{target}` was missing, so its replaced database `{database}` was renamed back")
        }
        Action::DropCopy { database, target } => {
            format!("a restore of `{target}` was killed: its temporary database `{database}` was dropped")
        }
        Action::DropSuperseded { database, target } => {
            format!("a restore of `{target}` was killed after the swap: the replaced database `{database}` was dropped")
        }
        Action::DropDiscarded { database, target } => {
            format!("a restore of `{target}` was killed after the swap: its outdated copy `{database}` was dropped")
        }
        Action::StayPrevious { database, target, .. } => {
            format!("a restore of `{database}` as `{target}` was killed before the swap: it is unchanged")
        }
        Action::DropUnmarked { database } => {
            format!("a run was killed as it began: its unmarked database `{database}` was dropped")
        }
        Action::MentionInvalid { database, .. } => {
            format!(
                "`{database}` is invalid, since a DROP DATABASE of it was interrupted: it can only be dropped, which frees \
                 its space and its name"
            )
        }
        Action::Mention { database, target } => {
            format!("`{database}` was kept from a failed restore of `{target}`: drop it when you no longer need it")
        }
    }
}
