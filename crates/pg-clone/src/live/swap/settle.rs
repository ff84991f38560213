//! After a failed swap: did it happen anyway? If not, connections are allowed again.

use std::time::{Duration, Instant};

use backup_core::failure::Operation;
use backup_core::{Failure, remedy};

use crate::adapters::connection::Session;
use crate::adapters::sql::sessions::{self, Backend};
use crate::adapters::sql::{databases, switch};
use crate::error::{PgError, PgResult};
use crate::live::state::{State, Written, target_number};
use crate::live::swap::swapping::{Swap, Switched};
use crate::live::target_lock::TargetLock;

/// How long a lost server may take to come back while we still try: a crash recovery of a small log takes seconds.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Between attempts.
const SETTLE_POLL: Duration = Duration::from_millis(250);

impl Swap {
    /// What became of a switch that failed with `error`; that error again if it did not happen.
    pub(super) async fn settle(&self, backend: &Backend, error: PgError) -> PgResult<Switched> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            match self.try_settle(backend).await {
                Ok(Some(switched)) => return Ok(switched),
                Ok(None) => return Err(error),
                Err(later) if !later.is_permanent() && Instant::now() < deadline => {
                    tokio::time::sleep(SETTLE_POLL).await;
                }
                Err(later) => {
                    self.run.progress.advise(
                        format!("the outcome of the swap is unknown ({later})"),
                        remedy![
                            format!("`{}` may refuse connections until you run ", self.request.target),
                            Operation::Recover
                        ],
                    );
                    return Err(error);
                }
            }
        }
    }

    async fn try_settle(&self, backend: &Backend) -> PgResult<Option<Switched>> {
        // Leaves the transaction that failed; the session still holds the lock.
        if switch::leave(&self.request.admin).await.is_ok() {
            return self.look_and_open(&self.request.admin).await;
        }
        let admin = self.server.connect_admin_for(&self.request.target).await?;
        if !sessions::end_backend(&admin, backend).await? {
            return Err(self.not_yet());
        }
        drop(admin);
        let number = target_number(&self.request.target);
        let lock =
            TargetLock::try_acquire(&self.server, &self.request.target, number).await?.ok_or_else(|| self.not_yet())?;
        self.look_and_open(lock.session()).await
    }

    /// Somebody else has the lock, and mends it; or our lost session does not end.
    fn not_yet(&self) -> PgError {
        PgError::Locked { database: self.request.target.clone(), holder: String::new() }
    }

    async fn look_and_open(&self, admin: &Session) -> PgResult<Option<Switched>> {
        let copy = databases::with_oid(admin, self.request.incoming.oid).await?;
        if copy.as_ref().is_some_and(|copy| copy.name == self.request.target) {
            return Ok(Some(Switched { terminated: 0, attempts: 1, carried_over: Vec::new() }));
        }
        let void = self.request.void.iter().filter(|found| found.allow_connections).map(|found| found.oid);
        let live = self.live.as_ref().filter(|live| live.allow_connections).map(|live| live.oid);
        let mut closed = Vec::new();
        for oid in live.into_iter().chain(void) {
            closed.extend(databases::with_oid(admin, oid).await?);
        }
        // The copy too: whoever asked to keep it wants to look into it.
        closed.extend(copy.clone().filter(|_| self.request.returning.as_ref().is_none_or(|it| it.allow_connections)));
        for closed in closed.into_iter().filter(|database| !database.allow_connections) {
            databases::allow_connections(admin, &closed.name).await?;
        }
        if let (Some(returning), Some(copy)) = (&self.request.returning, copy) {
            let (comment, since) = (returning.comment.clone(), returning.replaced);
            let state = State::Previous { target: self.request.target.clone(), comment, since };
            let on = Written::on(copy.oid, self.request.system);
            databases::comment(admin, &copy.name, Some(&state.to_comment(on))).await?;
        }
        Ok(None)
    }
}
