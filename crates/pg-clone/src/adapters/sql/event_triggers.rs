//! Event triggers, which fire on what a restore does once they are there: those of extensions from the beginning.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};

/// First major version with the parameter `event_triggers` (PostgreSQL 17 release notes).
const SWITCH_MAJOR: u32 = 17;

/// First major version where the right to set a parameter can be granted (PostgreSQL 15 release notes).
const GRANTED_MAJOR: u32 = 15;

/// A setting under which event triggers do not fire, but for those that are to fire always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    /// `event_triggers = off`, which servers have since 17.
    Off,
    /// `session_replication_role = replica`. Triggers of tables do not fire either, so that it is for sessions that write no
    /// rows.
    Replica,
}

impl Quiet {
    fn setting(self) -> (&'static str, &'static str) {
        match self {
            Self::Off => ("event_triggers", "off"),
            Self::Replica => ("session_replication_role", "replica"),
        }
    }

    /// As an option that a session is started with.
    pub(crate) fn option(self) -> String {
        let (name, value) = self.setting();
        format!("-c {name}={value}")
    }
}

/// How to keep the database's event triggers from firing in our sessions; none if there are none, or our role may not.
pub(crate) async fn quiet(session: &Session, server_major: u32) -> PgResult<Option<Quiet>> {
    let quiet = if server_major >= SWITCH_MAJOR { Quiet::Off } else { Quiet::Replica };
    let (name, _) = quiet.setting();
    let granted = match server_major >= GRANTED_MAJOR {
        true => format!("pg_catalog.has_parameter_privilege('{name}', 'SET')"),
        false => "pg_catalog.current_setting('is_superuser')::boolean".to_owned(),
    };
    let row = session
        .query_one(
            &format!("SELECT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D') AND {granted}"),
            &[],
        )
        .await
        .map_err(|error| PgError::sql("looking for event triggers", error))?;
    Ok(row.get::<_, bool>(0).then_some(quiet))
}

/// Keeps them from firing in this session.
pub(crate) async fn silence(session: &Session, quiet: Quiet) -> PgResult<()> {
    let (name, value) = quiet.setting();
    session
        .batch_execute(&format!("SET {name} = {value}"))
        .await
        .map_err(|error| PgError::sql("switching event triggers off", error))
}

/// Keeps them from firing for the rest of the session's transaction, or until [`unhush`].
pub(crate) async fn hush(session: &Session, quiet: Option<Quiet>) -> PgResult<()> {
    set_local(session, quiet, |(_, value)| value).await
}

/// Lets them fire again, and whatever else the setting had stopped.
pub(crate) async fn unhush(session: &Session, quiet: Option<Quiet>) -> PgResult<()> {
    set_local(session, quiet, |_| "DEFAULT").await
}

async fn set_local(
    session: &Session,
    quiet: Option<Quiet>,
    value: impl Fn((&'static str, &'static str)) -> &'static str,
) -> PgResult<()> {
    let Some(setting) = quiet.map(Quiet::setting) else { return Ok(()) };
    session
        .batch_execute(&format!("SET LOCAL {} TO {}", setting.0, value(setting)))
        .await
        .map_err(|error| PgError::sql("keeping event triggers from firing", error))
}
