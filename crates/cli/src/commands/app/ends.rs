//! Sources and targets of records, as typed.

use std::sync::Arc;

use backup_core::error::Cause;
use backup_core::failure::Reported;
use backup_core::secret::redact_url;
use backup_core::source::Identity;
use futures::future::BoxFuture;
use object_backup::ports::{Connect, Connection};
use object_backup::{
    CommandSource, NdjsonSource, NdjsonTarget, ObjectError, PostgresSource, PostgresTarget, Source, SqliteSource,
    SqliteTarget, Target,
};
use pg_clone::Server;
use tokio::task::JoinError;

use crate::context::Context;
use crate::error::{CliError, CliResult};

pub(super) fn source(text: &str, context: &Context) -> CliResult<Arc<dyn Source>> {
    Ok(match text.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Arc::new(SqliteSource::new(file)),
        Some(("ndjson", folder)) if !folder.is_empty() => Arc::new(NdjsonSource::new(folder)),
        Some(("postgres" | "postgresql", rest)) => Arc::new(PostgresSource::new(database(text, rest, context)?)),
        Some(("exec", line)) => Arc::new(CommandSource::new(line)?),
        _ => {
            return Err(CliError::usage(
                format!("invalid value `{}` for `--source`", redact_url(text)),
                "use sqlite:FILE, postgres:DATABASE, ndjson:DIR or exec:'PROGRAM {type}'",
            ));
        }
    })
}

pub(super) fn target(text: &str, context: &Context) -> CliResult<Arc<dyn Target>> {
    Ok(match text.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Arc::new(SqliteTarget::new(file)),
        Some(("ndjson", folder)) if !folder.is_empty() => Arc::new(NdjsonTarget::new(folder)),
        Some(("postgres" | "postgresql", rest)) => Arc::new(PostgresTarget::new(database(text, rest, context)?)),
        _ => {
            return Err(CliError::usage(
                format!("invalid value `{}` for `--to`", redact_url(text)),
                "use sqlite:FILE, postgres:DATABASE or ndjson:DIR",
            ));
        }
    })
}

/// Which source the target would be: its own backups come first, and a plan says if a backup is of another one.
pub(super) async fn here(text: &str, context: &Context) -> CliResult<Option<Identity>> {
    Ok(match text.split_once(':') {
        Some(("sqlite", file)) => Some(SqliteSource::new(file).identity()),
        Some(("ndjson", folder)) => Some(NdjsonSource::new(folder).identity()),
        Some(("postgres" | "postgresql", rest)) => {
            let (source, cancel) = (PostgresSource::new(database(text, rest, context)?), context.run.cancel.clone());
            let asked = tokio::task::spawn_blocking(move || source.identity(&cancel));
            let panicked = |error: JoinError| ObjectError::Panicked { what: error.to_string() };
            let asked = context.or_cancelled(async { Ok(asked.await.map_err(panicked)?) }).await?;
            Some(asked.map_err(of_target)?)
        }
        _ => None,
    })
}

/// The error of a source that is about to be restored into.
fn of_target(error: ObjectError) -> ObjectError {
    match error {
        ObjectError::Source { action, what, source } => ObjectError::Target { action, what, source },
        other => other,
    }
}

/// The database that `text` means: a whole URL, or what follows `postgres:` as `lastgood pg dump` takes it.
fn database(text: &str, rest: &str, context: &Context) -> CliResult<Arc<dyn Connect>> {
    let named = if rest.starts_with("//") { text } else { rest };
    let (server, database) = context.server((!named.is_empty()).then_some(named))?;
    let database = database.ok_or_else(|| {
        CliError::usage("no database given", "use postgres:DATABASE, or set PGDATABASE or LASTGOOD_PG_URL")
    })?;
    Ok(Arc::new(Login { server, database }))
}

/// Connects as every other command does: environment, password files, verified TLS.
#[derive(Debug)]
struct Login {
    server: Server,
    database: String,
}

impl Connect for Login {
    fn describe(&self) -> String {
        self.database.clone()
    }

    fn host(&self) -> String {
        self.server.host_for_people()
    }

    fn connect(&self) -> BoxFuture<'_, Result<Connection, Cause>> {
        Box::pin(async {
            let session = self.server.connect_as_application(&self.database).await.map_err(Reported::cause)?;
            let session: Connection = Box::new(session);
            Ok(session)
        })
    }
}
