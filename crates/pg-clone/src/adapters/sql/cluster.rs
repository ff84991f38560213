//! Which cluster a database belongs to.

use backup_core::source::Identity;

use crate::adapters::connection::{Server, Session};
use crate::error::{PgError, PgResult};

impl Server {
    /// Which cluster this is: the system identifier that `initdb` gave it, which standbys share and clones of its disk
    /// keep. Where the role may not read it, host and port have to do.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn identity(&self, database: &str) -> PgResult<Identity> {
        let session = self.connect(database).await?;
        self.identity_by(&session).await
    }

    /// [`Server::identity`], asked through a session that is open already and in no transaction.
    pub(crate) async fn identity_by(&self, session: &Session) -> PgResult<Identity> {
        let host = self.host_for_people();
        let id = match system_identifier(session).await? {
            Some(identifier) => format!("postgresql:{identifier}"),
            None => format!("postgresql-host:{host}"),
        };
        Ok(Identity { id, host })
    }
}

/// `system_identifier` of `pg_control_system()` (PostgreSQL manual, "Control Data Functions"); nothing if we may not call
/// it.
pub(crate) async fn system_identifier(session: &Session) -> PgResult<Option<i64>> {
    let failed = |error| PgError::sql("asking which cluster this is", error);
    let allowed = "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')";
    if !session.query_one(allowed, &[]).await.map_err(failed)?.get::<_, bool>(0) {
        return Ok(None);
    }
    match session.query_one("SELECT system_identifier FROM pg_catalog.pg_control_system()", &[]).await {
        Ok(row) => Ok(Some(row.get(0))),
        // Services that keep no control file of their own refuse although the privilege is there.
        Err(error) if error.as_db_error().is_some() => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
