//! The catalogue in the application's database.

use backup_core::error::Cause;
use backup_core::failure::Reported;
use futures::future::BoxFuture;
use glacier_archive::adapters::postgres::{Connect, Connection, Tables};
use pg_clone::Server;
use pg_clone::ident::QualifiedName;

use crate::args::glacier::Kept;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Connects as every other command does: environment, password files, verified TLS.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) server: Server,
    pub(super) database: String,
}

impl Connect for Login {
    fn describe(&self) -> String {
        self.database.clone()
    }

    fn connect(&self) -> BoxFuture<'_, Result<Connection, Cause>> {
        Box::pin(async {
            let session = self.server.connect_as_application(&self.database).await.map_err(Reported::cause)?;
            let session: Connection = Box::new(session);
            Ok(session)
        })
    }
}

/// The database that the catalogue is in, if it is in one.
pub(super) fn named(kept: &Kept, context: &Context) -> CliResult<Option<Login>> {
    let Some(text) = &kept.catalogue else { return Ok(None) };
    let (server, database) = context.server(Some(text))?;
    let database = database.ok_or_else(|| {
        CliError::usage("`--catalogue` names no database", "give its name, or a connection string or URL with one")
    })?;
    Ok(Some(Login { server, database }))
}

/// Its tables.
pub(super) fn tables(kept: &Kept) -> Tables {
    kept.catalogue_tables.as_ref().map_or_else(Tables::default, |begin| {
        let (schema, prefix) = begin.split_once('.').unwrap_or(("public", begin));
        Tables { schema: schema.to_owned(), prefix: prefix.to_owned() }
    })
}

/// What a restore of the database must carry over.
pub(super) fn carried(kept: &Kept) -> Vec<QualifiedName> {
    if kept.catalogue.is_none() {
        return Vec::new();
    }
    tables(kept).names().into_iter().map(|(schema, name)| QualifiedName::new(schema, name)).collect()
}
