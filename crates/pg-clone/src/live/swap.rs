//! The swap: the complete copy takes the live database's name in one transaction.
//!
//! Clients are turned away first and their sessions ended, because a rename waits for every session of the database and
//! polls only ten times a second (postgres.md 2.3: 16 ms instead of 120). What is going on stands in the copy's
//! comment before the door is closed, so that [`crate::live::recover`] can open it again after a kill.

pub(crate) mod moves;
mod others;
mod request;
mod settle;
mod swapping;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use backup_core::failure::{Operation, Setting};
use backup_core::remedy;
use futures::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use tracing::Instrument;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::databases;
use crate::adapters::sql::sessions;
use crate::adapters::sql::switch::{self, Bound, NAMES_CHANGED, TOOK_TOO_LONG};
use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::live::dropping::drop_patiently;
use crate::live::state::{Live, State, Written, own_comment};
use crate::live::swap::moves::{Move, Switch};
use crate::live::swap::request::Returning;
pub use crate::live::swap::request::SwapRequest;
use crate::live::swap::swapping::Switched;
pub use crate::live::swap::swapping::{Renamed, Swap, SwapPlan};
use crate::restore::carry::rows::{CarriedRows, Carrying};
use crate::run::Run;
use crate::standing;

/// How long sessions may take to end before we give up and let everybody in again: a backend notices at its next
/// interrupt check, which is milliseconds away unless it is stuck in the kernel.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Between looks at who is still there.
const TERMINATE_POLL: Duration = Duration::from_millis(2);

/// How long each statement of the exchange may take, attempt by attempt, in milliseconds; 0 leaves it to the server. A
/// client that is just being turned away still counts as connected while its process ends. The server would look again
/// only after 100 ms; we give up and try again at once, and more patiently should it be the machine that is slow.
const RENAME_TIMEOUTS_MS: [u32; 9] = [10, 10, 10, 20, 20, 40, 80, 160, 0];

/// What a swap did.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SwapReport {
    /// Whether a live database was replaced.
    pub replaced: bool,
    /// Milliseconds from the door closing to the new database answering to the name.
    pub outage_ms: u64,
    /// Sessions that were ended.
    pub terminated: u64,
    /// How often the exchange of the names was tried.
    pub attempts: u64,
    /// Tables whose rows of the live database were carried over; not told if the connection was lost at the very end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carried_over: Vec<CarriedRows>,
}

/// A database that somebody made while the copy was built, which takes hours.
fn appeared(target: &str) -> PgError {
    PgError::Confirm {
        what: format!("`{target}` was created by somebody else in the meantime, and would be replaced"),
        help: remedy!["nothing was changed. To replace it, confirm with ", Setting::Confirm.with(target.to_owned())],
    }
}

fn died() -> PgError {
    let remedy = remedy!["run ", Operation::Recover, " to finish or undo it"];
    PgError::internal("the swap ended unexpectedly", remedy)
}

impl Swap {
    /// Looks at the live database, and plans the swap; changes nothing.
    ///
    /// # Errors
    /// [`PgError::Forbidden`], [`PgError::Obstacle`] and [`PgError::InUse`] for what keeps it from being swapped; connection
    /// errors.
    pub async fn prepare(server: &Server, request: SwapRequest, run: &Run) -> PgResult<Self> {
        server.refuse_if_guarded(&request.target)?;
        let live = live(&request).await?;
        if let Some(live) = &live {
            if !request.may_replace {
                return Err(appeared(&request.target));
            }
            check_bound(&request, live).await?;
            others::refuse(&request.admin, &request.target).await?;
        }
        let moves = moves(&request, live.as_ref());
        let plan = SwapPlan::of(&request.target, live.is_some(), &moves);
        Ok(Self { server: server.clone(), request, live, moves, plan, run: run.clone() })
    }

    /// Swaps. It runs to its end on a task of its own: whoever stops waiting for it leaves no door closed.
    ///
    /// # Errors
    /// [`PgError`]; on every one of them the live database is as it was, so are the copies, and it accepts connections.
    /// Should the server be lost for good in between, a warning says so, and [`crate::live::recover`] opens the door when it
    /// is back.
    pub async fn run(self) -> PgResult<SwapReport> {
        let work = self.work().in_current_span();
        tokio::spawn(work).await.unwrap_or_else(|_| Err(died()))
    }

