//! Event triggers, which fire on what a restore does once they are there: those of extensions from the beginning.

use crate::adapters::connection::Session;
use crate::adapters::sql::live_tables::Firing;
use crate::error::{PgError, PgResult};
use crate::ident::quote_ident;

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

/// An event trigger that fires in sessions of replicas: in these too, or in these alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfReplicas {
    name: String,
    firing: Firing,
}

impl OfReplicas {
    fn statement(&self, enabled: bool) -> String {
        let how = match (enabled, self.firing) {
            (false, _) => "DISABLE",
            (true, Firing::Origin) => "ENABLE",
            (true, Firing::Replica) => "ENABLE REPLICA",
            (true, Firing::Always) => "ENABLE ALWAYS",
        };
        format!("ALTER EVENT TRIGGER {} {how}", quote_ident(&self.name))
    }
}

/// Disables, for the session's transaction, those that fire although [`hush`] says otherwise, until [`enable`].
pub(crate) async fn disable_of_replicas(session: &Session, quiet: Option<Quiet>) -> PgResult<Vec<OfReplicas>> {
    if quiet != Some(Quiet::Replica) {
        return Ok(Vec::new());
    }
    let rows = session
        .query(
            "SELECT evtname::text, evtenabled::text FROM pg_catalog.pg_event_trigger WHERE evtenabled IN ('A', 'R') ORDER BY 1",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("looking for event triggers of replicas", error))?;
    let of_row = |row: &tokio_postgres::Row| OfReplicas { name: row.get(0), firing: Firing::of_catalogue(row.get(1)) };
    let found: Vec<OfReplicas> = rows.iter().map(of_row).collect();
    alter(session, &found, false).await?;
    Ok(found)
}

/// Has them fire again as they did.
pub(crate) async fn enable(session: &Session, disabled: &[OfReplicas]) -> PgResult<()> {
    alter(session, disabled, true).await
}

async fn alter(session: &Session, triggers: &[OfReplicas], enabled: bool) -> PgResult<()> {
    let statements: Vec<String> = triggers.iter().map(|trigger| trigger.statement(enabled)).collect();
    if statements.is_empty() {
        return Ok(());
    }
    session
        .batch_execute(&statements.join("; "))
        .await
        .map_err(|error| PgError::sql("switching event triggers off and on", error))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_disabled_fires_as_it_did() {
        let of = |enabled| OfReplicas { name: "no \"DDL\"".to_owned(), firing: Firing::of_catalogue(enabled) };
        assert_eq!(of("A").statement(false), r#"ALTER EVENT TRIGGER "no ""DDL""" DISABLE"#);
        assert_eq!(of("A").statement(true), r#"ALTER EVENT TRIGGER "no ""DDL""" ENABLE ALWAYS"#);
        assert_eq!(of("R").statement(true), r#"ALTER EVENT TRIGGER "no ""DDL""" ENABLE REPLICA"#);
    }
}
