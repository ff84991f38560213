//! The temporary database of a restore.

use backup_core::progress::SharedProgress;
use jiff::Timestamp;

use crate::adapters::connection::{Server, Session};
use crate::error::{PgError, PgResult};
use crate::ident::{quote_ident, quote_literal};
use crate::live::state::{State, temporary_name};
use crate::live::target_lock::TargetLock;
use crate::settings::{DatabaseSettings, create_database_statement};

/// A database nobody else knows of, marked in its comment as being built.
#[derive(Debug)]
pub struct Temporary {
    name: String,
    oid: u32,
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
        let mut create = create_database_statement(&name, like);
        if let Some(tablespace) = tablespace(admin, target, like).await? {
            create.push_str(&format!(" TABLESPACE {}", quote_ident(&tablespace)));
        }
        admin.batch_execute(&create).await.map_err(|error| PgError::sql("creating the temporary database", error))?;
        Self::mark(lock, name, dump).await
    }

    /// Marks the database `name`, which has just been created for the lock's target, as one that is being built.
    pub(crate) async fn mark(lock: &TargetLock, name: String, dump: &str) -> PgResult<Self> {
        let (admin, target) = (lock.session(), lock.target());
        let state = State::Restoring { target: target.to_owned(), dump: dump.to_owned(), since: Timestamp::now() };
        comment(admin, &name, Some(&state.to_comment())).await?;
        let row = admin
            .query_one("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1", &[&name])
            .await
            .map_err(|error| PgError::sql("looking at the temporary database", error))?;
        Ok(Self { oid: row.get(0), name, target: target.to_owned(), dump: dump.to_owned() })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its oid, which a rename does not change.
    #[must_use]
    pub fn oid(&self) -> u32 {
        self.oid
    }

    /// Drops it, or marks it as kept. Best effort: it runs after a failure that is worth more than its own, and the next
    /// run's recovery finds what is left.
    pub async fn give_up(&self, server: &Server, keep: bool, progress: &SharedProgress) {
        if let Err(error) = self.try_give_up(server, keep).await {
            progress.warn(format!(
                "the temporary database `{}` could not be dropped ({error}); run `lastgood pg recover` later",
                self.name
            ));
        } else if keep {
            progress.warn(format!(
                "the temporary database was kept as `{}`; drop it when you no longer need it",
                self.name
            ));
        }
    }

    async fn try_give_up(&self, server: &Server, keep: bool) -> PgResult<()> {
        let admin = server.connect_admin_for(&self.target).await?;
        // A swap whose answer was lost may have renamed it after all: then it is the live database.
        let row = admin
            .query_opt("SELECT datname::text FROM pg_catalog.pg_database WHERE oid = $1", &[&self.oid])
            .await
            .map_err(|error| PgError::sql("looking at the temporary database", error))?;
        if row.is_none_or(|row| row.get::<_, String>(0) != self.name) {
            return Ok(());
        }
        if keep {
            let state = State::Kept { target: self.target.clone(), dump: self.dump.clone(), since: Timestamp::now() };
            let open = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", quote_ident(&self.name));
            admin.batch_execute(&open).await.map_err(|error| PgError::sql("opening the kept copy", error))?;
            return comment(&admin, &self.name, Some(&state.to_comment())).await;
        }
        drop_database(server, &admin, &self.name).await
    }
}

/// The tablespace to name; none where the server's default will do, for naming that takes a privilege of its own.
async fn tablespace(admin: &Session, target: &str, like: Option<&DatabaseSettings>) -> PgResult<Option<String>> {
    let row = admin
        .query_opt(
            "SELECT t.spcname::text FROM pg_catalog.pg_tablespace t WHERE t.spcname <> 'pg_default' AND t.spcname = \
               coalesce((SELECT l.spcname FROM pg_catalog.pg_database d \
                         JOIN pg_catalog.pg_tablespace l ON l.oid = d.dattablespace WHERE d.datname = $1), $2)",
            &[&target, &like.map(|like| like.tablespace.as_str())],
        )
        .await
        .map_err(|error| PgError::sql("looking for the tablespace", error))?;
    Ok(row.map(|row| row.get(0)))
}

/// Sets or removes a database's comment.
pub(crate) async fn comment(admin: &Session, database: &str, text: Option<&str>) -> PgResult<()> {
    let text = text.map_or_else(|| "NULL".to_owned(), quote_literal);
    admin
        .batch_execute(&format!("COMMENT ON DATABASE {} IS {text}", quote_ident(database)))
        .await
        .map_err(|error| PgError::sql("marking the database", error))
}

/// Drops a database with whoever is still connected to it (PostgreSQL 13 and newer) and the subscriptions in it.
pub(crate) async fn drop_database(server: &Server, admin: &Session, database: &str) -> PgResult<()> {
    let dropped = match try_drop(admin, database).await {
        // object_in_use: no database with a subscription can be dropped.
        Err(error) if error.code().is_some_and(|code| code.code() == "55006") => {
            detach_subscriptions(server, admin, database).await?;
            try_drop(admin, database).await
        }
        other => other,
    };
    dropped.map_err(|error| PgError::sql(format!("dropping `{database}`"), error))
}

async fn try_drop(admin: &Session, database: &str) -> Result<(), tokio_postgres::Error> {
    let name = quote_ident(database);
    match admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await {
        // syntax_error: PostgreSQL 12.
        Err(error) if error.code().is_some_and(|code| code.code() == "42601") => {
            admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await
        }
        other => other,
    }
}

/// Drops subscriptions without their publishers' slots: those of a restored copy are the original's, which still uses them.
async fn detach_subscriptions(server: &Server, admin: &Session, database: &str) -> PgResult<()> {
    let sql = |error| PgError::sql(format!("removing the subscriptions of `{database}`"), error);
    admin
        .batch_execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", quote_ident(database)))
        .await
        .map_err(sql)?;
    let session = server.connect(database).await?;
    let rows = session
        .query(
            "SELECT subname::text FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
             WHERE d.datname = pg_catalog.current_database()",
            &[],
        )
        .await
        .map_err(sql)?;
    for row in rows {
        let name = quote_ident(&row.get::<_, String>(0));
        for statement in [
            format!("ALTER SUBSCRIPTION {name} DISABLE"),
            format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {name}"),
        ] {
            session.batch_execute(&statement).await.map_err(sql)?;
        }
    }
    Ok(())
}