    async fn work(self) -> PgResult<SwapReport> {
        let SwapRequest { admin, target, incoming, .. } = &self.request;
        let backend = sessions::own_backend(admin).await?;
        self.run.step("swap.mark", target);
        let on = Written::on(incoming.oid, self.request.system);
        databases::comment(admin, &incoming.name, Some(&self.intention().to_comment(on))).await?;

        let closed = Instant::now();
        // A receiver of events that panics must not leave the door closed either.
        let switched = AssertUnwindSafe(self.switch()).catch_unwind().await;
        let (switched, outage) = match switched.unwrap_or_else(|_| Err(died())) {
            Ok(switched) => (switched, closed.elapsed()),
            Err(error) => (self.settle(&backend, error).await?, closed.elapsed()),
        };
        self.run.step("swap.committed", target);
        self.finish().await;
        Ok(SwapReport {
            replaced: self.live.is_some(),
            outage_ms: u64::try_from(outage.as_millis()).unwrap_or(u64::MAX),
            terminated: switched.terminated,
            attempts: switched.attempts,
            carried_over: switched.carried_over,
        })
    }

    /// What is written on the incoming database before any door is closed.
    fn intention(&self) -> State {
        let (target, live, since) = (self.request.target.clone(), self.live.clone(), Timestamp::now());
        match &self.request.returning {
            None => {
                let also = self.request.void.iter();
                let also = also.map(|found| Live { oid: found.oid, allow_connections: found.allow_connections });
                State::Swapping { target, live, also: also.collect(), since }
            }
            Some(Returning { comment, replaced, allow_connections }) => State::Returning {
                target,
                live,
                allow_connections: *allow_connections,
                comment: comment.clone(),
                replaced: *replaced,
                since,
            },
        }
    }

    /// Closes the doors, empties the rooms, exchanges the names.
    async fn switch(&self) -> PgResult<Switched> {
        let SwapRequest { admin, target, incoming, void, .. } = &self.request;
        let carrying = match self.request.carry.as_ref().filter(|_| self.live.is_some()) {
            Some(carry) => Some(Box::pin(carry.open(&self.server, target, &incoming.name)).await?),
            None => None,
        };
        self.run.step("swap.forbid", target);
        let names: Vec<String> = self
            .live
            .as_ref()
            .map(|_| target)
            .into_iter()
            .chain([&incoming.name])
            .chain(void.iter().map(|found| &found.name))
            .cloned()
            .collect();
        databases::forbid_connections(admin, &names).await?;
        self.run.step("swap.terminate", target);
        let spared = carrying.as_ref().map(Carrying::pids).unwrap_or_default();
        let terminated = terminate(admin, target, &names, spared).await?;
        let mut carried_over = Vec::new();
        if let Some(carrying) = carrying {
            carried_over = carrying.carry(&self.run).await?;
            // Its own sessions are on their way out; a rename would wait for them.
            terminate(admin, target, &names, &[]).await?;
        }
        self.run.step("swap.rename", target);
        let attempts = self.exchange().await?;
        Ok(Switched { terminated, attempts, carried_over })
    }

    /// Exchanges the names; returns how many attempts it took.
    async fn exchange(&self) -> PgResult<u64> {
        let mut attempts = 0;
        let mut timeouts = RENAME_TIMEOUTS_MS.into_iter().peekable();
        while let Some(timeout_ms) = timeouts.next() {
            attempts += 1;
            let Err(error) = switch::exchange(&self.request.admin, &self.moves, timeout_ms).await else { break };
            match error.sqlstate() {
                Some(TOOK_TOO_LONG) if timeouts.peek().is_some() => {}
                Some(NAMES_CHANGED) => {
                    return Err(PgError::Replaced { database: self.request.target.clone() });
                }
                _ => return Err(error),
            }
        }
        Ok(attempts)
    }

