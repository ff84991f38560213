//! The swap: the complete copy takes the live database's name in one transaction.
//!
//! Clients are turned away first and their sessions ended, because a rename waits for every session of the database and
//! polls only ten times a second (postgres.md 2.3: 16 ms instead of 120). What is going on stands in the copy's
//! comment before the door is closed, so that [`crate::recover`] can open it again after a kill.

mod settle;
mod statements;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::error::SqlState;

use crate::adapters::connection::{Server, Session};
use crate::error::{PgError, PgResult};
use crate::run::Run;
use crate::settings::DatabaseSettings;
use crate::state::{Live, State, temporary_name};
use crate::swap::settle::Backend;
use crate::swap::statements::Rename;
use crate::target_lock::TargetLock;
use crate::temporary::{Temporary, comment, drop_database};

/// How long sessions may take to end before we give up and let everybody in again: a backend notices at its next
/// interrupt check, which is milliseconds away unless it is stuck in the kernel.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Between looks at who is still there.
const TERMINATE_POLL: Duration = Duration::from_millis(2);

/// How long each statement of the exchange may take, attempt by attempt, in milliseconds; 0 leaves it to the server. A
/// client that is just being turned away still counts as connected while its process ends. The server would look again
/// only after 100 ms; we give up and try again at once, and more patiently should it be the machine that is slow.
const RENAME_TIMEOUTS_MS: [u32; 9] = [10, 10, 10, 20, 20, 40, 80, 160, 0];

/// SQLSTATE of a statement that took too long: query_canceled.
const TOOK_TOO_LONG: &str = "57014";

/// SQLSTATE by which the renames say that the names did not mean what they meant before: division_by_zero.
const NAMES_CHANGED: &str = "22012";

/// Which copy is to replace which database.
#[derive(Debug)]
pub struct SwapRequest<'a> {
    lock: &'a TargetLock,
    temporary: &'a Temporary,
    settings: Option<&'a DatabaseSettings>,
    force: bool,
}

impl<'a> SwapRequest<'a> {
    /// `temporary` is to become the lock's target, with the comment and connection limit of `settings`. `force` swaps
    /// although replication slots or subscriptions are bound to the live database.
    #[must_use]
    pub fn new(
        lock: &'a TargetLock,
        temporary: &'a Temporary,
        settings: Option<&'a DatabaseSettings>,
        force: bool,
    ) -> Self {
        Self { lock, temporary, settings, force }
    }
}

/// What a swap did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SwapReport {
    /// Whether a live database was replaced.
    pub replaced: bool,
    /// Milliseconds from the door closing to the new database answering to the name.
    pub outage_ms: u64,
    /// Sessions that were ended.
    pub terminated: u64,
    /// How often the exchange of the names was tried.
    pub attempts: u64,
}

/// Swaps. It runs to its end on a task of its own: whoever stops waiting for it leaves no door closed.
///
/// # Errors
/// [`PgError`]; on every one of them the live database is as it was and accepts connections. Should the server be lost
/// for good in between, a warning says so, and [`crate::recover`] opens the door when it is back.
pub async fn swap(server: &Server, request: &SwapRequest<'_>, run: &Run) -> PgResult<SwapReport> {
    let swap = Swap {
        server: server.clone(),
        admin: request.lock.share(),
        target: request.lock.target().to_owned(),
        copy: request.temporary.name().to_owned(),
        copy_oid: request.temporary.oid(),
        settings: request.settings.cloned(),
        force: request.force,
        run: run.clone(),
    };
    tokio::spawn(swap.run()).await.unwrap_or_else(|_| Err(died()))
}

fn died() -> PgError {
    PgError::Refused {
        what: "the swap ended unexpectedly".to_owned(),
        help: "please report it; `lastgood pg recover` finishes or undoes what it had begun".to_owned(),
    }
}

/// A swap with everything it needs.
#[derive(Debug)]
struct Swap {
    server: Server,
    /// Holds the target's lock.
    admin: Arc<Session>,
    target: String,
    copy: String,
    copy_oid: u32,
    settings: Option<DatabaseSettings>,
    force: bool,
    run: Run,
}

