//! After a failed swap: did it happen anyway? If not, connections are allowed again.

use std::time::{Duration, Instant};

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::quote_ident;
use crate::live::state::{Live, State, target_number};
use crate::live::swap::swapping::{Swap, Switched};
use crate::live::target_lock::TargetLock;

/// How long a lost server may take to come back while we still try: a crash recovery of a small log takes seconds.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Between attempts.
const SETTLE_POLL: Duration = Duration::from_millis(250);

/// The server process of our session. When the connection is lost it may still be at work, even at COMMIT.
#[derive(Debug)]
pub(super) struct Backend {
    pid: i32,
    started: String,
}

impl Backend {
    pub(super) async fn of(session: &Session) -> PgResult<Self> {
        let row = session
            .query_one(
                "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity \
                 WHERE pid = pg_catalog.pg_backend_pid()",
                &[],
            )
            .await
            .map_err(|error| PgError::sql("looking at our own session", error))?;
        Ok(Self { pid: row.get(0), started: row.get(1) })
    }

    /// Ends it; true once it is gone.
    async fn end(&self, admin: &Session) -> PgResult<bool> {
        let rows = admin
            .query(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
                 WHERE pid = $1 AND backend_start::text = $2",
                &[&self.pid, &self.started],
            )
            .await
            .map_err(|error| PgError::sql("ending our lost session", error))?;
        Ok(rows.is_empty())
    }
}

impl Swap {
    /// What became of a switch that failed with `error`; that error again if it did not happen.
    pub(super) async fn settle(&self, live: Option<&Live>, backend: &Backend, error: PgError) -> PgResult<Switched> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            match self.try_settle(live, backend).await {
                Ok(Some(switched)) => return Ok(switched),
                Ok(None) => return Err(error),
                Err(later) if !later.is_permanent() && Instant::now() < deadline => {
                    tokio::time::sleep(SETTLE_POLL).await;
                }
                Err(later) => {
                    self.run.progress.warn(format!(
                        "the outcome of the swap is unknown ({later}): `{}` may refuse connections until you run \
                         `lastgood pg recover`",
                        self.target
                    ));
                    return Err(error);
                }
            }
        }
    }

    async fn try_settle(&self, live: Option<&Live>, backend: &Backend) -> PgResult<Option<Switched>> {
        // Leaves the transaction that failed; the session still holds the lock.
        if self.admin.batch_execute("ROLLBACK").await.is_ok() {
            return self.look_and_open(&self.admin, live).await;
        }
        let admin = self.server.connect_admin_for(&self.target).await?;
        if !backend.end(&admin).await? {
            return Err(self.not_yet());
        }
        drop(admin);
        let number = target_number(&self.target);
        let lock = TargetLock::try_acquire(&self.server, &self.target, number).await?.ok_or_else(|| self.not_yet())?;
        self.look_and_open(lock.session(), live).await
    }

    /// Somebody else has the lock, and mends it; or our lost session does not end.
    fn not_yet(&self) -> PgError {
        PgError::Locked { database: self.target.clone(), holder: String::new() }
    }

    async fn look_and_open(&self, admin: &Session, live: Option<&Live>) -> PgResult<Option<Switched>> {
        let copy = named(admin, self.copy_oid).await?;
        if copy.as_ref().is_some_and(|copy| copy.name == self.target) {
            return Ok(Some(Switched { terminated: 0, attempts: 1 }));
        }
        let void = self.void.iter().filter(|found| found.allow_connections).map(|found| found.oid);
        let live = live.filter(|live| live.allow_connections).map(|live| live.oid);
        let mut closed = Vec::new();
        for oid in live.into_iter().chain(void) {
            closed.extend(named(admin, oid).await?);
        }
        // The copy too: whoever asked to keep it wants to look into it.
        closed.extend(copy.clone().filter(|_| self.returning.as_ref().is_none_or(|it| it.allow_connections)));
        for closed in closed.into_iter().filter(|database| !database.allow_connections) {
            let open = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", quote_ident(&closed.name));
            admin.batch_execute(&open).await.map_err(|error| PgError::sql("letting clients in again", error))?;
        }
        if let (Some(returning), Some(copy)) = (&self.returning, copy) {
            let (comment, since) = (returning.comment.clone(), returning.replaced);
            let state = State::Previous { target: self.target.clone(), comment, since };
            crate::live::temporary::comment(admin, &copy.name, Some(&state.to_comment())).await?;
        }
        Ok(None)
    }
}

#[derive(Clone, Debug)]
struct Named {
    name: String,
    allow_connections: bool,
}

async fn named(admin: &Session, oid: u32) -> PgResult<Option<Named>> {
    let row = admin
        .query_opt("SELECT datname::text, datallowconn FROM pg_catalog.pg_database WHERE oid = $1", &[&oid])
        .await
        .map_err(|error| PgError::sql("looking which database is live", error))?;
    Ok(row.map(|row| Named { name: row.get(0), allow_connections: row.get(1) }))
}