    /// Tries the new database and drops what it replaced. The switch has happened: what fails here is told, and no failure.
    async fn finish(&self) {
        let target = &self.request.target;
        self.run.step("swap.verify", target);
        if self.live.as_ref().is_none_or(|live| live.allow_connections)
            && let Err(error) = self.server.connect(target).await
        {
            self.run.progress.warn(format!("`{target}` was swapped in, but cannot be connected to: {error}"));
        }
        for doomed in self.moves.iter().filter(|one| one.doomed) {
            self.run.step("swap.drop", &doomed.to);
            let dropped = drop_patiently(&self.server, target, &doomed.to, &self.run.cancel).await;
            match dropped.map(|dropped| Some((dropped.told(&doomed.to)?, dropped.later()))) {
                Ok(None) => {}
                Ok(Some((waiting, later))) => {
                    self.run.progress.advise(format!("`{target}` is restored; {waiting}"), later);
                }
                Err(error) => self.run.progress.advise(
                    format!("the replaced database `{}` could not be dropped ({error})", doomed.to),
                    remedy!["run ", Operation::Recover, " later"],
                ),
            }
        }
    }
}

/// The database that has the target's name now.
async fn live(request: &SwapRequest) -> PgResult<Option<Live>> {
    let SwapRequest { admin, target, .. } = request;
    let Some(live) = databases::named(admin, target).await? else { return Ok(None) };
    if live.is_template {
        return Err(Problem::new(
            Obstacle::SystemDatabase,
            format!("`{target}` is a template database"),
            remedy!["restore into another database with ", Setting::Into],
        )
        .refusal());
    }
    Ok(Some(Live { oid: live.oid, allow_connections: live.allow_connections }))
}

/// What is tied to the live database and would break or block.
async fn check_bound(request: &SwapRequest, live: &Live) -> PgResult<()> {
    let SwapRequest { admin, target, force, .. } = request;
    let Bound { prepared, slots, subscriptions } = switch::bound(admin, target, live.oid).await?;
    if prepared > 0 {
        return Err(Problem::new(
            Obstacle::PreparedTransactions,
            standing::prepared(target, prepared),
            standing::END_PREPARED,
        )
        .refusal());
    }
    if slots + subscriptions > 0 && !force {
        return Err(Problem::new(
            Obstacle::Replication,
            standing::bound(target, slots, subscriptions),
            remedy!["drop the slots and subscriptions, or use ", Setting::Force],
        )
        .refusal());
    }
    Ok(())
}

/// What is renamed, in which order.
fn moves(request: &SwapRequest, live: Option<&Live>) -> Vec<Move> {
    // Those of a dump were written by whoever could write to the location.
    let own = own_comment(request.settings.as_ref().and_then(|settings| settings.comment.clone()));
    let on = Written::on(request.incoming.oid, request.system);
    let mark = request.mark.as_ref().map(|mark| mark.to_comment(on));
    let comment = mark.or_else(|| own_comment(request.comment.clone())).or_else(|| own.clone());
    let switch = Switch {
        target: &request.target,
        system: request.system,
        incoming: (request.incoming.oid, &request.incoming.name),
        live,
        replaced: &request.replaced,
        pristine: request.pristine.as_ref(),
        void: &request.void,
        own_comment: own.as_deref(),
        comment: comment.as_deref(),
        connection_limit: request.settings.as_ref().map_or(-1, |settings| settings.connection_limit),
    };
    switch.moves(Timestamp::now())
}

/// Ends every session of these databases but the spared ones; returns how many the target had.
async fn terminate(admin: &Session, target: &str, databases: &[String], spared: &[i32]) -> PgResult<u64> {
    let deadline = Instant::now() + TERMINATE_TIMEOUT;
    let mut ended = BTreeSet::new();
    loop {
        let there = sessions::end_all(admin, databases, spared).await?;
        if there.is_empty() {
            return Ok(ended.len() as u64);
        }
        if Instant::now() > deadline {
            let pids: Vec<String> = there.iter().map(|session| session.pid.to_string()).collect();
            return Err(PgError::InUse {
                what: format!("server processes {} do not end", pids.join(", ")),
                help:
                    "the live database is unchanged and accepts connections again. End them and run the restore again"
                        .into(),
            });
        }
        // Sessions of the copy are our own, lingering: not worth a word.
        ended.extend(there.into_iter().filter(|session| session.database == target).map(|session| session.pid));
        tokio::time::sleep(TERMINATE_POLL).await;
    }
}
