//! The temporary database of a restore.

use std::time::Duration;

use backup_core::failure::{Operation, Remedy};
use backup_core::remedy;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::adapters::connection::Server;
use crate::adapters::sql::databases;
use crate::error::{PgError, PgResult};
use crate::live::dropping::drop_patiently;
use crate::live::state::{State, Written, temporary_name};
use crate::live::target_lock::TargetLock;
use crate::run::Run;
use crate::stored::database_settings::DatabaseSettings;

/// How long dropping it may take once we were asked to end, connecting included: a server that does not answer keeps nobody, and the
/// next run finds what is left. Most are gone in some milliseconds.
const LAST_MOMENT: Duration = Duration::from_secs(4);

/// A database nobody else knows of, marked in its comment as being built.
#[derive(Debug)]
pub struct Temporary {
    name: String,
    /// Itself, and the server it is on.
    on: Written,
    target: String,
    dump: String,
}

impl Temporary {
    /// Creates it for the lock's target, with the encoding and locale of `like`, in the tablespace of the live database
    /// or else in that of `like` if this server has it.
    ///
    /// # Errors
    /// What the server says, such as a missing CREATEDB privilege.
    pub async fn create(lock: &TargetLock, dump: &str, like: Option<&DatabaseSettings>) -> PgResult<Self> {
        let (admin, target) = (lock.session(), lock.target());
        let name = temporary_name(target);
        let tablespace = databases::tablespace(admin, target, like.map(|like| like.tablespace.as_str())).await?;
        databases::create(admin, &name, like, tablespace.as_deref()).await?;
        Self::mark(lock, name, dump).await
    }

    /// Marks the database `name`, which has just been created for the lock's target, as one that is being built.
    pub(crate) async fn mark(lock: &TargetLock, name: String, dump: &str) -> PgResult<Self> {
        let (admin, target) = (lock.session(), lock.target());
        let state = State::Restoring { target: target.to_owned(), dump: dump.to_owned(), since: Timestamp::now() };
        let made = databases::named(admin, &name).await?;
        let Some(made) = made else {
            return Err(PgError::NoDatabase { database: name, server: "the server".to_owned() });
        };
        let on = lock.mark_on(made.oid);
        databases::comment(admin, &name, Some(&state.to_comment(on))).await?;
        Ok(Self { on, name, target: target.to_owned(), dump: dump.to_owned() })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its oid, which a rename does not change.
    #[must_use]
    pub fn oid(&self) -> u32 {
        self.on.oid
    }

    /// Drops it, or marks it as kept. Best effort: it runs after a failure that is worth more than its own, and the next
    /// run's recovery finds what is left.
    pub async fn give_up(&self, server: &Server, keep: bool, run: &Run) {
        let progress = &run.progress;
        let limit = if run.cancel.is_cancelled() { LAST_MOMENT } else { Duration::MAX };
        let given_up = tokio::time::timeout(limit, self.try_give_up(server, keep, &run.cancel)).await;
        match given_up.unwrap_or(Err(PgError::Interrupted)) {
            Ok(Some((waiting, later))) => progress.advise(waiting, later),
            Ok(None) if keep => progress.warn(format!(
                "the temporary database was kept as `{}`; drop it when you no longer need it",
                self.name
            )),
            Ok(None) => {}
            Err(error) => progress.advise(
                format!("the temporary database `{}` could not be dropped ({error})", self.name),
                remedy!["run ", Operation::Recover, " later"],
            ),
        }
    }

    /// What to tell of a database that is not gone yet, and what to do about it.
    async fn try_give_up(
        &self,
        server: &Server,
        keep: bool,
        cancel: &CancellationToken,
    ) -> PgResult<Option<(String, Remedy)>> {
        let admin = server.connect_admin_for(&self.target).await?;
        // A swap whose answer was lost may have renamed it after all: then it is the live database.
        if databases::with_oid(&admin, self.on.oid).await?.is_none_or(|found| found.name != self.name) {
            return Ok(None);
        }
        if keep {
            let state = State::Kept { target: self.target.clone(), dump: self.dump.clone(), since: Timestamp::now() };
            databases::allow_connections(&admin, &self.name).await?;
            databases::comment(&admin, &self.name, Some(&state.to_comment(self.on))).await?;
            return Ok(None);
        }
        drop(admin);
        let dropped = drop_patiently(server, &self.target, &self.name, cancel).await?;
        Ok(dropped.told(&self.name).map(|told| (told, dropped.later())))
    }
}