/// Which databases there were before and are after the switch.
#[derive(Debug)]
struct Switched {
    terminated: u64,
    attempts: u64,
    /// The replaced database, by its name of now.
    old: Option<String>,
}

impl Swap {
    async fn run(self) -> PgResult<SwapReport> {
        let live = self.live().await?;
        if let Some(live) = &live {
            self.check_bound(live).await?;
        }
        let backend = Backend::of(&self.admin).await?;
        self.run.step("swap.mark", &self.target);
        let state = State::Swapping { target: self.target.clone(), live: live.clone(), since: Timestamp::now() };
        comment(&self.admin, &self.copy, Some(&state.to_comment())).await?;

        let closed = Instant::now();
        // A receiver of events that panics must not leave the door closed either.
        let switched = AssertUnwindSafe(self.switch(live.as_ref())).catch_unwind().await;
        let (switched, outage) = match switched.unwrap_or_else(|_| Err(died())) {
            Ok(switched) => (switched, closed.elapsed()),
            Err(error) => (self.settle(live.as_ref(), &backend, error).await?, closed.elapsed()),
        };
        self.run.step("swap.committed", &self.target);
        self.finish(live.as_ref(), switched.old.as_deref()).await;
        Ok(SwapReport {
            replaced: live.is_some(),
            outage_ms: u64::try_from(outage.as_millis()).unwrap_or(u64::MAX),
            terminated: switched.terminated,
            attempts: switched.attempts,
        })
    }

    async fn live(&self) -> PgResult<Option<Live>> {
        let row = self
            .admin
            .query_opt(
                "SELECT oid, datallowconn, datistemplate FROM pg_catalog.pg_database WHERE datname = $1",
                &[&self.target],
            )
            .await
            .map_err(|error| PgError::sql("looking at the live database", error))?;
        let Some(row) = row else { return Ok(None) };
        if row.get(2) {
            return Err(PgError::Refused {
                what: format!("`{}` is a template database", self.target),
                help: "restore into another name with --into; nothing was changed".to_owned(),
            });
        }
        Ok(Some(Live { oid: row.get(0), allow_connections: row.get(1) }))
    }

    /// What is tied to the live database and would break or block.
    async fn check_bound(&self, live: &Live) -> PgResult<()> {
        let row = self
            .admin
            .query_one(
                "SELECT (SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = $1), \
                   (SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE database = $1), \
                   (SELECT count(*) FROM pg_catalog.pg_subscription WHERE subdbid = $2)",
                &[&self.target, &live.oid],
            )
            .await
            .map_err(|error| PgError::sql("checking what is bound to the live database", error))?;
        let [prepared, slots, subscriptions]: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
        let target = &self.target;
        if prepared > 0 {
            return Err(PgError::Refused {
                what: format!(
                    "`{target}` has {prepared} prepared transactions, which would keep it from being renamed"
                ),
                help: "COMMIT PREPARED or ROLLBACK PREPARED them (see pg_prepared_xacts); nothing was changed"
                    .to_owned(),
            });
        }
        if slots + subscriptions > 0 && !self.force {
            return Err(PgError::Refused {
                what: format!(
                    "logical replication is bound to `{target}` ({slots} slots, {subscriptions} subscriptions)"
                ),
                help: "drop the slots and subscriptions, or say --force; nothing was changed".to_owned(),
            });
        }
        Ok(())
    }

    /// Closes the door, empties the rooms, exchanges the names.
    async fn switch(&self, live: Option<&Live>) -> PgResult<Switched> {
        self.run.step("swap.forbid", &self.target);
        let close = statements::close(live.map(|_| self.target.as_str()), &self.copy);
        self.admin.batch_execute(&close).await.map_err(|error| PgError::sql("turning clients away", error))?;
        self.run.step("swap.terminate", &self.target);
        let terminated = terminate(&self.admin, &self.target, &self.copy).await?;
        self.run.step("swap.rename", &self.target);
        let old = live.map(|_| temporary_name(&self.target));
        let rename = Rename {
            target: &self.target,
            copy: &self.copy,
            copy_oid: self.copy_oid,
            live: live.zip(old.as_deref()),
            comment: self.settings.as_ref().and_then(|settings| settings.comment.as_deref()),
            connection_limit: self.settings.as_ref().map_or(-1, |settings| settings.connection_limit),
        };
        let attempts = self.exchange(&rename).await?;
        Ok(Switched { terminated, attempts, old })
    }

