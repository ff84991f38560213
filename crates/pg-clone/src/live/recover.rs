//! Finds what a killed restore left, and finishes or undoes it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use backup_core::progress::SharedProgress;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::{advisory_lock, databases, standing, switch};
use crate::error::{PgError, PgResult};
use crate::live::dropping::drop_patiently;
use crate::live::local::duplicate;
use crate::live::state::{Action, COMMENT_PREFIX, Found, NAME_PREFIX, State, decide, number_in_name, target_number};
use crate::live::target_lock::TargetLock;

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
    Box::pin(run(server, progress, true).instrument(tracing::info_span!("recover"))).await
}

/// Says what [`recover`] would do.
///
/// # Errors
/// As [`recover`].
pub async fn plan(server: &Server, progress: &SharedProgress) -> PgResult<RecoverReport> {
    Box::pin(run(server, progress, false)).await
}

async fn run(server: &Server, progress: &SharedProgress, act: bool) -> PgResult<RecoverReport> {
    let admin = server.connect_admin().await?;
    let targets = pending(&admin).await?;
    drop(admin);
    let mut report = RecoverReport::default();
    for (number, target) in targets {
        let Some(lock) = wait_for_lock(server, &target, number).await? else {
            report.notes.push(format!("a restore of `{target}` is running and was left alone"));
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
            if act {
                progress.step("recover.act", &words(&action));
                match perform(server, admin, &target, &action).await? {
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

/// The targets, by number, of which there is something that no run has finished with.
///
/// The server goes on with a killed run's last statement, and the database that it creates shows only at its end; the run's
/// lock shows all the while, and goes with it.
async fn pending(admin: &Session) -> PgResult<BTreeMap<u32, String>> {
    let deadline = Instant::now() + LINGER;
    loop {
        // First the locks: a database whose creator's lock was gone is seen.
        let held = advisory_lock::held_by_others(admin).await?;
        let mut targets: BTreeMap<u32, String> = BTreeMap::new();
        for found in look(admin).await? {
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
            return Ok(targets);
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

async fn wait_for_lock(server: &Server, target: &str, number: u32) -> PgResult<Option<TargetLock>> {
    let deadline = Instant::now() + LINGER;
    loop {
        if let Some(lock) = TargetLock::try_acquire(server, target, number).await? {
            return Ok(Some(lock));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        tokio::time::sleep(LINGER_POLL).await;
    }
}

/// Our databases, and all databases they could be about.
pub(crate) async fn look(admin: &Session) -> PgResult<Vec<Found>> {
    let found = databases::all(admin).await?.into_iter().map(|database| {
        let ours = database.comment.filter(|comment| comment.starts_with(COMMENT_PREFIX));
        let state = ours.and_then(|comment| State::from_comment(&comment));
        let (oid, name, allow_connections) = (database.oid, database.name, database.allow_connections);
        Found { oid, name, allow_connections, is_invalid: database.is_invalid, state }
    });
    Ok(found.collect())
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
async fn perform(server: &Server, admin: &Session, target: &str, action: &Action) -> PgResult<Performed> {
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
            databases::comment(admin, database, Some(&state.to_comment())).await?;
        }
        Action::DropCopy { database, .. }
        | Action::DropSuperseded { database, .. }
        | Action::DropDiscarded { database, .. } => {
            return drop_now(server, target, database).await;
        }
        Action::DropUnmarked { database } => {
            if !duplicate::is_unmarked(admin, database).await? && !is_empty(server, database).await? {
                return Ok(Performed::Nothing);
            }
            return drop_now(server, target, database).await;
        }
        Action::Mention { .. } | Action::MentionInvalid { .. } => {}
    }
    Ok(Performed::Done)
}

async fn drop_now(server: &Server, target: &str, database: &str) -> PgResult<Performed> {
    // Asked to end, a run that only recovers ends at its next step.
    let dropped = drop_patiently(server, target, database, &CancellationToken::new()).await?;
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
