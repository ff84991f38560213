//! Drops a local database: a copy of ours, or another one whose name was typed twice.

use std::time::Instant;

use backup_core::failure::{Operation, Setting};
use backup_core::remedy;
use backup_core::units;
use serde::Serialize;

use crate::adapters;
use crate::adapters::connection::{Server, Session};
use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::live::dropping::drop_database;
use crate::live::local::list::{self, LocalDatabase, Role};
use crate::live::silence;
use crate::run::Run;

/// What would be dropped.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DropPlan {
    /// The server, without secrets.
    pub server: String,
    /// The database.
    pub database: LocalDatabase,
}

/// What was dropped.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DropReport {
    /// The database.
    pub database: String,
    /// Sessions that were in it when it was looked at.
    pub sessions: u64,
}

/// The drop of a database that is planned and not yet done. It owns what it was planned with, so that what goes is what
/// [`LocalDrop::plan`] shows.
#[derive(Debug)]
pub struct LocalDrop {
    server: Server,
    confirm: Option<String>,
    run: Run,
    plan: DropPlan,
}

impl LocalDrop {
    /// Finds the database `name`; `confirm` is the name of a live database that may be dropped, as somebody typed it.
    ///
    /// # Errors
    /// [`PgError::NoDatabase`]; [`PgError::Obstacle`] for what must not be dropped or belongs to a run; connection errors.
    pub async fn prepare(server: &Server, name: &str, confirm: Option<String>, run: &Run) -> PgResult<Self> {
        server.refuse_if_guarded(name)?;
        let look = async {
            let admin = server.connect_admin_for(name).await?;
            let standing = adapters::sql::standing::read(&admin, &[name]).await?;
            standing.refuse_drop(&server.describe(), name)?;
            let plan = DropPlan { server: server.describe(), database: find(server, &admin, name).await? };
            plan.refuse(server)?;
            Ok(plan)
        };
        let plan: PgResult<DropPlan> = run.or_cancelled(Box::pin(look)).await;
        Ok(Self { server: server.clone(), confirm, run: run.clone(), plan: plan? })
    }

    /// What would be dropped.
    #[must_use]
    pub fn plan(&self) -> &DropPlan {
        &self.plan
    }

    /// Refuses what [`LocalDrop::run`] would refuse, but for what nobody has confirmed yet; changes nothing.
    ///
    /// # Errors
    /// As [`LocalDrop::run`].
    pub async fn check(&self) -> PgResult<()> {
        Box::pin(self.look()).await
    }

    async fn look(&self) -> PgResult<()> {
        let Self { server, confirm, run, plan } = self;
        plan.refuse(server)?;
        if confirm.is_some() {
            plan.refuse_unconfirmed(confirm.as_deref())?;
        }
        run.or_cancelled(silence::refuse_if_held(server, plan.database.lock_name())).await
    }

    /// Drops the database.
    ///
    /// # Errors
    /// [`PgError::Confirm`] for a live database whose name was not confirmed, [`PgError::Locked`], what the server says.
    pub async fn run(self) -> PgResult<DropReport> {
        Box::pin(self.carry_out()).await
    }

    async fn carry_out(self) -> PgResult<DropReport> {
        let Self { server, confirm, run, plan } = &self;
        plan.refuse(server)?;
        let name = &plan.database.name;
        plan.refuse_unconfirmed(confirm.as_deref())?;
        let lock = silence::acquire(server, plan.database.lock_name(), run, Instant::now()).await?;
        let admin = server.connect_admin_for(name).await?;
        let now = find(server, &admin, name).await?;
        if now.found.oid != plan.database.found.oid || now.found.state != plan.database.found.state {
            return Err(PgError::Replaced { database: name.clone() });
        }
        run.stop_if_cancelled()?;
        run.step("local.drop", name);
        drop_database(server, &admin, name).await?;
        drop(lock);
        Ok(DropReport { database: name.clone(), sessions: now.sessions })
    }
}

async fn find(server: &Server, admin: &Session, name: &str) -> PgResult<LocalDatabase> {
    let databases = list::among(admin).await?;
    let found = databases.into_iter().find(|database| database.name == name);
    found.ok_or_else(|| PgError::NoDatabase { database: name.to_owned(), server: server.describe() })
}

impl DropPlan {
    /// What must not be dropped, and what belongs to a run.
    fn refuse(&self, server: &Server) -> PgResult<()> {
        let name = &self.database.name;
        // A copy is as protected as what it is a copy of.
        for guarded in [name, self.database.lock_name()] {
            server.refuse_if_guarded(guarded)?;
        }
        if self.database.role == Role::Temporary {
            return Err(Problem::new(
                Obstacle::Unfinished,
                format!("`{name}` is being restored, or is a leftover of a killed run"),
                remedy!["wait for that run, or run ", Operation::Recover],
            )
            .refusal());
        }
        Ok(())
    }

    /// A copy of ours goes by its name; a database that is none, or that somebody uses as a live one, must be named twice.
    fn refuse_unconfirmed(&self, confirm: Option<&str>) -> PgResult<()> {
        let LocalDatabase { name, role, bytes, sessions, .. } = &self.database;
        if *role != Role::Live || confirm == Some(name) {
            return Ok(());
        }
        let wrong = confirm.map_or(String::new(), |given| format!(", and `{given}` was confirmed"));
        let size = units::bytes(bytes.unwrap_or_default());
        let sessions = units::counted(*sessions, "session", "sessions");
        Err(PgError::Confirm {
            what: format!(
                "`{name}` on {} is in use under its own name, and no local copy ({size}, {sessions}){wrong}",
                self.server
            ),
            help: remedy!["nothing was changed. Confirm with ", Setting::Confirm.with(name.clone())],
        })
    }
}