    /// Exchanges the names; returns how many attempts it took.
    async fn exchange(&self, rename: &Rename<'_>) -> PgResult<u64> {
        let mut attempts = 0;
        let mut timeouts = RENAME_TIMEOUTS_MS.into_iter().peekable();
        while let Some(timeout_ms) = timeouts.next() {
            attempts += 1;
            let Err(error) = self.admin.batch_execute(&rename.statements(Timestamp::now(), timeout_ms)).await else {
                break;
            };
            match error.code().map(SqlState::code) {
                Some(TOOK_TOO_LONG) if timeouts.peek().is_some() => {}
                Some(NAMES_CHANGED) => {
                    return Err(PgError::Refused {
                        what: format!("somebody else replaced `{}` at the same moment", self.target),
                        help: "nothing was changed; run the restore again".to_owned(),
                    });
                }
                _ => return Err(PgError::sql("exchanging the names", error)),
            }
        }
        Ok(attempts)
    }

    /// Tries the new database and drops the old one. The switch has happened: what fails here is told, and no failure.
    async fn finish(&self, live: Option<&Live>, old: Option<&str>) {
        self.run.step("swap.verify", &self.target);
        if live.is_none_or(|live| live.allow_connections)
            && let Err(error) = self.server.connect(&self.target).await
        {
            self.run.progress.warn(format!("`{}` was switched, and cannot be connected to: {error}", self.target));
        }
        let Some(old) = old else { return };
        self.run.step("swap.drop", old);
        let dropped = if self.admin.is_closed() {
            match self.server.connect_admin_for(&self.target).await {
                Ok(admin) => drop_database(&self.server, &admin, old).await,
                Err(error) => Err(error),
            }
        } else {
            drop_database(&self.server, &self.admin, old).await
        };
        if let Err(error) = dropped {
            self.run.progress.warn(format!(
                "the replaced database `{old}` could not be dropped ({error}): `lastgood pg recover` does it later"
            ));
        }
    }
}

/// Ends every session of both databases; returns how many the target had. Autovacuum's end by themselves: the rename asks
/// them to, and only a superuser could.
async fn terminate(admin: &Session, target: &str, copy: &str) -> PgResult<u64> {
    let deadline = Instant::now() + TERMINATE_TIMEOUT;
    let mut ended = BTreeSet::new();
    loop {
        let rows = admin
            .query(
                "SELECT pid, pg_catalog.pg_terminate_backend(pid), datname::text FROM pg_catalog.pg_stat_activity \
                 WHERE datname = ANY ($1) AND pid <> pg_catalog.pg_backend_pid() \
                   AND (backend_type <> 'autovacuum worker' \
                        OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))",
                &[&[target, copy].as_slice()],
            )
            .await
            .map_err(|error| PgError::sql("ending the sessions of the live database", error))?;
        if rows.is_empty() {
            return Ok(ended.len() as u64);
        }
        // Sessions of the copy are our own, lingering: not worth a word.
        let of_target = rows.iter().filter(|row| row.get::<_, &str>(2) == target);
        ended.extend(of_target.map(|row| row.get::<_, i32>(0)));
        if Instant::now() > deadline {
            let pids: Vec<String> = rows.iter().map(|row| row.get::<_, i32>(0).to_string()).collect();
            return Err(PgError::Refused {
                what: format!("server processes {} do not end", pids.join(", ")),
                help: "the live database is open again and unchanged; end them and run the restore again".to_owned(),
            });
        }
        tokio::time::sleep(TERMINATE_POLL).await;
    }
}
